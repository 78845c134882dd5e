#include "core/body_pipe.h"

#include <algorithm>

namespace millrace {

BodyPipe::BodyPipe(Executor executor, Duration patience) : patience_(patience), readable_(executor), consumed_(executor) {}

void BodyPipe::finish() {
    ended_ = true;
    readable_.set();
}

void BodyPipe::fail(Error error) {
    write_error_ = std::move(error);
    finish();
}

void BodyPipe::abandon(Error error) {
    read_error_ = std::move(error);
    offered_ = {};
    consumed_.set();
}

Task<Result<void>> BodyPipe::PipeSink::write(std::span<const std::byte> bytes) {
    if (pipe.read_error_) co_return *pipe.read_error_;
    if (bytes.empty()) co_return Result<void>{};
    pipe.offered_ = bytes;
    pipe.consumed_.clear();
    pipe.readable_.set();
    const bool consumed = co_await pipe.consumed_.wait_until(steady_now() + pipe.patience_);
    pipe.offered_ = {};
    if (pipe.read_error_) co_return *pipe.read_error_;
    if (!consumed) co_return millrace::fail(Code::timed_out, "the receiver did not take the bytes in time");
    co_return Result<void>{};
}

Task<Result<std::size_t>> BodyPipe::PipeSource::read(std::span<std::byte> buffer) {
    if (pipe.offered_.empty() && !pipe.ended_) {
        pipe.readable_.clear();
        // Not set: the task was cancelled.
        if (!co_await pipe.readable_.wait_until(Instant::max())) co_return millrace::fail(Code::cancelled, "nobody reads any more");
    }
    if (pipe.write_error_) co_return *pipe.write_error_;
    const std::size_t count = std::min(buffer.size(), pipe.offered_.size());
    std::ranges::copy(pipe.offered_.first(count), buffer.begin());
    pipe.offered_ = pipe.offered_.subspan(count);
    if (pipe.offered_.empty()) pipe.consumed_.set();
    co_return count;
}

}  // namespace millrace
