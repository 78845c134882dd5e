// The calls of the C library that change files, in place of its own: as these belong to the executable, RocksDB and the standard library
// call them too. Each is carried out, and written down when its path lies below the folder that is recorded; a sync is written down alone.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdarg>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <unordered_map>

#include "tests/support/power_cut/history.h"

namespace millrace::power_cut {
namespace {

struct Recorder {
    std::mutex mutex;
    History* history = nullptr;
    struct Open {
        std::uint64_t file = 0;  // 0: a folder
    };
    std::unordered_map<int, Open> open;
};

// While nothing is recorded nothing of this is touched: the first calls come before there is an allocator.
constinit std::atomic<bool> is_recording = false;

Recorder& recorder() {
    static auto* const one = new Recorder;  // used until the last thread is gone
    return *one;
}

// "" outside of the folder.
std::string inside(const Recorder& r, const char* path) {
    if (r.history == nullptr || path == nullptr || path[0] != '/') return {};
    std::string normal = std::filesystem::path(path).lexically_normal();
    while (normal.size() > 1 && normal.back() == '/') normal.pop_back();
    const std::string& folder = r.history->folder();
    return normal == folder || normal.starts_with(folder + "/") ? normal : std::string();
}

std::string at_path(int folder, const char* path) {
    if (path == nullptr || path[0] == '/' || folder == AT_FDCWD) return path == nullptr ? "" : path;
    char target[4096];
    const ssize_t bytes = ::readlink(("/proc/self/fd/" + std::to_string(folder)).c_str(), target, sizeof target);
    return bytes > 0 ? std::string(target, static_cast<std::size_t>(bytes)) + "/" + path : "";
}

int do_open(int at, const char* path, int flags, mode_t mode) {
    if (!is_recording) return static_cast<int>(::syscall(SYS_openat, at, path, flags, mode));
    Recorder& r = recorder();
    const std::lock_guard lock(r.mutex);
    const std::string full = inside(r, at_path(at, path).c_str());
    const bool is_new = !full.empty() && (flags & O_CREAT) != 0 && r.history->file_at(full) == 0;
    const int file = static_cast<int>(::syscall(SYS_openat, at, path, flags, mode));
    if (file < 0 || full.empty()) return file;
    if (is_new) {
        const std::uint64_t number = r.history->new_file();
        r.history->add({Operation::Kind::create, number, 0, full, ""});
    } else if ((flags & O_TRUNC) != 0) {
        r.history->add({Operation::Kind::resize, r.history->file_at(full), 0, "", ""});
    }
    r.open[file] = {r.history->file_at(full)};
    return file;
}

ssize_t written(Recorder& r, int file, const void* bytes, ssize_t count, off_t offset) {
    const auto open = r.open.find(file);
    if (count > 0 && r.history != nullptr && open != r.open.end()) {
        r.history->add({Operation::Kind::write, open->second.file, static_cast<std::uint64_t>(offset),
                        std::string(static_cast<const char*>(bytes), static_cast<std::size_t>(count)), ""});
    }
    return count;
}

int do_sync(int file, bool all) {
    if (!is_recording) return 0;
    Recorder& r = recorder();
    const std::lock_guard lock(r.mutex);
    const auto open = r.open.find(file);
    if (r.history == nullptr || open == r.open.end()) return 0;  // no test needs a real one
    using Kind = Operation::Kind;
    r.history->add({all ? Kind::sync_all : open->second.file == 0 ? Kind::sync_names : Kind::sync_file, open->second.file, 0, "", ""});
    return 0;
}

int resized(Recorder& r, std::uint64_t file, off_t size, int result) {
    if (result == 0 && r.history != nullptr && file != 0) r.history->add({Operation::Kind::resize, file, static_cast<std::uint64_t>(size), "", ""});
    return result;
}

template <class Call>
int do_names(Operation::Kind kind, const std::string& path, const std::string& other, Call call) {
    if (!is_recording) return static_cast<int>(call());
    Recorder& r = recorder();
    const std::lock_guard lock(r.mutex);
    const std::string from = inside(r, path.c_str());
    const std::string to = inside(r, other.c_str());
    const int result = static_cast<int>(call());
    if (result == 0 && !from.empty()) r.history->add({kind, 0, 0, from, to});
    return result;
}

}  // namespace

Recording::Recording(History& history) {
    Recorder& r = recorder();
    const std::lock_guard lock(r.mutex);
    r.open.clear();
    r.history = &history;
    is_recording = true;
}

Recording::~Recording() {
    Recorder& r = recorder();
    const std::lock_guard lock(r.mutex);
    is_recording = false;
    r.history = nullptr;
    r.open.clear();
}

Moment Recording::now() const {
    Recorder& r = recorder();
    const std::lock_guard lock(r.mutex);
    return r.history->now();
}

}  // namespace millrace::power_cut

// NOLINTBEGIN
namespace pc = millrace::power_cut;
using Kind = pc::Operation::Kind;

static mode_t mode_argument(int flags, va_list arguments) {
    return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE ? static_cast<mode_t>(va_arg(arguments, int)) : 0;
}

extern "C" {

int open(const char* path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = mode_argument(flags, arguments);
    va_end(arguments);
    return pc::do_open(AT_FDCWD, path, flags, mode);
}

int open64(const char* path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = mode_argument(flags, arguments);
    va_end(arguments);
    return pc::do_open(AT_FDCWD, path, flags, mode);
}

int openat(int at, const char* path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = mode_argument(flags, arguments);
    va_end(arguments);
    return pc::do_open(at, path, flags, mode);
}

int close(int file) {
    if (!pc::is_recording) return static_cast<int>(::syscall(SYS_close, file));
    pc::Recorder& r = pc::recorder();
    const std::lock_guard lock(r.mutex);
    r.open.erase(file);
    return static_cast<int>(::syscall(SYS_close, file));
}

ssize_t write(int file, const void* bytes, size_t count) {
    if (!pc::is_recording) return ::syscall(SYS_write, file, bytes, count);
    pc::Recorder& r = pc::recorder();
    const std::lock_guard lock(r.mutex);
    const ssize_t done = ::syscall(SYS_write, file, bytes, count);
    if (done <= 0 || r.history == nullptr || !r.open.contains(file)) return done;
    return pc::written(r, file, bytes, done, ::lseek(file, 0, SEEK_CUR) - done);
}

ssize_t pwrite(int file, const void* bytes, size_t count, off_t offset) {
    if (!pc::is_recording) return ::syscall(SYS_pwrite64, file, bytes, count, offset);
    pc::Recorder& r = pc::recorder();
    const std::lock_guard lock(r.mutex);
    return pc::written(r, file, bytes, ::syscall(SYS_pwrite64, file, bytes, count, offset), offset);
}

ssize_t pwrite64(int file, const void* bytes, size_t count, off_t offset) { return pwrite(file, bytes, count, offset); }

int ftruncate(int file, off_t size) noexcept {
    if (!pc::is_recording) return static_cast<int>(::syscall(SYS_ftruncate, file, size));
    pc::Recorder& r = pc::recorder();
    const std::lock_guard lock(r.mutex);
    const auto open = r.open.find(file);
    return pc::resized(r, open == r.open.end() ? 0 : open->second.file, size, static_cast<int>(::syscall(SYS_ftruncate, file, size)));
}

int ftruncate64(int file, off_t size) noexcept { return ftruncate(file, size); }

int truncate(const char* path, off_t size) noexcept {
    if (!pc::is_recording) return static_cast<int>(::syscall(SYS_truncate, path, size));
    pc::Recorder& r = pc::recorder();
    const std::lock_guard lock(r.mutex);
    const std::string full = pc::inside(r, path);
    return pc::resized(r, full.empty() ? 0 : r.history->file_at(full), size, static_cast<int>(::syscall(SYS_truncate, path, size)));
}

// Blocks that are kept ready are no content.
int fallocate(int, int, off_t, off_t) { return 0; }
int fallocate64(int, int, off_t, off_t) { return 0; }
int posix_fallocate(int, off_t, off_t) { return 0; }
int sync_file_range(int, off_t, off_t, unsigned) { return 0; }

int fsync(int file) { return pc::do_sync(file, false); }
int fdatasync(int file) { return pc::do_sync(file, false); }
int syncfs(int file) noexcept { return pc::do_sync(file, true); }

int rename(const char* from, const char* to) noexcept {
    return pc::do_names(Kind::rename, from, to, [&] { return ::syscall(SYS_rename, from, to); });
}
int link(const char* from, const char* to) noexcept {
    return pc::do_names(Kind::link, from, to, [&] { return ::syscall(SYS_link, from, to); });
}
int unlink(const char* path) noexcept {
    return pc::do_names(Kind::remove, path, "", [&] { return ::syscall(SYS_unlink, path); });
}
int unlinkat(int at, const char* path, int flags) noexcept {
    return pc::do_names(Kind::remove, pc::at_path(at, path), "", [&] { return ::syscall(SYS_unlinkat, at, path, flags); });
}
int mkdir(const char* path, mode_t mode) noexcept {
    return pc::do_names(Kind::folder, path, "", [&] { return ::syscall(SYS_mkdir, path, mode); });
}
int rmdir(const char* path) noexcept {
    return pc::do_names(Kind::remove, path, "", [&] { return ::syscall(SYS_rmdir, path); });
}

}  // extern "C"
// NOLINTEND
