#include "runtime/server_factory.h"

#include "runtime/child_server.h"
#include "runtime/container_server.h"

namespace millrace::runtime {

ServerFactory server_factory(const TransformSpec& spec, const InstanceEnvironment& environment, std::shared_ptr<ServerLog> log,
                             const std::string& secret) {
    const std::string path = "/v1/etl/_object/" + spec.name + "/" + secret;
    return [&spec, &environment, log, path]() -> std::shared_ptr<Server> {
        if (spec.kind == Kind::oci) return std::make_shared<ContainerServer>(spec, environment, log, path);
        return std::make_shared<ChildServer>(spec, environment, log, path);
    };
}

}  // namespace millrace::runtime
