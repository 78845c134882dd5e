#include "runtime/stream_communicator.h"

#include <boost/asio/this_coro.hpp>

#include "runtime/outcome.h"
#include "runtime/stream_run.h"

namespace millrace::runtime {
namespace asio = boost::asio;
namespace {
constexpr std::uint32_t kObjectsMax = 64;
constexpr Duration kOpenTimeMax = std::chrono::seconds(5);
}  // namespace

std::uint32_t stream_objects_max(const TransformSpec& spec) {
    return spec.batch_objects_max == 0 ? kObjectsMax : spec.batch_objects_max;
}

StreamCommunicator::StreamCommunicator(const TransformSpec& spec, const CommunicatorOptions& options, std::shared_ptr<ServerFacts> server)
    : lane_(options.lane), objects_max_(stream_objects_max(spec)), server_(std::move(server)),
      refusal_{Code::unavailable, "no connection in time"}, tried_(lane_), tasks_(lane_) {}

Task<RunResult> StreamCommunicator::run(const ObjectRun& object, Source& source, Sink& sink) {
    // A run that was cancelled has to tell the transform and to join its feeder, with waits that must not throw.
    const bool throws = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    RunResult result = co_await run_to_end(object, source, sink);
    co_await asio::this_coro::throw_if_cancelled(throws);
    co_return result;
}

Task<RunResult> StreamCommunicator::run_to_end(const ObjectRun& object, Source& source, Sink& sink) {
    if (!is_connected()) {
        co_await wait_connected(object.due());
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none) {
            co_return std::unexpected(transform_failure(Code::cancelled, "the run was cancelled"));
        }
        if (!is_connected()) co_return std::unexpected(transform_failure(Code::unavailable, refusal_.context));
    }
    const std::shared_ptr<StreamConnection> connection = connection_;
    StreamRun run(*connection, lane_, *server_, object, source, sink);
    co_return co_await run.run();
}

Task<void> StreamCommunicator::wait_connected(Instant deadline) {
    if (is_closed_) co_return;
    if (!is_connecting_) {
        is_connecting_ = true;
        tried_.clear();
        tasks_.spawn(connect());
    }
    (void)co_await tried_.wait_until(deadline);
}

// In a task of its own, as the run that asked for it may end earlier than others that wait too.
Task<void> StreamCommunicator::connect() {
    co_await asio::this_coro::throw_if_cancelled(false);
    if (connection_) co_await connection_->close();
    auto opened = co_await open_stream(*server_, steady_now() + kOpenTimeMax);
    if (!opened.has_value()) {
        refusal_ = opened.error();
    } else if (!is_closed_) {
        connection_ = std::make_shared<StreamConnection>(lane_, *std::move(opened), objects_max_);
    }
    is_connecting_ = false;
    tried_.set();
}

Task<void> StreamCommunicator::close() {
    is_closed_ = true;
    tasks_.cancel();
    co_await tasks_.join();
    if (connection_) co_await connection_->close();
}

}  // namespace millrace::runtime
