#include "runtime/remove_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <deque>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "core/descriptor.h"
#include "core/log.h"
#include "core/task.h"

namespace millrace::runtime {
namespace {

constexpr std::size_t kMountedMax = 1000;    // entries of a folder that cannot be moved
constexpr std::size_t kFoldersWaitingMax = 10'000;  // folders; who brings one more removes it

Error obstacle(const std::string& path, int error) { return errno_error("cannot remove " + path, error); }

std::string path_of(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

// For reading, whatever its mode says; -1 with errno when it is none, or not ours.
Descriptor open_folder(int at, const char* name) {
    constexpr int kFlags = O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    const Descriptor it(::openat(at, name, kFlags | O_PATH));
    if (!it.is_open()) return Descriptor();
    struct stat info {};
    if (::fstat(it.get(), &info) == 0 && (info.st_mode & S_IRWXU) != S_IRWXU) (void)::chmod(path_of(it.get()).c_str(), S_IRWXU);
    return Descriptor(::openat(at, name, kFlags | O_RDONLY));
}

// One pass over a folder takes out what is no folder and what is an empty one. A full folder is moved up to the top, where a later
// pass meets it: so no path grows long, and nothing recurses.
class Removal {
public:
    Removal(const std::string& path, std::size_t entries_max) : path_(path), left_(entries_max) {}

    Result<bool> run() {
        if (::unlink(path_.c_str()) == 0 || errno == ENOENT || errno == ENOTDIR) return true;
        for (;;) {
            if (::rmdir(path_.c_str()) == 0 || errno == ENOENT) return true;
            if (errno == EBUSY) {  // something is mounted on it, which is not ours to empty
                if (::umount2(path_.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) < 0) return obstacle(path_, errno);
                continue;
            }
            const std::size_t before = removed_;
            top_ = open_folder(AT_FDCWD, path_.c_str());
            if (!top_.is_open()) return obstacle(path_, errno);
            (void)empty(top_.get(), true);
            if (left_ == 0) return false;
            if (removed_ == before && ::rmdir(path_.c_str()) < 0 && errno != ENOENT) return obstacle(path_, error_ != 0 ? error_ : errno);
        }
    }

private:
    // Of a folder that is not the top, the folders in it are moved only.
    bool empty(int folder, bool is_top) {
        const std::unique_ptr<DIR, int (*)(DIR*)> entries(::fdopendir(::fcntl(folder, F_DUPFD_CLOEXEC, 3)), [](DIR* open) { return ::closedir(open); });
        if (!entries) return false;
        bool is_empty = true;
        while (const dirent* entry = ::readdir(entries.get())) {
            const char* const name = entry->d_name;
            if (std::strcmp(name, ".") == 0 || std::strcmp(name, "..") == 0) continue;
            if (left_ == 0) return false;
            --left_;
            // What stays busy is a mount that cannot be detached, or holds one: never entered.
            if (remove_one(folder, name) || (errno != EBUSY && (is_top ? empty_folder(name) : move_to_top(folder, name)))) {
                ++removed_;
            } else {
                error_ = errno;
                is_empty = false;
            }
        }
        return is_empty;
    }

    static bool remove_one(int folder, const char* name) {
        for (const bool again : {false, true}) {
            if (::unlinkat(folder, name, 0) == 0 || errno == ENOENT) return true;
            if (errno != EBUSY && ::unlinkat(folder, name, AT_REMOVEDIR) == 0) return true;
            if (errno != EBUSY || again) return false;
            (void)::umount2((path_of(folder) + '/' + name).c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
        }
        return false;
    }

    bool empty_folder(const char* name) {
        const Descriptor folder = open_folder(top_.get(), name);
        return folder.is_open() && empty(folder.get(), false) && ::unlinkat(top_.get(), name, AT_REMOVEDIR) == 0;
    }

    bool move_to_top(int folder, const char* name) {
        (void)open_folder(folder, name);  // one that may not be written to cannot be moved either
        static std::atomic<std::uint64_t> counter = static_cast<std::uint64_t>(steady_now().time_since_epoch().count());
        for (int tries = 0; tries < 100; ++tries) {
            const std::string fresh = ".moved-" + std::to_string(++counter);
            if (::renameat(folder, name, top_.get(), fresh.c_str()) == 0) return true;
            if (errno != EEXIST && errno != ENOTEMPTY && errno != ENOTDIR) return false;
        }
        return false;
    }

    const std::string path_;
    std::size_t left_;
    Descriptor top_;
    std::size_t removed_ = 0;
    int error_ = 0;
};

void remove_wholly(const std::string& path) {
    const auto removed = remove_tree(path, std::numeric_limits<std::size_t>::max());
    if (!removed.has_value()) log::warn("folder of a transform could not be removed", {{"folder", path}, {"error", removed.error()}});
}

class Remover {
public:
    ~Remover() {
        {
            const std::lock_guard lock(mutex_);
            stopped_ = true;
        }
        changed_.notify_all();
        if (thread_.joinable()) thread_.join();
    }

    // False when too many wait.
    bool add(std::string path) {
        const std::lock_guard lock(mutex_);
        if (stopped_ || waiting_.size() >= kFoldersWaitingMax) return false;
        waiting_.push_back(std::move(path));
        if (!thread_.joinable()) thread_ = std::thread([this] { work(); });
        changed_.notify_all();
        return true;
    }

private:
    std::optional<std::string> next() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return stopped_ || !waiting_.empty(); });
        if (stopped_) return std::nullopt;
        std::string path = std::move(waiting_.front());
        waiting_.pop_front();
        return path;
    }

    void work() {
        constexpr std::size_t kStride = 1000;  // between two looks whether the process ends
        while (const auto path = next()) {
            auto removed = remove_tree(*path, kStride);
            while (removed.has_value() && !*removed && !stopped_) removed = remove_tree(*path, kStride);
            if (!removed.has_value()) log::warn("folder of a transform could not be removed", {{"folder", *path}, {"error", removed.error()}});
        }
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::string> waiting_;     // guarded by mutex_
    std::atomic<bool> stopped_ = false;   // written under mutex_
    std::thread thread_;                  // started under mutex_
};

}  // namespace

Result<bool> remove_tree(const std::string& path, std::size_t entries_max) { return Removal(path, entries_max).run(); }

void remove_tree_later(std::string path) {
    static Remover remover;
    if (!remover.add(path)) remove_wholly(path);
}

Result<void> clear_path(const std::string& path, std::size_t at_once_max) {
    static std::atomic<std::uint64_t> counter{0};
    std::string aside;
    do {
        aside = path + ".old-" + std::to_string(++counter);
    } while (::access(aside.c_str(), F_OK) == 0);
    if (::rename(path.c_str(), aside.c_str()) < 0) {
        if (errno == ENOENT) return {};
        const int error = errno;
        const auto removed = remove_tree(path, kMountedMax);  // something was mounted on it
        if (removed.has_value() && *removed) return {};
        return obstacle(path, error);
    }
    const auto removed = remove_tree(aside, at_once_max);
    if (!removed.has_value()) log::warn("folder of a transform could not be removed", {{"folder", aside}, {"error", removed.error()}});
    if (removed.has_value() && !*removed) remove_tree_later(aside);
    return {};
}

}  // namespace millrace::runtime
