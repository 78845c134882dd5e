// A small file system of its own for a test that fills it.
#pragma once
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cstdint>
#include <string>

#include "tests/unit/state/temp_folder.h"

namespace millrace {

class Tmpfs {
public:
    explicit Tmpfs(const std::string& size) {
        mounted_ = ::mount("millrace-test", folder_.path().c_str(), "tmpfs", 0, ("size=" + size).c_str()) == 0;
    }
    ~Tmpfs() {
        if (mounted_) ::umount2(folder_.path().c_str(), MNT_DETACH);
    }
    Tmpfs(const Tmpfs&) = delete;

    // False without the right to mount: the test cannot run.
    bool mounted() const { return mounted_; }
    std::string operator/(const std::string& name) const { return folder_ / name; }

    // Leaves no free byte, or takes so many more.
    void fill(std::uint64_t bytes_max = ~0ull) const {
        const int file = ::open(ballast().c_str(), O_CREAT | O_WRONLY | O_APPEND, 0600);
        const std::string block(4096, 'b');
        for (std::uint64_t filled = 0; filled < bytes_max; filled += block.size()) {
            if (::write(file, block.data(), block.size()) <= 0) break;
        }
        ::close(file);
    }
    void fill_all_but(std::uint64_t free_bytes) const {
        struct statvfs disk {};
        if (::statvfs(folder_.path().c_str(), &disk) != 0) return;
        fill(disk.f_bavail * disk.f_frsize - free_bytes);
    }
    void free_up() const { ::unlink(ballast().c_str()); }

private:
    std::string ballast() const { return folder_ / "ballast"; }

    TempFolder folder_;
    bool mounted_ = false;
};

}  // namespace millrace
