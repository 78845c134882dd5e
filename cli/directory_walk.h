// The files below a folder, one after the other, as names for objects.
#pragma once
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "core/result.h"

namespace millrace::cli {

class DirectoryWalk {
public:
    struct File {
        std::string path;
        std::string name;  // relative to the folder, '/' separated
    };
    using Warn = std::function<void(const std::string& path, const std::string& why)>;

    // Links to files are followed, links to folders are not; what is not a file is skipped with a warning.
    static Result<DirectoryWalk> open(const std::string& folder, Warn warn);
    // nullopt at the end. A folder that cannot be read is an error; the walk goes on behind it.
    Result<std::optional<File>> next();

private:
    DirectoryWalk(std::filesystem::path folder, Warn warn);

    std::filesystem::path folder_;
    Warn warn_;
    std::filesystem::recursive_directory_iterator position_;
};

}  // namespace millrace::cli
