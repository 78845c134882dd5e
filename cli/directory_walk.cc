#include "cli/directory_walk.h"

namespace millrace::cli {

namespace fs = std::filesystem;

DirectoryWalk::DirectoryWalk(fs::path folder, Warn warn) : folder_(std::move(folder)), warn_(std::move(warn)) {}

Result<DirectoryWalk> DirectoryWalk::open(const std::string& folder, Warn warn) {
    DirectoryWalk walk(folder, std::move(warn));
    std::error_code error;
    walk.position_ = fs::recursive_directory_iterator(walk.folder_, error);
    if (error) return errno_error("cannot read folder " + folder, error.value());
    return walk;
}

Result<std::optional<DirectoryWalk::File>> DirectoryWalk::next() {
    while (position_ != fs::recursive_directory_iterator()) {
        const fs::directory_entry entry = *position_;
        std::error_code error;
        const fs::file_status link = entry.symlink_status(error);
        const fs::file_status status = entry.status(error);
        // A folder is opened by the step into it, so open it here first: a failed step would end the whole walk.
        if (link.type() == fs::file_type::directory) {
            std::error_code unreadable;
            fs::directory_iterator probe(entry.path(), unreadable);
            if (unreadable) {
                position_.disable_recursion_pending();
                position_.increment(error);
                return errno_error("cannot read folder " + entry.path().string(), unreadable.value());
            }
        }
        position_.increment(error);
        if (error) {
            position_ = {};
            return errno_error("cannot read on after " + entry.path().string(), error.value());
        }
        switch (status.type()) {
            case fs::file_type::regular:
                return File{entry.path().string(), entry.path().lexically_relative(folder_).generic_string()};
            case fs::file_type::directory:
                if (link.type() == fs::file_type::symlink) warn_(entry.path().string(), "is a link to a folder");
                break;
            case fs::file_type::not_found: warn_(entry.path().string(), "is a link to nothing"); break;
            default: warn_(entry.path().string(), "is not a regular file"); break;
        }
    }
    return std::optional<File>();
}

}  // namespace millrace::cli
