#include "runtime/network_namespace.h"

#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <thread>

namespace millrace::runtime {
namespace {
constexpr int kBacklog = 128;

bool raise_loopback() {
    const Descriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq request{};
    std::memcpy(request.ifr_name, "lo", sizeof "lo");
    request.ifr_flags = IFF_UP;
    return socket.is_open() && ::ioctl(socket.get(), SIOCSIFFLAGS, &request) == 0;
}

constexpr std::size_t kSparesMax = 16;
}

Result<std::shared_ptr<NetworkNamespace>> NetworkNamespace::of_process(pid_t pid) {
    const std::string path = "/proc/" + std::to_string(pid) + "/ns/net";
    Descriptor name(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!name.is_open()) return errno_error("cannot open the network of the container, " + path, errno);
    std::shared_ptr<NetworkNamespace> network(new NetworkNamespace(std::move(name)));
    const Descriptor trial(network->open_socket(AF_INET));
    if (!trial.is_open() && errno == EPERM) {
        return fail(Code::permission, "this target may not enter the network of its containers; run it as root (with CAP_SYS_ADMIN), or use a "
                                      "transform with 'communication: stream://' or 'network: host'");
    }
    if (!trial.is_open()) return errno_error("cannot open a socket in the network of the container", errno);
    return network;
}

// Made on a thread that ends there; it lasts as long as its name is open.
Result<std::shared_ptr<NetworkNamespace>> NetworkNamespace::make() {
    Descriptor name;
    int error = EAGAIN;
    try {
        std::thread visitor([&] {
            if (::unshare(CLONE_NEWNET) == 0 && raise_loopback()) name = Descriptor(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
            error = errno;
        });
        visitor.join();
    } catch (const std::system_error&) {
        // The system has no thread to spare.
    }
    if (!name.is_open()) return errno_error("cannot make a network for a sandbox", error);
    return std::shared_ptr<NetworkNamespace>(new NetworkNamespace(std::move(name)));
}

// Servers that close every connection need a socket per object, so one visit brings home several.
int NetworkNamespace::open_socket(int family) const {
    std::scoped_lock lock(mutex_);
    std::vector<Descriptor> other_family;
    std::vector<Descriptor>& sockets = family == AF_INET ? spare_ : other_family;
    if (sockets.empty()) {
        const int error = visit(family, family == AF_INET ? kSparesMax : 1, sockets);
        if (sockets.empty()) {
            errno = error;
            return -1;
        }
    }
    const int socket = sockets.back().release();
    sockets.pop_back();
    return socket;
}

// Only a thread that ends there enters another namespace: one that failed to come back would do harm.
int NetworkNamespace::visit(int family, std::size_t count, std::vector<Descriptor>& sockets) const {
    int error = EAGAIN;
    try {
        std::thread visitor([&] {
            bool is_well = ::setns(name_.get(), CLONE_NEWNET) == 0;
            while (is_well && sockets.size() < count) {
                Descriptor socket(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
                is_well = socket.is_open();
                if (is_well) sockets.push_back(std::move(socket));
            }
            error = errno;
        });
        visitor.join();
    } catch (const std::system_error&) {
        // The system has no thread to spare.
    }
    return error;
}

Result<Descriptor> NetworkNamespace::listen(std::uint16_t port) const {
    Descriptor socket(open_socket(AF_INET));
    if (!socket.is_open()) return errno_error("cannot open a socket in the network of the container", errno);
    const int on = 1;
    ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 || ::listen(socket.get(), kBacklog) != 0) {
        return errno_error("cannot listen on port " + std::to_string(port) + " in the network of the container", errno);
    }
    return socket;
}

}  // namespace millrace::runtime
