// The network of a container or a sandbox, entered from outside: sockets that reach its servers, and ports in it at which this target
// answers. So a container needs no network of its own but the loopback that each namespace has. Any thread.
#pragma once
#include <sys/types.h>

#include <memory>
#include <mutex>
#include <vector>

#include "core/descriptor.h"
#include "core/result.h"
#include "http/message.h"

namespace millrace::runtime {

class NetworkNamespace {
public:
    // That of a living process. Code::permission without the right to enter it (CAP_SYS_ADMIN): such a target cannot run
    // containers that are reached over TCP.
    static Result<std::shared_ptr<NetworkNamespace>> of_process(pid_t pid);
    // A new one with nothing in it but its loopback. Code::unavailable where that is not allowed.
    static Result<std::shared_ptr<NetworkNamespace>> make();

    // A socket in it; see http::OpenSocket. Costs a short-lived thread every now and then.
    int open_socket(int family) const;
    // A socket that listens on its 127.0.0.1.
    Result<Descriptor> listen(std::uint16_t port) const;
    int name() const { return name_.get(); }  // for setns()

private:
    explicit NetworkNamespace(Descriptor name) : name_(std::move(name)) {}
    // Opens up to `count` of them; tells errno of the one that failed.
    int visit(int family, std::size_t count, std::vector<Descriptor>& sockets) const;

    Descriptor name_;
    mutable std::mutex mutex_;        // connections are opened by every lane
    mutable std::vector<Descriptor> spare_;   // opened beforehand, of AF_INET
};

}  // namespace millrace::runtime
