#include "runtime/stream_run.h"

#include <algorithm>
#include <boost/asio/this_coro.hpp>

#include "runtime/outcome.h"
#include "runtime/tail.h"

namespace millrace::runtime {
namespace asio = boost::asio;
namespace {

constexpr Duration kCancelledPause = std::chrono::milliseconds(100);

using End = StreamObject::End;

}  // namespace

StreamRun::StreamRun(StreamConnection& connection, Executor lane, ServerFacts& server, const ObjectRun& object, Source& source, Sink& sink)
    : connection_(connection), server_(server), object_(object), source_(source), sink_(sink),
      head_{object.bucket, object.name, object.args, source.size().value_or(kSizeUnknown)},
      streamed_(std::make_shared<StreamObject>(lane, std::max(object.allowed(), Duration::zero()))), feeder_(lane) {}

Task<RunResult> StreamRun::run() {
    if (const auto checked = check_object_head(head_); !checked.has_value()) {
        co_return std::unexpected(transform_failure(checked.error().code, checked.error().context));
    }
    const auto whole = source_.whole();
    if (whole && whole->size() <= kStreamPieceBytes) {
        if (!connection_.has_room(whole->size()) && !co_await connection_.wait_room(whole->size(), object_.due())) {
            const auto state = co_await asio::this_coro::cancellation_state;
            if (state.cancelled() == asio::cancellation_type::none) co_return std::unexpected(no_room());
            co_return std::unexpected(transform_failure(Code::cancelled, "the run was cancelled"));
        }
        connection_.begin(streamed_, head_, *whole, true);
        stats_.bytes_in = whole->size();
    } else {
        feeder_.spawn(feed());  // at the same time, as a transform may answer before it has read everything
    }
    co_await receive();
    if (feeder_.size() > 0) {
        feeder_.cancel();
        co_await feeder_.join();
    }
    connection_.abandon(*streamed_);
    co_return co_await result();
}

Task<void> StreamRun::feed() {
    co_await asio::this_coro::throw_if_cancelled(false);
    co_await feed_all();
    streamed_->changed.set();
}

Task<void> StreamRun::feed_all() {
    auto piece = co_await next_piece();
    if (!piece) co_return;
    bool is_last = stats_.bytes_in == source_.size() || piece->empty();
    const std::uint64_t bytes = source_.size().value_or(piece->size());
    if (!connection_.has_room(bytes) && !co_await connection_.wait_room(bytes, object_.due())) {
        fail_with(no_room());
        co_return;
    }
    if (failure_) co_return;
    connection_.begin(streamed_, head_, *piece, is_last);
    while (!is_last && streamed_->end == End::none && !failure_) {
        piece = co_await next_piece();
        if (!piece) co_return;
        is_last = stats_.bytes_in == source_.size() || piece->empty();
        while (!co_await connection_.wait_written(steady_now() + kCancelledPause)) {
            const auto state = co_await asio::this_coro::cancellation_state;
            if (!connection_.is_open() || state.cancelled() != asio::cancellation_type::none) co_return;
        }
        connection_.send_more(*streamed_, *piece, is_last);
    }
}

// Empty at the end, none when the source failed.
Task<std::optional<std::string_view>> StreamRun::next_piece() {
    if (const auto whole = source_.whole()) {
        const std::string_view piece = whole->substr(stats_.bytes_in, kStreamPieceBytes);
        stats_.bytes_in += piece.size();
        co_return piece;
    }
    if (!piece_) piece_ = std::make_unique_for_overwrite<std::byte[]>(kStreamPieceBytes);
    std::size_t filled = 0;
    while (filled < kStreamPieceBytes && stats_.bytes_in < source_.size().value_or(kSizeUnknown)) {
        const std::span<std::byte> room(piece_.get() + filled, kStreamPieceBytes - filled);
        const auto count = co_await source_.read(room);
        if (!count.has_value()) {
            fail_with(source_failure(count.error()));
            co_return std::nullopt;
        }
        if (*count == 0 && source_.size()) {
            fail_with(source_failure(fail(Code::incomplete_body, "the source ended after " + std::to_string(stats_.bytes_in) + " of " +
                                                                     std::to_string(*source_.size()) + " bytes")));
            co_return std::nullopt;
        }
        if (failure_ || streamed_->end != End::none) co_return std::nullopt;  // the rest is not needed
        if (*count == 0) break;
        filled += *count;
        stats_.bytes_in += *count;
        if (object_.clock != nullptr) streamed_->allowed = object_.allowed();  // it grows with what was taken
    }
    co_return std::string_view(reinterpret_cast<const char*>(piece_.get()), filled);
}

Task<void> StreamRun::receive() {
    while (!failure_) {
        if (!streamed_->arrived.empty()) {
            co_await drain();
        } else if (streamed_->end != End::none) {
            break;
        } else {
            streamed_->changed.clear();
            // The time of a whole object is watched by the connection.
            (void)co_await streamed_->changed.wait_until(streamed_->is_whole ? Instant::max() : steady_now() + kCancelledPause);
            check_time();
        }
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none) fail_with(transform_failure(Code::cancelled, "the run was cancelled"));
    }
}

Task<void> StreamRun::drain() {
    const std::string bytes = std::exchange(streamed_->arrived, {});
    connection_.taken();
    const auto written = co_await sink_.write(as_bytes(bytes));
    if (!written.has_value()) fail_with(sink_failure(written.error()));
    stats_.bytes_out += bytes.size();
}

// Of an object that is being sent. While others are answered the transform is busy with those.
void StreamRun::check_time() {
    if (streamed_->is_whole || streamed_->end != End::none || failure_) return;
    const Instant now = steady_now();
    if (now < std::max(started_, connection_.last_answer()) + streamed_->allowed) return;
    if (!connection_.is_open()) {
        fail_with(no_room());
    } else if (connection_.is_written()) {  // the source is slow
        fail_with(timed_out_failure(object_, started_));
    } else if (!connection_.has_whole_object()) {  // the transform does not read
        fail_with(timed_out_failure(object_, started_));
        connection_.cut("the connection was cut before its answer, as the transform did not read");
    }
}

Task<RunResult> StreamRun::result() {
    if (failure_) co_return std::unexpected(*std::move(failure_));
    switch (streamed_->end) {
        case End::timed_out: co_return std::unexpected(timed_out_failure(object_, started_));
        case End::failed: {
            const Code code = streamed_->may_retry ? Code::transient : Code::rejected;
            co_return std::unexpected(transform_failure(code, one_line(streamed_->text.empty() ? "failed without a reason" : streamed_->text)));
        }
        case End::none:
        case End::lost: {
            const auto death = co_await server_.wait_death(kDeathNewsMax);
            co_return std::unexpected(transform_failure(Code::crashed, death ? *death : streamed_->text));
        }
        case End::result: break;
    }
    ++server_.served;
    co_return stats_;
}

void StreamRun::fail_with(Failure failure) {
    if (!failure_) failure_ = std::move(failure);
    streamed_->changed.set();
}

// It was not tried.
Failure StreamRun::no_room() const {
    if (!connection_.is_open()) return transform_failure(Code::unavailable, "the connection to the transform ended before the object's turn");
    return transform_failure(Code::overloaded, "the transform was busy with other objects for all of its time");
}

}  // namespace millrace::runtime
