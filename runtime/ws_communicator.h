// Objects over WebSockets, as AIStore's ws:// servers expect it, but with every answer looked at: several objects are on their
// way through one connection, and are answered in the order of their sending.
//
// An object: a message of JSON (etl_args, path; fqn where the server opens the file itself; pipeline where it may deliver by direct
// put), then a message with its bytes. Its answer is one message: binary, the result; or a text, which is an error unless the
// direct put has come. Later stages of a chain are reached by HTTP, whatever the server is.
//
// Lives on one lane.
#pragma once
#include <memory>
#include <vector>

#include "runtime/communicator.h"
#include "runtime/http_communicator.h"
#include "core/waiting_line.h"

namespace millrace::runtime {

struct Passage;
class WsLink;

class WsCommunicator final : public Communicator {
public:
    WsCommunicator(const TransformSpec& spec, const CommunicatorOptions& options, std::shared_ptr<ServerFacts> server);
    ~WsCommunicator() override;

    // The object's time counts from when those before it on its connection are answered.
    Task<RunResult> run(const ObjectRun& object, Source& source, Sink& sink) override;
    Task<void> close() override;

private:
    Task<RunResult> pass(const ObjectRun& object, Source& source, Sink& sink);
    Task<void> find_way(Passage& passage);
    // The one with the fewest objects; null when all are full.
    std::shared_ptr<WsLink> roomiest_link();

    const TransformSpec spec_;
    const CommunicatorOptions options_;
    const std::shared_ptr<ServerFacts> server_;
    const std::size_t objects_max_;  // on one connection
    HttpCommunicator later_stages_;
    std::vector<std::shared_ptr<WsLink>> links_;
    WaitingLine room_;
    TaskGroup readers_;
    std::size_t runs_ = 0;
    Event idle_;  // no run is under way
    bool closed_ = false;
};

}  // namespace millrace::runtime
