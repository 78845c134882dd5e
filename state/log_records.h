// The records of RocksDB's logs (write-ahead logs and manifests): followed while a log is written, checked when one is found on disk.
//
// A log is blocks of 32 KiB. A record is seven bytes (masked CRC-32C of what follows the length, length, type) and its content, and lies
// in one block; what is left of a block that has no room for another seven bytes is nothing.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.h"

namespace millrace::state {

// Where the records of a log end, while it is written piece by piece. One thread at a time.
class LogFollower {
public:
    void append(std::string_view bytes);
    // The end of the last whole record.
    std::uint64_t boundary() const { return boundary_; }

private:
    std::uint64_t at_ = 0;          // bytes seen
    std::uint64_t record_end_ = 0;  // of the record whose content is being written
    std::uint64_t boundary_ = 0;
    std::array<unsigned char, 7> header_{};
    std::size_t header_bytes_ = 0;
};

struct LogCheck {
    std::uint64_t size = 0;   // of the file
    std::uint64_t whole = 0;  // up to here every record is as it was written
    // What follows can be explained by writes that never reached the disk: it is cut off by the end of the file, or a sector of it ends
    // in zeros. False when somebody changed it.
    bool may_be_lost_write = true;
};

// Reads the file until a record that is not whole. Code::io when it cannot be read.
Result<LogCheck> check_log(const std::string& path);

}  // namespace millrace::state
