#include "runtime/stream_connection.h"

#include <algorithm>
#include <array>
#include <boost/asio/this_coro.hpp>
#include <cstring>

namespace millrace::runtime {
namespace {

constexpr std::uint64_t kHeldBytesMax = 8 << 20;
constexpr std::size_t kOutBytesMax = 8 << 20;
constexpr std::size_t kOutBytesLow = 1 << 20;        // below it, large objects send on
constexpr std::size_t kArrivedBytesMax = 1 << 20;    // of one object, until its run takes them
constexpr std::size_t kArrivedBytesWake = 256 << 10;
constexpr std::size_t kReadBytes = kFrameHeaderBytes + kFramePayloadBytesMax;
constexpr Duration kConnectTimeMax = std::chrono::seconds(5);
constexpr int kAnsweringTimes = 10;

}  // namespace

Task<Result<std::unique_ptr<http::Connection>>> open_stream(const ServerFacts& server, Instant deadline) {
    const Instant until = std::min(deadline, steady_now() + kConnectTimeMax);
    MILLRACE_CO_TRY_ASSIGN(auto socket, co_await http::connect_to(server.endpoint, kConnectTimeMax, until, server.open_socket));
    socket->set_deadline(http::Side::read, until);
    socket->set_deadline(http::Side::write, until);
    const std::string what = "the greeting on " + server.endpoint.text();
    const std::array<std::span<const std::byte>, 1> ours{as_bytes(kStreamGreetingToTransform)};
    const auto [write_failure, written] = co_await socket->write_some(ours);
    if (write_failure) co_return socket->error(what, write_failure);
    std::array<std::byte, kStreamGreetingFromTransform.size()> theirs;
    for (std::size_t count = 0; count < theirs.size();) {
        const std::span<std::byte> room = std::span(theirs).subspan(count);
        const auto [failure, more] = co_await socket->read_some(room);
        if (failure == boost::asio::error::eof) co_return fail(Code::unavailable, what + ": the connection was closed before it came");
        if (failure) co_return socket->error(what, failure);
        count += more;
        if (std::memcmp(theirs.data(), kStreamGreetingFromTransform.data(), count) != 0) {
            co_return fail(Code::unavailable, what + ": what listens there does not speak version 1 of the stream protocol");
        }
    }
    if (written != kStreamGreetingToTransform.size()) co_return fail(Code::unavailable, what + ": it was not taken");
    socket->set_deadline(http::Side::read, Instant::max());
    socket->set_deadline(http::Side::write, Instant::max());
    co_return std::move(socket);
}

StreamConnection::StreamConnection(Executor lane, std::unique_ptr<http::Connection> socket, std::uint32_t objects_max)
    : lane_(lane), socket_(std::move(socket)), objects_max_(objects_max), room_(lane), out_ready_(lane), written_(lane), taken_(lane),
      last_answer_(steady_now()), oldest_since_(last_answer_), watched_for_(Instant::max()), watch_changed_(lane), tasks_(lane) {
    tasks_.spawn(write());
    tasks_.spawn(read());
    tasks_.spawn(watch());
}

bool StreamConnection::fits(std::uint64_t bytes) const {
    if (out_.size() >= kOutBytesMax || unanswered_.size() >= objects_max_) return false;
    return unanswered_.empty() || (held_bytes_ < kHeldBytesMax && bytes <= kHeldBytesMax - held_bytes_);
}

Task<bool> StreamConnection::wait_room(std::uint64_t bytes, Instant deadline) {
    auto has_room = [this, bytes] { return !is_open_ || fits(bytes); };
    const bool has_come = co_await room_.wait(has_room, deadline);
    co_return has_come && is_open_;
}

void StreamConnection::begin(const std::shared_ptr<StreamObject>& object, const ObjectHead& head, std::string_view data, bool is_last) {
    object->id = next_id_++;
    object->held_bytes = head.size == kSizeUnknown ? data.size() : head.size;
    held_bytes_ += object->held_bytes;
    append_object(out_, object->id, head, data, is_last);
    unanswered_.push_back(object);
    if (is_last) became_whole(*object);
    out_ready_.set();
}

void StreamConnection::send_more(StreamObject& object, std::string_view data, bool is_last) {
    if (object.end != StreamObject::End::none) return;
    append_data(out_, object.id, data, is_last);
    if (is_last) {
        const auto self = std::ranges::find(unanswered_, object.id, &StreamObject::id);
        std::rotate(self, self + 1, unanswered_.end());
        became_whole(object);
    }
    out_ready_.set();
}

void StreamConnection::became_whole(StreamObject& object) {
    object.is_whole = true;
    if (oldest() == &object) oldest_since_ = steady_now();
    if (oldest_since_ + object.allowed < watched_for_) watch_changed_.set();
}

StreamObject* StreamConnection::oldest() const {
    for (const auto& object : unanswered_) {
        if (object->is_whole) return object.get();
    }
    return nullptr;
}

Task<bool> StreamConnection::wait_written(Instant deadline) {
    while (is_open_ && out_.size() >= kOutBytesLow && steady_now() < deadline) {
        written_.clear();
        (void)co_await written_.wait_until(deadline);
        const auto state = co_await boost::asio::this_coro::cancellation_state;
        if (state.cancelled() != boost::asio::cancellation_type::none) co_return false;
    }
    co_return is_open_ && out_.size() < kOutBytesLow;
}

void StreamConnection::abandon(StreamObject& object) {
    object.is_abandoned = true;
    object.arrived = {};
    taken_.set();
    if (object.id == 0 || object.is_whole || !is_open_) return;
    append_abort(out_, object.id);
    out_ready_.set();
    if (object.end == StreamObject::End::none) {
        const auto self = std::ranges::find(unanswered_, object.id, &StreamObject::id);
        std::rotate(self, self + 1, unanswered_.end());
        became_whole(object);
    }
}

void StreamConnection::cut(const std::string& why) {
    if (!is_open_) return;
    is_open_ = false;
    socket_->cut();
    for (const auto& object : unanswered_) {
        if (object->end == StreamObject::End::none) {
            object->end = StreamObject::End::lost;
            object->text = why;
        }
        object->changed.set();
    }
    unanswered_.clear();
    room_.look_again();
    for (Event* event : {&out_ready_, &written_, &taken_, &watch_changed_}) event->set();
}

Task<void> StreamConnection::close() {
    cut("the connection was closed before its answer");
    co_await tasks_.join();
}

Task<void> StreamConnection::write() {
    while (is_open_) {
        if (out_.empty()) {
            out_ready_.clear();
            (void)co_await out_ready_.wait_until(Instant::max());
            continue;
        }
        std::swap(out_, writing_);
        std::span<const std::byte> rest = as_bytes(writing_);
        while (!rest.empty() && is_open_) {
            const std::array<std::span<const std::byte>, 1> parts{rest};
            const auto [failure, count] = co_await socket_->write_some(parts);
            if (failure) co_return;  // read() sees it too, behind the answers that came before
            rest = rest.subspan(count);
        }
        writing_.clear();
        written_.set();
        room_.look_again();
    }
}

Task<void> StreamConnection::read() {
    const auto buffer = std::make_unique_for_overwrite<std::byte[]>(kReadBytes);
    std::size_t filled = 0;
    while (is_open_) {
        const std::span<std::byte> room(buffer.get() + filled, kReadBytes - filled);
        const auto [failure, count] = co_await socket_->read_some(room);
        if (failure) break;
        filled += count;
        std::string_view rest(reinterpret_cast<const char*>(buffer.get()), filled);
        if (!co_await deliver_all(rest)) co_return;
        std::memmove(buffer.get(), rest.data(), rest.size());
        filled = rest.size();
    }
    cut("the connection was closed before its answer");
}

// False when the connection has ended.
Task<bool> StreamConnection::deliver_all(std::string_view& bytes) {
    for (;;) {
        const auto taken = take_answer(bytes);
        if (!taken.has_value() || (*taken && ((*taken)->id == 0 || (*taken)->id >= next_id_))) {
            cut("the transform broke the stream protocol: " +
                (taken.has_value() ? "it answered object " + std::to_string((*taken)->id) + ", which it never got" : taken.error().context));
            co_return false;
        }
        if (!*taken) co_return true;
        const AnswerFrame& frame = **taken;
        last_answer_ = steady_now();
        const auto self = std::ranges::find(unanswered_, frame.id, &StreamObject::id);
        if (self == unanswered_.end()) continue;  // it has ended already
        const std::shared_ptr<StreamObject> object = *self;
        note_progress(*object);
        if (!object->is_abandoned && frame.type == FrameType::result) object->arrived.append(frame.payload);
        if (frame.is_last) {
            finish(static_cast<std::size_t>(self - unanswered_.begin()), frame);
        } else {
            if (object->arrived.size() >= kArrivedBytesWake) object->changed.set();
            if (object->arrived.size() >= kArrivedBytesMax) co_await wait_taken(object);
            if (!is_open_) co_return false;
        }
    }
}

void StreamConnection::note_progress(StreamObject& object) {
    if (oldest() != &object || object.answered_for >= kAnsweringTimes * object.allowed) return;
    object.answered_for += last_answer_ - oldest_since_;
    oldest_since_ = last_answer_;
}

// What does not fit stays in the socket, and the transform waits with it.
Task<void> StreamConnection::wait_taken(std::shared_ptr<StreamObject> object) {
    is_paused_ = true;
    while (is_open_ && object->arrived.size() >= kArrivedBytesMax) {
        taken_.clear();
        (void)co_await taken_.wait_until(Instant::max());
    }
    is_paused_ = false;
    last_answer_ = oldest_since_ = steady_now();
}

void StreamConnection::finish(std::size_t index, const AnswerFrame& frame) {
    const std::shared_ptr<StreamObject> object = unanswered_[index];
    if (object.get() == oldest()) oldest_since_ = last_answer_;
    unanswered_.erase(unanswered_.begin() + static_cast<std::ptrdiff_t>(index));
    held_bytes_ -= object->held_bytes;
    object->end = frame.type == FrameType::result ? StreamObject::End::result : StreamObject::End::failed;
    if (frame.type == FrameType::fail) object->text = frame.payload.substr(0, 4096);
    object->may_retry = frame.may_retry;
    object->changed.set();
    room_.look_again();
}

// When the oldest object's time is up, it is the one that hangs. What the others do is not known: they are lost.
Task<void> StreamConnection::watch() {
    while (is_open_) {
        StreamObject* const first = oldest();
        const bool counts = first != nullptr && !is_paused_;
        watched_for_ = counts ? oldest_since_ + first->allowed : steady_now() + std::chrono::hours(1);
        if (first != nullptr && is_paused_) watched_for_ = steady_now() + first->allowed;
        if (counts && steady_now() >= watched_for_) {
            first->end = StreamObject::End::timed_out;
            cut("the connection was cut before its answer, as the time of an earlier object was up");
            co_return;
        }
        watch_changed_.clear();
        (void)co_await watch_changed_.wait_until(watched_for_);
    }
}

}  // namespace millrace::runtime
