// The private folders that runs of a filter work in: each run finds one that is empty and that nobody else uses, and whatever it does
// to that hurts nobody.
//
// A folder that its run left as it was serves the next one: that costs one look. One that was written into is emptied when the
// run ends, one that was taken away, closed or mounted upon is replaced. In a sandbox it belongs to a user of its own. One executor.
#pragma once
#include <sys/stat.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/descriptor.h"
#include "core/result.h"
#include "runtime/sandbox.h"

namespace millrace::runtime {

class RunFolders {
public:
    // prefix: of the path of every folder. The folder above it must exist. Users::one: all of them belong to the same, as who is forked
    // of one program must.
    enum class Users { many, one };
    explicit RunFolders(std::string prefix, Users users = Users::many) : prefix_(std::move(prefix)), users_(users) {}
    RunFolders(const RunFolders&) = delete;

    class Folder {
    public:
        const std::string& path() const { return path_; }
        // In a sandbox: whom it belongs to, null for the target's own user, and what a child enters that works in it.
        const OwnUser* user() const { return user_.get(); }
        const Descriptor& list() const { return list_; }

    private:
        friend class RunFolders;
        std::string path_;
        std::shared_ptr<const OwnUser> user_;
        Descriptor list_;
        struct stat made_ {};  // what it is like as long as nobody did anything to it
    };

    // sandbox: of those who work in it, always the same; null: none.
    Result<Folder> take(const Sandbox* sandbox = nullptr);
    // is_alone: nobody is known to work in it any more. Otherwise the path is never used again.
    void give_back(Folder folder, bool is_alone);

private:
    Result<Folder> make_first(const std::string& place);
    static Result<Folder> make(std::string path, std::shared_ptr<const OwnUser> user);
    Result<std::shared_ptr<const OwnUser>> user();
    static bool is_fresh(const Folder& folder);
    static bool empty(const Folder& folder);

    const std::string prefix_;
    const Users users_;
    const Sandbox* sandbox_ = nullptr;
    std::shared_ptr<const OwnUser> only_user_;
    std::vector<Folder> free_;
    std::uint64_t made_ = 0;
};

}  // namespace millrace::runtime
