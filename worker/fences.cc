#include "worker/fences.h"

namespace millrace::worker {
namespace {
const TargetId kEverySlice("*");
constexpr int kIncarnationBits = 24;
constexpr std::size_t kRememberedMax = 100'000;
}  // namespace

std::uint64_t make_fence(std::uint64_t epoch, std::uint64_t incarnation) {
    return (epoch << kIncarnationBits) | (incarnation & ((1ull << kIncarnationBits) - 1));
}

Result<std::uint64_t> Fences::load(const JobId& job, const TargetId& slice) {
    const auto found = seen_.find({job, slice});
    if (found != seen_.end()) return found->second;
    MILLRACE_TRY_ASSIGN(const std::uint64_t stored, store_.fence(job, slice));
    if (seen_.size() >= kRememberedMax) seen_.clear();  // they are in the store
    seen_[{job, slice}] = stored;
    return stored;
}

Result<void> Fences::admit(const JobId& job, const TargetId& slice, std::uint64_t fence) {
    const std::lock_guard lock(mutex_);
    MILLRACE_TRY_ASSIGN(const std::uint64_t floor, load(job, kEverySlice));
    MILLRACE_TRY_ASSIGN(const std::uint64_t newest, load(job, slice));
    if (fence < floor || fence < newest) {
        return fail(Code::stale_epoch, "this output of job " + job.str() + " is from a run that was stopped or started again");
    }
    if (fence == newest) return {};
    MILLRACE_TRY(store_.put_fence(job, slice, fence));
    seen_[{job, slice}] = fence;
    return {};
}

Result<void> Fences::stop(const JobId& job, std::uint64_t epoch) {
    const std::lock_guard lock(mutex_);
    MILLRACE_TRY_ASSIGN(const std::uint64_t floor, load(job, kEverySlice));
    const std::uint64_t raised = make_fence(epoch + 1, 0);
    if (raised <= floor) return {};
    MILLRACE_TRY(store_.put_fence(job, kEverySlice, raised));
    seen_[{job, kEverySlice}] = raised;
    return {};
}

}  // namespace millrace::worker
