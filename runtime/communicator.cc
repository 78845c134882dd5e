#include "runtime/communicator.h"

#include "runtime/http_communicator.h"
#include "runtime/stream_communicator.h"
#include "runtime/ws_communicator.h"

namespace millrace::runtime {

std::shared_ptr<Communicator> make_communicator(const TransformSpec& spec, const CommunicatorOptions& options,
                                                std::shared_ptr<ServerFacts> server) {
    if (spec.communication == spec::Communication::stream) return std::make_shared<StreamCommunicator>(spec, options, std::move(server));
    if (spec.communication == spec::Communication::ws) return std::make_shared<WsCommunicator>(spec, options, std::move(server));
    return std::make_shared<HttpCommunicator>(spec, options, std::move(server));
}

}  // namespace millrace::runtime
