#include "runtime/run_folder.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "core/log.h"
#include "runtime/child_environment.h"
#include "runtime/remove_tree.h"

namespace millrace::runtime {
namespace {

constexpr int kTriesMax = 100;
constexpr std::size_t kEntriesAtOnce = 256;  // removed while the lane waits
constexpr timespec kLongAgo{.tv_sec = 1, .tv_nsec = 0};

bool is_same_time(const timespec& a, const timespec& b) { return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec; }

}  // namespace

Result<RunFolders::Folder> RunFolders::take(const Sandbox* sandbox) {
    sandbox_ = sandbox;
    while (!free_.empty()) {
        Folder folder = std::move(free_.back());
        free_.pop_back();
        if (is_fresh(folder)) return folder;  // nobody has been there since it was given back
        give_back(std::move(folder), false);
    }
    Result<Folder> made = fail(Code::unavailable, "no name is free");
    for (int tries = 0; tries < kTriesMax; ++tries) {
        made = make_first(prefix_ + std::to_string(++made_));
        if (made.has_value()) break;
        if (made.error().code == Code::not_found) {
            MILLRACE_TRY(make_folder(prefix_.substr(0, prefix_.rfind('/'))));  // a run took that away
        } else if (made.error().code != Code::already_exists) {
            break;
        }
    }
    return made;
}

void RunFolders::give_back(Folder folder, bool is_alone) {
    if (!is_alone) {
        if (const auto cleared = clear_path(folder.path_); !cleared.has_value()) {
            log::warn("folder of a run could not be removed", {{"folder", folder.path_}, {"error", cleared.error()}});
        }
        return;
    }
    if (is_fresh(folder)) {
        free_.push_back(std::move(folder));
        return;
    }
    if (!empty(folder)) return;
    auto again = make(folder.path_, folder.user_);
    if (again.has_value() && sandbox_ != nullptr) {
        // The list of a user's own lasts: it is of the place above, where the user can do nothing.
        auto list = folder.user_ ? Result<Descriptor>(std::move(folder.list_)) : sandbox_->list({folder.path_});
        if (!list.has_value()) return;
        again->list_ = std::move(*list);
    }
    if (again.has_value()) free_.push_back(std::move(*again));
}

// nullptr: the target's own.
Result<std::shared_ptr<const OwnUser>> RunFolders::user() {
    if (sandbox_ == nullptr) return std::shared_ptr<const OwnUser>();
    if (users_ == Users::many) return sandbox_->new_user();
    if (!only_user_) {
        MILLRACE_TRY_ASSIGN(only_user_, sandbox_->new_user());
    }
    return only_user_;
}

Result<RunFolders::Folder> RunFolders::make_first(const std::string& place) {
    if (sandbox_ == nullptr) return make(place, nullptr);
    MILLRACE_TRY_ASSIGN(std::shared_ptr<const OwnUser> owner, user());
    if (owner && ::mkdir(place.c_str(), S_IRWXU) < 0) {
        if (errno == EEXIST) return fail(Code::already_exists, place);
        if (errno == ENOENT) return fail(Code::not_found, place);
        return errno_error("cannot make the folder " + place, errno);
    }
    if (owner && ::chmod(place.c_str(), 0711) < 0) return errno_error("cannot open the folder " + place + " to its user", errno);
    MILLRACE_TRY_ASSIGN(Folder folder, make(owner ? place + "/w" : place, owner));
    MILLRACE_TRY_ASSIGN(folder.list_, sandbox_->list({place}));
    return folder;
}

// The time of its last change is set to one that is long ago: the clock of a file system may be too coarse to tell whether something was
// put into the folder right after it was made.
Result<RunFolders::Folder> RunFolders::make(std::string path, std::shared_ptr<const OwnUser> user) {
    Folder folder;
    folder.path_ = std::move(path);
    const char* const name = folder.path_.c_str();
    if (::mkdir(name, S_IRWXU) < 0) {
        if (errno == EEXIST) return fail(Code::already_exists, folder.path_);
        return errno_error("cannot make the folder " + folder.path_, errno);
    }
    MILLRACE_TRY(Sandbox::hand_over(folder.path_, user.get()));
    folder.user_ = std::move(user);
    const std::array<timespec, 2> times{kLongAgo, kLongAgo};
    if (::utimensat(AT_FDCWD, name, times.data(), AT_SYMLINK_NOFOLLOW) < 0 || ::lstat(name, &folder.made_) < 0) {
        return errno_error("cannot prepare the folder " + folder.path_, errno);
    }
    return folder;
}

bool RunFolders::is_fresh(const Folder& folder) {
    struct stat now {};
    const struct stat& made = folder.made_;
    return ::lstat(folder.path_.c_str(), &now) == 0 && now.st_dev == made.st_dev && now.st_ino == made.st_ino && now.st_mode == made.st_mode &&
           now.st_uid == made.st_uid && is_same_time(now.st_mtim, made.st_mtim) && is_same_time(now.st_ctim, made.st_ctim);
}

// Takes the folder away with what is in it: at once when that is little. False: the path is to be left alone.
bool RunFolders::empty(const Folder& folder) {
    struct stat now {};
    const bool is_ours = ::lstat(folder.path_.c_str(), &now) == 0 && now.st_dev == folder.made_.st_dev && now.st_ino == folder.made_.st_ino;
    if (is_ours) {
        const auto removed = remove_tree(folder.path_, kEntriesAtOnce);
        if (removed.has_value() && *removed) return true;
    }
    const auto cleared = clear_path(folder.path_, 0);
    if (!cleared.has_value()) log::warn("folder of a run could not be removed", {{"folder", folder.path_}, {"error", cleared.error()}});
    return cleared.has_value();
}

}  // namespace millrace::runtime
