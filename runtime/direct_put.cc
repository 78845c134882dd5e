#include "runtime/direct_put.h"

#include <algorithm>
#include <functional>

#include "core/check.h"
#include "core/ids.h"
#include "core/loop.h"
#include "runtime/object_uname.h"

namespace millrace::runtime {

// Its members belong to the run's executor, but for `taken`.
struct DirectPuts::Expected {
    Expected(Executor run_executor, Sink& to) : executor(std::move(run_executor)), sink(&to), idle(executor) { idle.set(); }

    Executor executor;
    Sink* sink;            // null once the run is over
    bool taken = false;    // guarded by the table's mutex
    std::uint64_t bytes = 0;
    bool begun = false;
    bool whole = false;
    std::optional<Error> failure;
    Event idle;            // no write is under way

    Task<Result<void>> write(std::span<const std::byte> part) {
        if (sink == nullptr) co_return fail(Code::stale_epoch, "the object that this result is for is no longer waited for");
        begun = true;
        idle.clear();
        Result<void> written = co_await sink->write(part);
        idle.set();
        if (written) {
            bytes += part.size();
        } else {
            failure = written.error();
        }
        co_return written;
    }
};

namespace {

constexpr auto kLookAgain = std::chrono::milliseconds(100);  // whether the run was cancelled

// The sink of a run, written to from another executor.
class FarSink final : public Sink {
public:
    using Write = std::function<Task<Result<void>>(std::span<const std::byte>)>;
    FarSink(Executor executor, Write write) : executor_(std::move(executor)), write_(std::move(write)) {}
    Task<Result<void>> write(std::span<const std::byte> bytes) override {
        auto there = [this, bytes] { return write_(bytes); };
        co_return co_await run_on(executor_, std::move(there));
    }

private:
    Executor executor_;
    Write write_;
};

}  // namespace

Task<Result<std::uint64_t>> DirectPuts::deliver(std::string token, Source& body) {
    std::shared_ptr<Expected> expected;
    {
        const std::lock_guard lock(mutex_);
        const auto found = expected_.find(token);
        if (found == expected_.end() || found->second->taken) {
            co_return fail(Code::stale_epoch, "nobody waits for this result: it comes late, or a second time");
        }
        expected = found->second;
        expected->taken = true;
    }
    FarSink sink(expected->executor, [expected](std::span<const std::byte> part) { return expected->write(part); });
    const Result<std::uint64_t> moved = co_await pump(body, sink);
    auto conclude = [expected, moved] {
        expected->begun = true;
        if (expected->sink == nullptr) return false;
        expected->whole = moved.has_value();
        return true;
    };
    const bool in_time = co_await call_on(expected->executor, std::move(conclude));
    if (moved && !in_time) co_return fail(Code::stale_epoch, "the object that this result is for is no longer waited for");
    co_return moved;
}

DirectPut::DirectPut(std::shared_ptr<DirectPuts> table, Executor executor, Sink& sink)
    : table_(std::move(table)), token_(random_id("") + random_id("")), expected_(std::make_shared<DirectPuts::Expected>(executor, sink)) {
    const std::lock_guard lock(table_->mutex_);
    table_->expected_.emplace(token_, expected_);
}

DirectPut::~DirectPut() { MILLRACE_CHECK(expected_->sink == nullptr); }

std::optional<std::uint64_t> DirectPut::delivered() const {
    return expected_->whole ? std::optional(expected_->bytes) : std::nullopt;
}

std::optional<Error> DirectPut::failure() const { return expected_->failure; }
bool DirectPut::has_begun() const { return expected_->begun; }

Task<void> DirectPut::close() {
    {
        const std::lock_guard lock(table_->mutex_);
        table_->expected_.erase(token_);
    }
    while (!expected_->idle.is_set()) {
        if (co_await is_cancelled()) expected_->sink->break_off(fail(Code::cancelled, "the run was cancelled"));
        (void)co_await expected_->idle.wait_until(steady_now() + kLookAgain);
    }
    expected_->sink = nullptr;
}

std::string direct_put_url(const ServerFacts& server, const std::string& destination, const std::string& token) {
    const std::string& target = server.target_url;
    const std::size_t path = std::min(target.find('/', target.find("://") + 3), target.size());
    return target.substr(0, path) + '/' + escape_segment("ais/@#/" + destination) + "?owt=3&uuid=" + token;
}

}  // namespace millrace::runtime
