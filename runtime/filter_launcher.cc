#include "runtime/filter_launcher.h"

#include <utility>

#include "core/log.h"

namespace millrace::runtime {
namespace {
constexpr int kFailuresMax = 5;
}  // namespace

Task<Result<Child>> FilterLauncher::launch(const SpawnRequest& request, const RunFolders& folders) {
    // In a folder of another user neither the loaded program nor a fork of it could work.
    if (forking_.wanted && &folders == &forked_) {
        const std::shared_ptr<ForkServer> server = co_await loaded(request);
        auto child = server ? co_await server->fork(request) : std::nullopt;
        if (child) {
            failures_ = 0;
            ++forks_;
            co_return *std::move(child);
        }
        if (server && !server->is_usable()) note_failure("it died before main");
    }
    co_return spawn(request);
}

// nullptr: there is none, or somebody else loads it right now.
Task<std::shared_ptr<ForkServer>> FilterLauncher::loaded(const SpawnRequest& request) {
    if (server_ && server_->is_usable() && !server_->is_outdated()) co_return server_;
    if (loading_) co_return nullptr;
    server_.reset();
    loading_ = true;
    auto started = co_await ForkServer::start(request, forking_.library, processes_.children, executor_);
    loading_ = false;
    if (started.has_value()) {
        server_ = std::move(*started);
    } else {
        note_failure(started.error().context);
    }
    co_return server_;
}

void FilterLauncher::note_failure(std::string why) {
    last_failure_ = std::move(why);
    if (++failures_ < kFailuresMax || processes_.children.is_closed() || !forking_.wanted.exchange(false)) return;
    log::warn("filter cannot be forked any more and is spawned", {{"transform", forking_.transform}, {"reason", last_failure_}});
}

}  // namespace millrace::runtime
