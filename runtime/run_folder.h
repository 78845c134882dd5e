// The private folders that runs of a filter work in: each run finds one that is empty and that nobody else uses, and whatever it does
// to that hurts nobody.
//
// A folder that its run left as it was serves the next one: that costs one look. One that was written into is emptied when the
// run ends, one that was taken away, closed or mounted upon is replaced. One executor.
#pragma once
#include <sys/stat.h>

#include <optional>
#include <string>
#include <vector>

#include "core/result.h"

namespace millrace::runtime {

class RunFolders {
public:
    // prefix: of the path of every folder. The folder above it must exist.
    explicit RunFolders(std::string prefix) : prefix_(std::move(prefix)) {}
    RunFolders(const RunFolders&) = delete;

    class Folder {
    public:
        const std::string& path() const { return path_; }

    private:
        friend class RunFolders;
        std::string path_;
        struct stat made_ {};  // what it is like as long as nobody did anything to it
    };

    Result<Folder> take();
    // is_alone: nobody is known to work in it any more. Otherwise the path is never used again.
    void give_back(Folder folder, bool is_alone);

private:
    static Result<Folder> make(std::string path);
    static bool is_fresh(const Folder& folder);
    static bool empty(const Folder& folder);

    const std::string prefix_;
    std::vector<Folder> free_;
    std::uint64_t made_ = 0;
};

}  // namespace millrace::runtime
