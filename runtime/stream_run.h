// One object through a stream: its bytes out, its result to the sink, and what its end means. Lives on one lane, within the
// task that runs it.
#pragma once
#include <optional>

#include "runtime/stream_connection.h"

namespace millrace::runtime {

class StreamRun {
public:
    StreamRun(StreamConnection& connection, Executor lane, ServerFacts& server, const ObjectRun& object, Source& source, Sink& sink);

    // Requires that waits of this task do not throw when it is cancelled.
    Task<RunResult> run();

private:
    Task<void> feed();
    Task<void> feed_all();
    Task<std::optional<std::string_view>> next_piece();
    Task<void> receive();
    Task<void> drain();
    void check_time();
    Task<RunResult> result();
    void fail_with(Failure failure);
    Failure no_room() const;

    StreamConnection& connection_;
    ServerFacts& server_;
    const ObjectRun& object_;
    Source& source_;
    Sink& sink_;
    const Instant started_ = steady_now();
    const ObjectHead head_;
    const std::shared_ptr<StreamObject> streamed_;
    std::unique_ptr<std::byte[]> piece_;  // of a source that does not lie in memory
    RunStats stats_;
    std::optional<Failure> failure_;
    TaskGroup feeder_;
};

}  // namespace millrace::runtime
