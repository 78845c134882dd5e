// The files below a folder, one after the other, as names for objects.
#pragma once
#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"

namespace millrace::cli {

class DirectoryWalk {
public:
    struct File {
        std::string path;
        std::string name;  // relative to the folder, '/' separated
    };
    using Skipped = std::function<void(const std::string& path, const std::string& why)>;

    // Links to files are followed; links to folders where follows_links says so, but not back into a folder that they lie in. What is
    // left out is told to `skipped`, each with its reason.
    static Result<DirectoryWalk> open(const std::string& folder, bool follows_links, Skipped skipped);
    // nullopt at the end. A folder that cannot be read is an error; the walk goes on behind it.
    Result<std::optional<File>> next();

private:
    // A folder that is being read.
    struct Level {
        std::filesystem::directory_iterator position;
        dev_t device = 0;
        ino_t number = 0;
    };

    DirectoryWalk(std::filesystem::path folder, bool follows_links, Skipped skipped);
    // The step into a folder, unless the walk is in it already.
    Result<void> enter(const std::filesystem::path& folder);

    std::filesystem::path folder_;
    bool follows_links_;
    Skipped skipped_;
    std::vector<Level> levels_;  // from the folder down
};

}  // namespace millrace::cli
