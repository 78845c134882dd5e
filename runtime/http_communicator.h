// Objects over HTTP, as AIStore's servers expect it: hpush, a PUT with the object (or the path of its file), and hpull, a GET upon
// which the server asks this target for the object. The result comes in the reply, or by direct put.
//
// Lives on one lane.
#pragma once
#include "http/client.h"
#include "runtime/communicator.h"

namespace millrace::runtime {

class HttpCommunicator final : public Communicator {
public:
    HttpCommunicator(const TransformSpec& spec, const CommunicatorOptions& options, std::shared_ptr<ServerFacts> server);

    Task<RunResult> run(const ObjectRun& object, Source& source, Sink& sink) override;
    Task<void> close() override;

private:
    const TransformSpec spec_;
    const CommunicatorOptions options_;
    const std::shared_ptr<ServerFacts> server_;
    http::Client client_;
};

}  // namespace millrace::runtime
