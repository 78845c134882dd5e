#include "runtime/server.h"

#include <algorithm>

#include "core/units.h"
#include "runtime/readiness.h"

namespace millrace::runtime {
namespace {
constexpr Duration kProbePauseMin = std::chrono::milliseconds(20);
constexpr Duration kProbePauseMax = std::chrono::milliseconds(250);
constexpr Duration kProbeTimeMax = std::chrono::seconds(5);
}  // namespace

Server::Server(const TransformSpec& spec, Executor control, std::shared_ptr<ServerLog> log)
    : spec_(spec), control_(control), exited_(control), changed_(control), tasks_(control), log_(std::move(log)), last_words_(4096) {}

Task<Result<void>> Server::start(ServerPlace place) {
    MILLRACE_CO_TRY(co_await launch(place));
    co_return co_await wait_ready();
}

Task<void> Server::wait_exit() {
    while (!changed_.is_set()) (void)co_await changed_.wait_until(steady_now() + std::chrono::hours(1));
}

Task<Result<void>> Server::wait_ready() {
    const Instant deadline = steady_now() + spec_.init_timeout_ms;
    for (Duration pause = kProbePauseMin;; pause = std::min(2 * pause, kProbePauseMax)) {
        const Result<void> probed = co_await probe_server(spec_, *facts_, std::min(deadline, steady_now() + kProbeTimeMax));
        if (!probed.has_value()) (void)co_await changed_.wait_until(std::min(deadline, steady_now() + pause));
        if (has_exited()) co_return fail(Code::unavailable, "it ended before it was ready: " + *facts_->death());
        if (stop_asked_) co_return fail(Code::cancelled, "stopped");
        if (probed.has_value()) co_return Result<void>{};
        if (steady_now() >= deadline) co_return not_ready(probed.error());
    }
}

Error Server::not_ready(const Error& last) const {
    std::string text = "not ready within " + duration_text(spec_.init_timeout_ms) + " (" + last.context + ")";
    const std::string words = last_words_.last_line();
    if (!words.empty()) text += "; its last output: " + words;
    return {Code::timed_out, std::move(text)};
}

void Server::keep_log(std::string_view bytes) {
    last_words_.append(bytes);
    log_->append(bytes);
}

std::string Server::with_last_words(std::string how) const {
    const std::string words = last_words_.last_line();
    return words.empty() ? how : std::move(how) + ": " + words;
}

void Server::died(std::string how, bool in_order) {
    facts_->set_death(with_last_words(std::move(how)), in_order);
    exited_.set();
    changed_.set();
}

void Server::ask_to_stop() {
    stop_asked_ = true;
    changed_.set();
}

}  // namespace millrace::runtime
