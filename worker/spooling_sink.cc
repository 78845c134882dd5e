#include "worker/spooling_sink.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <cerrno>
#include <cstring>

namespace millrace::worker {
namespace {

namespace asio = boost::asio;

constexpr std::uint64_t kWaitingBytesMax = 256 << 20;
constexpr Duration kHeldUpMax = milliseconds(250);

Task<bool> is_cancelled() {
    const auto state = co_await asio::this_coro::cancellation_state;
    co_return state.cancelled() != asio::cancellation_type::none;
}

}  // namespace

SpoolingSink::SpoolingSink(Executor executor, const SpoolFolder& folder, Sink& slower)
    : slower_(slower), folder_(folder.path()), offered_(executor), passed_(executor), tasks_(executor) {}

SpoolingSink::~SpoolingSink() = default;

Task<Result<void>> SpoolingSink::write(std::span<const std::byte> bytes) {
    if (tasks_.size() == 0 && !error_) tasks_.spawn(pass_on());
    while (!bytes.empty()) {
        if (passing_bytes_ > 0 && !has_waiting()) co_await wait_for_room();
        if (error_) co_return *error_;
        if (co_await is_cancelled()) co_return fail(Code::cancelled, "cancelled");
        const std::span<const std::byte> piece = bytes.first(std::min(bytes.size(), kBodyChunkBytes));
        if (passing_bytes_ == 0 && !has_waiting()) {
            passing_.assign(piece.begin(), piece.end());
            passing_bytes_ = piece.size();
            offered_.set();
        } else if (spool_is_full_ || written_ - taken_ >= kWaitingBytesMax || !spool(piece)) {
            co_await wait_for_room();
            continue;
        }
        bytes = bytes.subspan(piece.size());
    }
    co_return Result<void>{};
}

// Until the slower one has taken what it is given, or for as long as the writer may still be held up where it need not be.
Task<void> SpoolingSink::wait_for_room() {
    const bool can_spool = !spool_is_full_ && written_ - taken_ < kWaitingBytesMax;
    const Instant begun = steady_now();
    passed_.clear();
    (void)co_await passed_.wait_until(begun + (can_spool ? std::max(kHeldUpMax - held_up_, Duration::zero()) : Duration(kWaitStep)));
    held_up_ += steady_now() - begun;
}

Task<void> SpoolingSink::pass_on() {
    co_await asio::this_coro::throw_if_cancelled(false);
    while (!error_ && !co_await is_cancelled()) {
        if (passing_bytes_ == 0) {
            offered_.clear();
            (void)co_await offered_.wait_until(steady_now() + kWaitStep);
            continue;
        }
        const std::span<const std::byte> bytes(passing_.data(), passing_bytes_);
        const Result<void> passed = co_await slower_.write(bytes);
        const Result<std::size_t> more = passed ? take_back() : Result<std::size_t>(passed.error());
        if (!more) error_ = more.error();
        passing_bytes_ = more.value_or(0);
        passed_.set();
    }
    passed_.set();
}

Result<void> SpoolingSink::spool(std::span<const std::byte> bytes) {
    const auto full = [this](int why) {
        spool_is_full_ = true;  // an obstacle that only costs time
        return errno_error("cannot write into the spool folder", why);
    };
    if (!file_.is_open()) file_ = Descriptor(::open(folder_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (!file_.is_open()) return full(errno);
    const ssize_t count = ::pwrite(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(written_));
    if (count < 0 || static_cast<std::size_t>(count) < bytes.size()) return full(count < 0 ? errno : ENOSPC);
    written_ += bytes.size();
    return {};
}

// The next piece of what waits; 0: nothing does.
Result<std::size_t> SpoolingSink::take_back() {
    if (!has_waiting()) return 0;
    passing_.resize(static_cast<std::size_t>(std::min<std::uint64_t>(written_ - taken_, kBodyChunkBytes)));
    const ssize_t count = ::pread(file_.get(), passing_.data(), passing_.size(), static_cast<off_t>(taken_));
    if (count <= 0) return errno_error("cannot read from the spool folder", count < 0 ? errno : EIO);
    taken_ += static_cast<std::uint64_t>(count);
    if (!has_waiting()) {
        written_ = taken_ = 0;
        (void)::ftruncate(file_.get(), 0);
    }
    return static_cast<std::size_t>(count);
}

Task<Result<void>> SpoolingSink::finish() {
    while (passing_bytes_ > 0 && !error_ && !co_await is_cancelled()) {
        passed_.clear();
        (void)co_await passed_.wait_until(steady_now() + kWaitStep);
    }
    const bool is_whole = passing_bytes_ == 0 && !has_waiting();
    co_await abandon();
    if (error_) co_return *error_;
    if (!is_whole) co_return fail(Code::cancelled, "cancelled");
    co_return Result<void>{};
}

Task<void> SpoolingSink::abandon() {
    tasks_.cancel();
    co_await tasks_.join();
}

}  // namespace millrace::worker
