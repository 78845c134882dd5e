// Other targets asked to make durable what they have taken. A call covers whatever came before it began, so slices that ask while one
// is under way share the next: two calls at most for a target at any time, one of them waiting, however many slices there are.
//
// Control loop only.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "core/ids.h"
#include "core/result.h"
#include "core/task.h"
#include "http/client.h"
#include "worker/cluster_view.h"

namespace millrace::worker {

class RemoteSyncs {
public:
    // Asks a target, within a deadline. The boot id of the process that has synced.
    using Call = std::function<Task<Result<std::string>>(TargetId target)>;

    RemoteSyncs(Executor control, Call call) : control_(std::move(control)), call_(std::move(call)) {}

    Task<Result<std::string>> sync(TargetId target);

private:
    struct Round {
        explicit Round(const Executor& executor) : done(executor) {}
        bool begun = false;
        Event done;
        Result<std::string> result;
    };
    struct Calls {
        std::shared_ptr<Round> running;
        std::shared_ptr<Round> next;
    };

    const Executor control_;
    const Call call_;
    std::map<TargetId, Calls> calls_;  // of targets of the map
};

// Over HTTP. The deadline is 30 s.
Task<Result<std::string>> call_to_sync(http::Client& client, const ClusterView& cluster, TargetId target);

}  // namespace millrace::worker
