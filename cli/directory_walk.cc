#include "cli/directory_walk.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

namespace millrace::cli {

namespace fs = std::filesystem;

DirectoryWalk::DirectoryWalk(fs::path folder, bool follows_links, Skipped skipped)
    : folder_(std::move(folder)), follows_links_(follows_links), skipped_(std::move(skipped)) {}

Result<DirectoryWalk> DirectoryWalk::open(const std::string& folder, bool follows_links, Skipped skipped) {
    DirectoryWalk walk(folder, follows_links, std::move(skipped));
    MILLRACE_TRY(walk.enter(walk.folder_));
    return walk;
}

Result<void> DirectoryWalk::enter(const fs::path& folder) {
    Level level;
    struct stat status {};
    std::error_code error;
    if (::stat(folder.c_str(), &status) != 0) return errno_error("cannot read folder " + folder.string(), errno);
    level.device = status.st_dev;
    level.number = status.st_ino;
    if (std::ranges::any_of(levels_, [&](const Level& above) { return above.device == level.device && above.number == level.number; })) {
        skipped_(folder.string(), "leads back to a folder that it lies in");
        return {};
    }
    level.position = fs::directory_iterator(folder, error);
    if (error) return errno_error("cannot read folder " + folder.string(), error.value());
    levels_.push_back(std::move(level));
    return {};
}

Result<std::optional<DirectoryWalk::File>> DirectoryWalk::next() {
    while (!levels_.empty()) {
        fs::directory_iterator& position = levels_.back().position;
        if (position == fs::directory_iterator()) {
            levels_.pop_back();
            continue;
        }
        const fs::directory_entry entry = *position;
        std::error_code error;
        position.increment(error);
        if (error) {
            levels_.pop_back();
            return errno_error("cannot read on after " + entry.path().string(), error.value());
        }
        const bool is_link = entry.is_symlink(error);
        const fs::file_status status = entry.status(error);
        const std::string path = entry.path().string();
        switch (status.type()) {
            case fs::file_type::regular: return File{path, entry.path().lexically_relative(folder_).generic_string()};
            case fs::file_type::directory:
                if (is_link && !follows_links_) {
                    skipped_(path, "is a link to a folder; --follow-links puts what is in it");
                } else {
                    MILLRACE_TRY(enter(entry.path()));
                }
                break;
            case fs::file_type::not_found: skipped_(path, is_link ? "is a link to nothing" : "is gone by now"); break;
            case fs::file_type::fifo: skipped_(path, "is a pipe"); break;
            case fs::file_type::socket: skipped_(path, "is a socket"); break;
            case fs::file_type::block:
            case fs::file_type::character: skipped_(path, "is a device"); break;
            default: skipped_(path, error ? "cannot be looked at: " + error.message() : "is not a regular file"); break;
        }
    }
    return std::optional<File>();
}

}  // namespace millrace::cli
