// Objects over a stream, many in flight on one connection: runtime/STREAM.md. The connection is made when first needed, and
// again after it was lost while the server lives.
//
// Lives on one lane.
#pragma once
#include "runtime/communicator.h"
#include "runtime/stream_connection.h"

namespace millrace::runtime {

class StreamCommunicator final : public Communicator {
public:
    StreamCommunicator(const TransformSpec& spec, const CommunicatorOptions& options, std::shared_ptr<ServerFacts> server);

    Task<RunResult> run(const ObjectRun& object, Source& source, Sink& sink) override;
    Task<void> close() override;

private:
    Task<RunResult> run_to_end(const ObjectRun& object, Source& source, Sink& sink);
    bool is_connected() const { return connection_ && connection_->is_open(); }
    Task<void> wait_connected(Instant deadline);
    Task<void> connect();

    const Executor lane_;
    const std::uint32_t objects_max_;
    const std::shared_ptr<ServerFacts> server_;
    std::shared_ptr<StreamConnection> connection_;  // null before the first
    bool is_connecting_ = false;
    bool is_closed_ = false;
    Error refusal_;     // why the last connect failed
    Event tried_;       // a connect has ended
    TaskGroup tasks_;
};

// Objects that the connection of one lane carries at a time.
std::uint32_t stream_objects_max(const TransformSpec& spec);

}  // namespace millrace::runtime
