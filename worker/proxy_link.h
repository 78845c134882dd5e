// A target's conversation with its proxy: hello until welcomed, heartbeats, and everything else handed to its handler.
// Finds a proxy again that came back at another address (proxy: file:PATH). Control loop only.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/config.h"
#include "core/loop.h"
#include "http/message.h"
#include "wire/links.h"
#include "worker/target_state.h"

namespace millrace::worker {

class ProxyLink {
public:
    struct Handlers {
        std::function<Task<void>(wire::Directive)> directive;
        std::function<void(const wire::StatusAck&)> status_ack;
        std::function<void(const wire::Catalog&)> catalog;  // newer than the one of the target's state
        std::function<void(const wire::ClusterMap&)> map;
        std::function<void(http::Endpoint)> proxy;          // where it serves HTTP
        std::function<Result<void>()> accepted;             // as a copy; may be called again before joined
        std::function<void()> joined;                       // by a proxy, or by a new process of it
        std::function<void()> lost;                         // the proxy is silent
        std::function<void(std::string reason)> refused;    // by the proxy
        std::function<std::vector<wire::TransformReport>()> transforms;
        std::function<std::vector<wire::CatalogProblem>()> problems;
        std::function<std::uint32_t()> running_slices;
    };

    ProxyLink(Loop& control, const TargetConfig& config, TargetState& state, std::string boot_id, std::string endpoint,
              wire::ConnectToProxy connect_to_proxy, Handlers handlers);
    ~ProxyLink();  // requires stop()

    Result<void> start();
    // Nothing while it is not welcomed: whatever matters is said again.
    void send(const wire::Message& message);
    void report_transforms();
    // A catalog was applied, as far as it could be: the proxy waits to hear of it.
    void report_catalog();
    // Says goodbye.
    Task<void> stop();

private:
    Task<void> run();
    void beat();
    Duration next_pause();
    void follow_address();
    void connect(const std::string& address);
    void say(const wire::Message& message);
    void receive(wire::Message message);
    // Whether it comes from the process that welcomed this target. Another one must hear hello: what it says of its folder's age is not said of
    // the start that is remembered.
    bool is_of_our_proxy(const std::string& boot_id);
    void receive_directive(wire::Directive directive);
    void receive_welcome(const wire::Welcome& welcome);
    void refused(const wire::Welcome& welcome);
    void receive_catalog(const wire::Catalog& catalog);
    Result<std::string> resolve() const;
    static std::string host_of(const std::string& address);

    Loop& control_;
    const TargetConfig& config_;
    TargetState& state_;
    const std::string boot_id_;
    const std::string endpoint_;
    const wire::ConnectToProxy connect_to_proxy_;
    Handlers handlers_;
    std::unique_ptr<wire::LinkToProxy> link_;
    std::string address_;
    TaskGroup tasks_;
    Event beat_now_;
    bool stopping_ = false;
    bool welcomed_ = false;
    std::string refused_;
    std::string proxy_boot_id_;
    Instant last_heard_{};
    Instant connected_at_{};
    Duration hello_pause_;
    bool waits_for_address_ = false;
    std::uint64_t map_version_ = 0;
    std::uint64_t heartbeats_ = 0;
    Instant next_age_flush_{};
};

}  // namespace millrace::worker
