// The store's one counter. It numbers first creations, versions, buckets and folders of files; a number is never handed
// out twice, crashes included, because whole blocks are reserved on disk first.
//
// Any thread. take() is a few nanoseconds, and one synced write per block.
#pragma once
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>

#include "core/result.h"
#include "state/kv.h"

namespace millrace::store {

class Sequence {
public:
    // The number of an object that is being created. While it lives, lowest_unfinished() does not pass it.
    class Creation {
    public:
        Creation(Sequence& sequence, std::uint64_t number) : sequence_(&sequence), number_(number) {}
        ~Creation();
        Creation(Creation&& other) noexcept : sequence_(std::exchange(other.sequence_, nullptr)), number_(other.number_) {}
        Creation& operator=(Creation&&) = delete;

        std::uint64_t number() const { return number_; }

    private:
        Sequence* sequence_;
        std::uint64_t number_;
    };

    static Result<std::unique_ptr<Sequence>> open(state::Kv& kv);

    Result<std::uint64_t> take();
    Result<Creation> take_for_creation();
    // Every creation with a smaller number has ended by now; later ones get this number or a greater one.
    std::uint64_t lowest_unfinished() const;

private:
    Sequence(state::Kv& kv, std::uint64_t reserved_end) : kv_(kv), next_(reserved_end), reserved_end_(reserved_end) {}
    Result<std::uint64_t> take_locked();

    state::Kv& kv_;
    mutable std::mutex mutex_;
    std::uint64_t next_;
    std::uint64_t reserved_end_;             // on disk: a restart begins here
    std::set<std::uint64_t> being_created_;  // bounded by the writers that commit at once
};

}  // namespace millrace::store
