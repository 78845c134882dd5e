#include "store/spare_files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <iterator>
#include <utility>

namespace millrace::store {

bool SpareFiles::keep(const std::string& path, const std::string& to) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode) || status.st_nlink != 1) return false;
    const auto bytes = static_cast<std::uint64_t>(status.st_size);
    const std::lock_guard lock(mutex_);
    if (!has_room_ || bytes > kFileBytesMax || spares_.size() >= kFilesMax || bytes_ + bytes > kBytesMax) return false;
    if (::rename(path.c_str(), to.c_str()) != 0) return false;
    spares_.push_back({to, bytes, steady_now()});
    bytes_ += bytes;
    return true;
}

std::optional<TempFile> SpareFiles::take() {
    while (const std::optional<Spare> spare = pop_newest()) {
        if (auto file = TempFile::over(spare->path)) return *std::move(file);
        ::unlink(spare->path.c_str());
    }
    return std::nullopt;
}

bool SpareFiles::tend(bool has_room, Instant now) {
    {
        const std::lock_guard lock(mutex_);
        has_room_ = has_room;
    }
    bool removed = false;
    while (const std::optional<Spare> spare = pop_oldest(has_room ? now - kTimeMax : Instant::max())) {
        ::unlink(spare->path.c_str());
        removed = true;
    }
    return removed;
}

std::optional<SpareFiles::Spare> SpareFiles::pop_newest() {
    const std::lock_guard lock(mutex_);
    if (spares_.empty()) return std::nullopt;
    return take_from(std::prev(spares_.end()));
}

std::optional<SpareFiles::Spare> SpareFiles::pop_oldest(Instant before) {
    const std::lock_guard lock(mutex_);
    if (spares_.empty() || spares_.front().kept >= before) return std::nullopt;
    return take_from(spares_.begin());
}

std::optional<SpareFiles::Spare> SpareFiles::take_from(std::deque<Spare>::iterator place) {
    Spare spare = std::move(*place);
    spares_.erase(place);
    bytes_ -= spare.bytes;
    return spare;
}

}  // namespace millrace::store
