// Results that a server delivers by a PUT of its own, to an address it was given with the object, instead of in its reply.
//
// Every object gets a token of its own, which names the one run that may receive the result: a put that comes late, twice or
// for nobody is refused. The bytes go to the same sink that a reply would go to.
#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "core/body.h"
#include "core/task.h"
#include "runtime/server_facts.h"

namespace millrace::runtime {

// The results that are waited for on this target. Any thread.
class DirectPuts {
public:
    // Hands the body to the run that waits under this token; returns when it has all of it. Code::stale_epoch when nobody waits
    // any more, or another put came first.
    Task<Result<std::uint64_t>> deliver(std::string token, Source& body);

private:
    friend class DirectPut;
    struct Expected;
    std::mutex mutex_;
    std::map<std::string, std::shared_ptr<Expected>> expected_;  // guarded by mutex_
};

// The expectation of one run. Lives on the run's executor.
class DirectPut {
public:
    DirectPut(std::shared_ptr<DirectPuts> table, Executor executor, Sink& sink);
    ~DirectPut();  // requires close()

    const std::string& token() const { return token_; }
    // The bytes that were delivered, once all of them have come.
    std::optional<std::uint64_t> delivered() const;
    // Why the sink took no more; the server was told.
    std::optional<Error> failure() const;
    bool has_begun() const;
    // From its return on nothing is delivered, and the sink is not touched.
    Task<void> close();

private:
    std::shared_ptr<DirectPuts> table_;
    const std::string token_;
    std::shared_ptr<DirectPuts::Expected> expected_;
};

// The address for the result: of this target as the server sees it, with the destination's name ("bucket/name") and the token.
// A server takes its host and path, and puts the path of AIS_TARGET_URL in front.
std::string direct_put_url(const ServerFacts& server, const std::string& destination, const std::string& token);

}  // namespace millrace::runtime
