// Local files and streams as the bodies of uploads.
#pragma once
#include <iosfwd>
#include <string>

#include "cli/local_path.h"
#include "cli/session.h"

namespace millrace::cli {

struct LocalBody {
    BodyMaker make;
    std::uint64_t bytes = 0;    // 0 when not known
    bool size_known = false;
    std::string checksum;       // as sent in Ais-Checksum-Value; empty when not known before sending
};

// A regular file, read once for its checksum and again for each time it is sent; small ones are kept in memory instead. How long it is,
// its end says: for many (below /proc, of other file systems) the system gives 0, or a page. One that changes meanwhile is an error.
Result<LocalBody> file_body(const std::string& path);
// Everything up to the end of the stream. Can be sent again only as long as nothing was read.
LocalBody stream_body(std::istream& in);
// The same from a pipe, a device or a descriptor of this process, which is opened here: for a pipe that waits for its writer.
Result<LocalBody> stream_body(LocalPath place);

}  // namespace millrace::cli
