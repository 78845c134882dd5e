// A whole cluster on one machine: a proxy and N targets, each a child process of its own, in folders below one.
#pragma once
#include <sys/types.h>

#include <string>
#include <vector>

#include "core/clock.h"
#include "core/loop.h"
#include "core/result.h"
#include "http/client.h"

namespace millrace::app {

class DevCluster {
public:
    struct Node {
        std::string name;    // "proxy", "t1", …
        std::string config;  // its configuration file: `millrace target --config FILE` starts it by hand
        pid_t pid = 0;       // 0: not running
    };

    // Writes the configuration files that are missing. targets 0: as many as the folder has (3 in a new one); another number
    // than the folder has, and a folder in use, is Code::conflict, and nothing in it was touched. port: of the proxy.
    static Result<DevCluster> prepare(const std::string& folder, std::size_t targets, std::uint16_t port);

    // accept_loss: with --accept-loss.
    Result<void> start_all(bool accept_loss);
    Result<void> start(Node& node, bool accept_loss = false);
    // Returns when the proxy answers and every target has joined: the endpoint. Fails when a node ends before, with the end
    // of its log.
    Result<std::string> wait_ready(Duration patience);
    // Takes note of nodes that ended; those that did, with how.
    std::vector<std::pair<Node*, std::string>> reap();
    // SIGTERM to all, SIGKILL after the patience; returns when all are gone.
    void stop(Duration patience);

    const std::vector<Node>& nodes() const { return nodes_; }
    const std::string& folder() const { return folder_; }

private:
    // For this process alone, unless it is in use.
    Result<void> take_folder(std::size_t targets) const;
    // Whether no node of the folder runs, such as one that outlived the process that started it.
    Result<void> check_nodes_rest(std::size_t targets) const;
    std::string log_file(const Node& node) const { return folder_ + "/" + node.name + ".log"; }
    // With the end of the node's log.
    Error failed_start(const Node& node, Code code, const std::string& how) const;
    // Whether it answers, and every target has joined.
    bool is_ready(Loop& loop, http::Client& client, const Node& node) const;

    std::string executable_;   // as it was found at the start: another may take its place meanwhile
    std::string folder_;
    std::vector<Node> nodes_;  // the proxy first
};

}  // namespace millrace::app
