#include "store/sequence.h"

#include <string>

#include "core/check.h"
#include "core/whole_number.h"
#include "state/families.h"

namespace millrace::store {
namespace {
namespace family = state::target_family;
constexpr std::string_view kKey = "created_seq";
constexpr std::uint64_t kBlock = 65536;
}  // namespace

Sequence::Creation::~Creation() {
    if (sequence_ == nullptr) return;
    const std::lock_guard lock(sequence_->mutex_);
    sequence_->being_created_.erase(number_);
}

Result<std::unique_ptr<Sequence>> Sequence::open(state::Kv& kv) {
    MILLRACE_TRY_ASSIGN(const auto text, kv.get(family::meta, kKey));
    std::uint64_t reserved_end = 1;
    if (text) {
        reserved_end = parse_whole<std::uint64_t>(*text).value_or(0);
        if (reserved_end == 0) return fail(Code::corrupt, "the store's key 'created_seq' is not a number");
    }
    return std::unique_ptr<Sequence>(new Sequence(kv, reserved_end));
}

Result<std::uint64_t> Sequence::take_locked() {
    if (next_ == reserved_end_) {
        state::Batch batch;
        batch.put(family::meta, kKey, std::to_string(reserved_end_ + kBlock));
        MILLRACE_TRY(kv_.write(std::move(batch), true));
        reserved_end_ += kBlock;
    }
    MILLRACE_CHECK(next_ < reserved_end_);  // no number is given out before it is known, durably, that it may have been
    return next_++;
}

Result<std::uint64_t> Sequence::take() {
    const std::lock_guard lock(mutex_);
    return take_locked();
}

Result<Sequence::Creation> Sequence::take_for_creation() {
    const std::lock_guard lock(mutex_);
    MILLRACE_TRY_ASSIGN(const std::uint64_t number, take_locked());
    being_created_.insert(number);
    return Creation(*this, number);
}

std::uint64_t Sequence::lowest_unfinished() const {
    const std::lock_guard lock(mutex_);
    return being_created_.empty() ? next_ : *being_created_.begin();
}

}  // namespace millrace::store
