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

Result<void> Fences::Pass::check() const {
    if (fence_ >= *floor_ && fence_ >= *newest_) return {};
    return fail(Code::stale_epoch, "this output of job " + job_.str() + " is from a run that was stopped or started again");
}

std::mutex& Fences::change_lock() {
    static std::atomic<std::size_t> threads{0};
    thread_local const std::size_t mine = threads++;
    return changing_[mine % changing_.size()];
}

// Changes that looked at the line before have been made on return.
void Fences::raise(Line& line, std::uint64_t fence) {
    line = fence;
    for (std::mutex& changing : changing_) const std::lock_guard waited(changing);
}

Result<std::shared_ptr<Fences::Line>> Fences::load(const JobId& job, const TargetId& slice) {
    const auto found = lines_.find({job, slice});
    if (found != lines_.end()) return found->second;
    MILLRACE_TRY_ASSIGN(const std::uint64_t stored, store_.fence(job, slice));
    if (lines_.size() >= kRememberedMax) {  // they are in the store
        std::erase_if(lines_, [](const auto& item) { return item.second.use_count() == 1; });
    }
    return lines_[{job, slice}] = std::make_shared<Line>(stored);
}

Result<Fences::Pass> Fences::make_pass(const JobId& job, const TargetId& slice, std::uint64_t fence, std::shared_ptr<Line>& newest) {
    Pass pass(*this, job, fence);
    MILLRACE_TRY_ASSIGN(pass.floor_, load(job, kEverySlice));
    MILLRACE_TRY_ASSIGN(newest, load(job, slice));
    pass.newest_ = newest;
    return pass;
}

Result<Fences::Pass> Fences::admit(const JobId& job, const TargetId& slice, std::uint64_t fence) {
    const std::lock_guard lock(mutex_);
    std::shared_ptr<Line> newest;
    MILLRACE_TRY_ASSIGN(Pass pass, make_pass(job, slice, fence, newest));
    MILLRACE_TRY(pass.check());
    if (fence == *newest) return pass;
    MILLRACE_TRY(store_.put_fence(job, slice, fence));
    raise(*newest, fence);
    return pass;
}

Result<Fences::Pass> Fences::begin(const JobId& job, const TargetId& slice, std::uint64_t fence) {
    const std::lock_guard lock(mutex_);
    std::shared_ptr<Line> newest;
    MILLRACE_TRY_ASSIGN(Pass pass, make_pass(job, slice, fence, newest));
    if (fence > *newest) raise(*newest, fence);
    return pass;
}

Result<void> Fences::stop(const JobId& job, std::uint64_t epoch) {
    const std::lock_guard lock(mutex_);
    MILLRACE_TRY_ASSIGN(const std::shared_ptr<Line> floor, load(job, kEverySlice));
    const std::uint64_t raised = make_fence(epoch + 1, 0);
    if (raised <= *floor) return {};
    MILLRACE_TRY(store_.put_fence(job, kEverySlice, raised));
    raise(*floor, raised);
    return {};
}

void Fences::forgotten(const JobId& job) {
    const std::lock_guard lock(mutex_);
    const auto first = lines_.lower_bound({job, TargetId()});
    for (auto line = first; line != lines_.end() && line->first.first == job; ++line) raise(*line->second, UINT64_MAX);
}

}  // namespace millrace::worker
