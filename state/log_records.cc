#include "state/log_records.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "core/descriptor.h"
#include "state/crc32c.h"

namespace millrace::state {
namespace {

constexpr std::size_t kBlockBytes = 32'768;
constexpr std::size_t kHeaderBytes = 7;
constexpr std::size_t kSectorBytes = 512;
constexpr std::size_t kLengthAt = 4;
constexpr std::size_t kTypeAt = 6;
constexpr unsigned char kTypeMax = 4;  // whole, first, middle, last

std::size_t length_of(const unsigned char* header) { return header[kLengthAt] | static_cast<std::size_t>(header[kLengthAt + 1]) << 8; }

std::uint32_t checksum_of(const unsigned char* header) {
    constexpr std::uint32_t kMaskDelta = 0xa282ead8;
    std::uint32_t masked = 0;
    for (int i = 3; i >= 0; --i) masked = masked << 8 | header[i];
    const std::uint32_t rotated = masked - kMaskDelta;
    return rotated >> 17 | rotated << 15;
}

bool is_whole(const unsigned char* record, std::size_t bytes_left) {
    if (bytes_left < kHeaderBytes || record[kTypeAt] == 0 || record[kTypeAt] > kTypeMax) return false;
    const std::size_t length = length_of(record);
    if (length > bytes_left - kHeaderBytes) return false;
    const char* checked = reinterpret_cast<const char*>(record + kTypeAt);  // the type and the content
    return rocksdb::crc32c::Extend(0, checked, length + 1) == checksum_of(record);
}

// The end of the block's last whole record, or of the block.
std::size_t whole_bytes(const unsigned char* block, std::size_t bytes) {
    std::size_t at = 0;
    while (kBlockBytes - at >= kHeaderBytes) {
        if (!is_whole(block + at, bytes - at)) return at;
        at += kHeaderBytes + length_of(block + at);
    }
    return std::min(bytes, kBlockBytes);
}

// Of the record there, which is not whole. bytes: of the block, as far as the file has it.
bool may_be_lost_write(const unsigned char* block, std::size_t bytes, std::size_t record) {
    if (bytes - record < kHeaderBytes) return true;
    const std::size_t end = record + kHeaderBytes + length_of(block + record);
    if (end > bytes && bytes < kBlockBytes) return true;
    for (std::size_t sector = record / kSectorBytes; sector * kSectorBytes < std::min(end, bytes); ++sector) {
        if (block[std::min((sector + 1) * kSectorBytes, bytes) - 1] == 0) return true;
    }
    return false;
}

}  // namespace

void LogFollower::append(std::string_view bytes) {
    while (!bytes.empty()) {
        std::size_t take = 0;
        const std::size_t block_left = kBlockBytes - at_ % kBlockBytes;
        if (at_ < record_end_) {
            take = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), record_end_ - at_));
        } else if (header_bytes_ == 0 && block_left < kHeaderBytes) {
            take = std::min(bytes.size(), block_left);
        } else {
            take = std::min(bytes.size(), kHeaderBytes - header_bytes_);
            std::copy_n(bytes.begin(), take, header_.begin() + static_cast<std::ptrdiff_t>(header_bytes_));
            header_bytes_ += take;
        }
        at_ += take;
        bytes.remove_prefix(take);
        if (header_bytes_ == kHeaderBytes) {
            record_end_ = at_ + length_of(header_.data());
            header_bytes_ = 0;
        }
        if (at_ == record_end_) boundary_ = at_;
    }
}

Result<LogCheck> check_log(const std::string& path) {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.is_open()) return fail(Code::io, errno_error("open " + path, errno).context);
    LogCheck check;
    bool is_intact = true;
    std::vector<unsigned char> block(kBlockBytes);
    for (;;) {
        std::size_t bytes = 0;
        while (bytes < block.size()) {
            const ssize_t count = ::pread(file.get(), block.data() + bytes, block.size() - bytes, static_cast<off_t>(check.size + bytes));
            if (count < 0 && errno == EINTR) continue;
            if (count < 0) return fail(Code::io, errno_error("read " + path, errno).context);
            if (count == 0) break;
            bytes += static_cast<std::size_t>(count);
        }
        if (is_intact) {
            const std::size_t whole = whole_bytes(block.data(), bytes);
            check.whole += whole;
            is_intact = whole == block.size();
            if (!is_intact && whole < bytes) check.may_be_lost_write = may_be_lost_write(block.data(), bytes, whole);
        }
        check.size += bytes;
        if (bytes < block.size()) return check;
    }
}

}  // namespace millrace::state
