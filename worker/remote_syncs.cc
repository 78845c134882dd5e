#include "worker/remote_syncs.h"

namespace millrace::worker {
namespace {
constexpr Duration kCallTimeMax = std::chrono::seconds(30);
}  // namespace

Task<Result<std::string>> RemoteSyncs::sync(TargetId target) {
    Calls& calls = calls_[target];
    if (!calls.next) calls.next = std::make_shared<Round>(control_);
    const std::shared_ptr<Round> round = calls.next;
    while (!round->begun && calls.running) {
        const std::shared_ptr<Round> earlier = calls.running;
        (void)co_await earlier->done.wait_until(steady_now() + kWaitStep);
    }
    if (!round->begun) {
        round->begun = true;
        calls.running = std::exchange(calls.next, nullptr);
        round->result = co_await call_(target);
        calls.running = nullptr;
        round->done.set();
    }
    while (!round->done.is_set()) (void)co_await round->done.wait_until(steady_now() + kWaitStep);
    co_return round->result;
}

Task<Result<std::string>> call_to_sync(http::Client& client, const ClusterView& cluster, TargetId target) {
    MILLRACE_CO_TRY_ASSIGN(const http::Endpoint endpoint, cluster.endpoint(target));
    http::ClientRequest request{.method = "POST", .target = "/v1/worker/sync"};
    request.deadline = steady_now() + kCallTimeMax;
    cluster.prove(request, target);
    MILLRACE_CO_TRY_ASSIGN(const http::Reply reply, co_await http::fetch_ok(client, endpoint, request));
    co_return std::string(reply.headers.find("Millrace-Boot").value_or(""));
}

}  // namespace millrace::worker
