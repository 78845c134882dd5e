// One connection to a transform that speaks runtime/STREAM.md: many objects in flight, written and read in batches.
//
// Runs hand it the bytes of their objects and find the answers in their StreamObject. It knows which object is the oldest
// unanswered one, whose time counts; a transform takes objects up in the order in which they became whole.
// One executor (one lane) only.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "core/waiting_line.h"
#include "http/connection.h"
#include "runtime/instance.h"
#include "runtime/server_facts.h"
#include "runtime/stream_frames.h"

namespace millrace::runtime {

inline constexpr std::size_t kStreamPieceBytes = 256 * 1024;  // what one frame to the transform carries at most

// One object from its begin() to its end. Shared by its run and the connection, which waits for its end though nobody wants it.
struct StreamObject {
    // none: its answer is still to come. lost: the connection ended before it.
    enum class End { none, result, failed, lost, timed_out };

    StreamObject(const Executor& lane, Duration time) : allowed(time), changed(lane) {}

    std::uint64_t id = 0;          // 0: not begun
    Duration allowed;              // while it is the oldest unanswered object and nothing of its answer comes
    Duration answered_for{};       // for how long its answer has been coming: at most ten times that
    std::uint64_t held_bytes = 0;  // that it counts for while it is unanswered
    bool is_whole = false;         // all of it was sent, or an abort instead of the rest
    bool is_abandoned = false;     // nobody wants its answer
    std::string arrived;           // of the result, not yet taken by the run
    End end = End::none;
    std::string text;              // of failed and lost
    bool may_retry = false;        // failed
    Event changed;                 // bytes worth taking arrived, or the end came
};

// Connects and exchanges greetings. Code::unavailable when nobody listens, or what listens speaks something else.
Task<Result<std::unique_ptr<http::Connection>>> open_stream(const ServerFacts& server, Instant deadline);

class StreamConnection {
public:
    // socket: from open_stream(). objects_max: that are unanswered at once.
    StreamConnection(Executor lane, std::unique_ptr<http::Connection> socket, std::uint32_t objects_max);

    // Whether an object of so many bytes may begin now; one of any size may where nothing else is in flight.
    bool has_room(std::uint64_t bytes) const { return is_open_ && room_.size() == 0 && fits(bytes); }
    // Waits for that, each in its turn. False when the deadline passed, the task was cancelled or the connection ended.
    Task<bool> wait_room(std::uint64_t bytes, Instant deadline);
    // Requires room.
    void begin(const std::shared_ptr<StreamObject>& object, const ObjectHead& head, std::string_view data, bool is_last);
    void send_more(StreamObject& object, std::string_view data, bool is_last);
    // Waits until the transform reads what was sent. False as with wait_room().
    Task<bool> wait_written(Instant deadline);
    // The run took what had arrived.
    void taken() { taken_.set(); }
    // The run ends before its object: the rest is not sent, the answer is not kept.
    void abandon(StreamObject& object);

    // Ends it; every unanswered object is lost for this reason.
    void cut(const std::string& why);
    // The same, and returns when its tasks have ended. Required before destruction.
    Task<void> close();

    bool is_open() const { return is_open_; }
    // Everything was handed to the operating system: the transform is not what a run waits for.
    bool is_written() const { return out_.empty() && writing_.empty(); }
    // An object whose time is watched here.
    bool has_whole_object() const { return oldest() != nullptr; }
    Instant last_answer() const { return last_answer_; }

private:
    bool fits(std::uint64_t bytes) const;
    StreamObject* oldest() const;
    void became_whole(StreamObject& object);
    Task<void> write();
    Task<void> read();
    Task<bool> deliver_all(std::string_view& bytes);
    void note_progress(StreamObject& object);
    Task<void> wait_taken(std::shared_ptr<StreamObject> object);
    void finish(std::size_t index, const AnswerFrame& frame);
    Task<void> watch();

    Executor lane_;
    const std::unique_ptr<http::Connection> socket_;
    const std::size_t objects_max_;
    bool is_open_ = true;
    std::uint64_t next_id_ = 1;
    // In the order in which they became whole; those that are not, behind or between them.
    std::vector<std::shared_ptr<StreamObject>> unanswered_;
    std::uint64_t held_bytes_ = 0;  // of unanswered_
    WaitingLine room_;
    std::string out_;       // frames for the next write
    std::string writing_;   // of the write that is on
    Event out_ready_;
    Event written_;
    Event taken_;
    bool is_paused_ = false;    // a sink is slow: that time is nobody's
    Instant last_answer_;
    Instant oldest_since_;      // since when the oldest whole object is that
    Instant watched_for_;       // when watch() looks again
    Event watch_changed_;
    TaskGroup tasks_;
};

}  // namespace millrace::runtime
