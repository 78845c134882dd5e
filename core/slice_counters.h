// What a slice of a job counts: the same in a checkpoint, on the wire and in a report.
#pragma once
#include <cstdint>
#include <msgpack.hpp>

namespace millrace {

struct SliceCounters {
    std::uint64_t done = 0;  // objects, like the next three
    std::uint64_t skipped = 0;
    std::uint64_t failed = 0;
    std::uint64_t quarantined = 0;
    std::uint64_t attempts = 0;
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_out = 0;
    std::uint64_t bytes_moved = 0;  // to other targets
    std::uint64_t near_empty = 0;   // of done: results with next to nothing in them (worker/near_empty.h)
    MSGPACK_DEFINE_MAP(done, skipped, failed, quarantined, attempts, bytes_in, bytes_out, bytes_moved, near_empty)

    std::uint64_t settled() const { return done + skipped + failed + quarantined; }
    SliceCounters& operator+=(const SliceCounters& other) {
        done += other.done;
        skipped += other.skipped;
        failed += other.failed;
        quarantined += other.quarantined;
        attempts += other.attempts;
        bytes_in += other.bytes_in;
        bytes_out += other.bytes_out;
        bytes_moved += other.bytes_moved;
        near_empty += other.near_empty;
        return *this;
    }
    friend bool operator==(const SliceCounters&, const SliceCounters&) = default;
};

}  // namespace millrace
