// The control plane as it may behave: messages are lost, doubled, delayed and reordered. Everything passes through the
// real codec.
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "tests/sim/world.h"
#include "wire/codec.h"

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
    // process: that sent it, of those that have had the name.
    using Deliver = std::function<void(const std::string& from, const std::string& process, wire::Message message)>;

    explicit Network(World& world) : world_(world) {}

    void attach(const std::string& node, Deliver deliver) { nodes_[node] = std::move(deliver); }
    void send(const std::string& from, const std::string& to, const wire::Message& message) { send(from, to, message, {}); }
    // An answer to one process: another that has its name meanwhile does not get it.
    void send(const std::string& from, const std::string& to, const wire::Message& message, const std::optional<std::string>& process);
    // From now on this process has the name.
    void enter(const std::string& node, const std::string& process) { processes_[node] = process; }

    // What is under way from and to the node never arrives: another process has its name.
    void cut_connections(const std::string& node) { ++connections_[node]; }

    Weather weather;
    // Nodes that nobody can reach, on either plane.
    std::set<std::string> cut_off;
    bool reaches(const std::string& from, const std::string& to) const {
        return from == to || (!cut_off.contains(from) && !cut_off.contains(to));
    }

private:
    void schedule(const std::string& from, const std::string& to, const std::optional<std::string>& process, std::string bytes);

    World& world_;
    std::map<std::string, Deliver> nodes_;
    std::map<std::string, std::string> processes_;
    std::map<std::string, std::uint64_t> connections_;
};

}  // namespace millrace::sim
