// The control plane as it may behave: messages are lost, doubled, delayed and reordered. Everything passes through the real codec.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "tests/sim/world.h"
#include "wire/links.h"

namespace millrace::sim {

struct Weather {
    std::uint32_t lost_permille = 0;
    std::uint32_t doubled_permille = 0;
    std::uint32_t late_permille = 0;
    std::uint64_t delay_ms_max = 5;
    std::uint64_t late_ms_max = 3000;
};

class Network {
public:
    explicit Network(World& world) : world_(world) {}

    // The link of the proxy's process, or of a target's; its end, or cut(), ends what it hears and what is heard of it. sends: told of
    // each message before it goes.
    using Sends = std::function<void(const wire::Message& message)>;
    std::unique_ptr<wire::LinkToTargets> listen(wire::LinkToTargets::Receive receive, Sends sends);
    std::unique_ptr<wire::LinkToProxy> connect(const std::string& route, wire::LinkToProxy::Receive receive, Sends sends);
    void cut_proxy() { proxy_ = {}; }
    void cut(const std::string& route) { targets_.erase(route); }
    // What is under way from and to the node never arrives, though it had been sent: the folder of its process was another one.
    void lose_what_is_under_way(const std::string& node) { ++connections_[node]; }

    Weather weather;
    // Targets that nobody can reach, on either plane.
    std::set<std::string> cut_off;
    bool reaches(const std::string& from, const std::string& to) const {
        return from == to || (!cut_off.contains(from) && !cut_off.contains(to));
    }

private:
    class ProxyEnd;
    class TargetEnd;
    void send(const std::string& from, const std::string& to, const wire::Message& message, const std::function<void(wire::Message)>& deliver);

    World& world_;
    std::uint64_t links_ = 0;
    struct ProxyLink {
        std::uint64_t number = 0;
        wire::LinkToTargets::Receive receive;
    };
    struct TargetLink {
        std::uint64_t number = 0;
        wire::LinkToProxy::Receive receive;
    };
    ProxyLink proxy_;
    std::map<std::string, TargetLink> targets_;  // by route
    std::map<std::string, std::uint64_t> connections_;
};

}  // namespace millrace::sim
