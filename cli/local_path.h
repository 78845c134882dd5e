// What a path of the user's leads to once its links are followed, for those who write there: a link stays a link.
//
// Any thread.
#pragma once
#include <string>

#include "core/descriptor.h"
#include "core/result.h"

namespace millrace::cli {

struct LocalPath {
    std::string path;  // links followed: a file, a device, a folder, nothing yet, or another process's descriptor below /proc
    Descriptor own;    // open: it is a descriptor of this process (/dev/stdout, /dev/fd/3, a link to them), of which this is a copy
};

Result<LocalPath> follow_links(const std::string& path);
// Whether a new file may take its place under its name: a plain file, or nothing yet. Else what is there is written into.
bool is_replaceable(const LocalPath& place);
// "" for a name without a folder, else with its last slash.
std::string folder_of(const std::string& path);

}  // namespace millrace::cli
