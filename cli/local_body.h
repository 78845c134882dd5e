// Local files and standard input as the bodies of uploads.
#pragma once
#include <iosfwd>
#include <string>

#include "cli/session.h"

namespace millrace::cli {

struct LocalBody {
    BodyMaker make;
    std::uint64_t bytes = 0;    // 0 when not known
    bool size_known = false;
    std::string checksum;       // as sent in Ais-Checksum-Value; empty when not known before sending
};

// A regular file, read once for its checksum and again for each time it is sent; small ones are kept in memory instead.
// A file that becomes shorter while it is sent is an error.
Result<LocalBody> file_body(const std::string& path);
// Everything up to the end of the stream. Can be sent again only as long as nothing was read.
LocalBody stream_body(std::istream& in);

}  // namespace millrace::cli
