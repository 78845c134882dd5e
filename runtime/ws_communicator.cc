#include "runtime/ws_communicator.h"

#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <nlohmann/json.hpp>
#include <optional>

#include "runtime/object_uname.h"
#include "runtime/outcome.h"
#include "runtime/ws_link.h"

namespace millrace::runtime {
namespace {

namespace asio = boost::asio;

constexpr std::size_t kLinksMax = 2;
constexpr std::size_t kLinkObjectsDefault = 8;

// The object's name goes without its bucket, unlike over HTTP.
std::string control_message(const ObjectRun& object, const std::string& pipeline) {
    nlohmann::json message{{"path", object.name}};
    if (!pipeline.empty()) message["pipeline"] = pipeline;
    if (!object.args.empty()) message["etl_args"] = object.args;
    if (!object.file_path.empty()) message["fqn"] = escape_segment(object.file_path);
    return message.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

WsCommunicator::WsCommunicator(const TransformSpec& spec, const CommunicatorOptions& options, std::shared_ptr<ServerFacts> server)
    : spec_(spec), options_(options), server_(server),
      objects_max_(spec.batch_objects_max == 0 ? kLinkObjectsDefault : spec.batch_objects_max), later_stages_(spec, options, server),
      room_(options.lane), readers_(options.lane), idle_(options.lane) {}

WsCommunicator::~WsCommunicator() = default;

Task<RunResult> WsCommunicator::run(const ObjectRun& object, Source& source, Sink& sink) {
    if (!object.is_stored) co_return co_await later_stages_.run(object, source, sink);
    if (closed_) co_return std::unexpected(transform_failure(Code::unavailable, server_->death().value_or("the server is being stopped")));
    // Others use the same connection: a cancelled run leaves it in order, which takes waits that must not throw.
    const bool throws = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    ++runs_;
    RunResult result = co_await pass(object, source, sink);
    if (--runs_ == 0) idle_.set();
    co_await asio::this_coro::throw_if_cancelled(throws);
    if (result.has_value()) ++server_->served;
    co_return result;
}

Task<RunResult> WsCommunicator::pass(const ObjectRun& object, Source& source, Sink& sink) {
    std::optional<DirectPut> direct;
    if (!object.destination.empty() && spec_.direct_put && options_.direct_puts) direct.emplace(options_.direct_puts, options_.lane, sink);
    const std::string pipeline = direct ? direct_put_url(*server_, object.destination, direct->token()) : "";
    Passage passage(options_.lane, object, source, sink, direct ? &*direct : nullptr, control_message(object, pipeline));
    co_await find_way(passage);
    if (direct) co_await direct->close();
    co_return std::move(passage.result);
}

Task<void> WsCommunicator::find_way(Passage& passage) {
    std::shared_ptr<WsLink> link;
    const auto is_free = [this, &link] {
        link = closed_ ? nullptr : roomiest_link();
        return closed_ || link;
    };
    while (!passage.settled.is_set()) {
        const bool has_turn = co_await room_.wait(is_free, passage.object.due());
        if (has_turn && link) {
            co_await link->carry(passage);
            room_.look_again();
            continue;
        }
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none) {
            passage.settle(std::unexpected(transform_failure(Code::cancelled, "the run was cancelled")));
        } else if (closed_) {
            passage.settle(std::unexpected(transform_failure(Code::unavailable, server_->death().value_or("the server is being stopped"))));
        } else {
            passage.settle(std::unexpected(transform_failure(Code::unavailable, "its connections have been full for all of the object's time")));
        }
    }
}

std::shared_ptr<WsLink> WsCommunicator::roomiest_link() {
    std::erase_if(links_, [](const auto& link) { return link->is_broken(); });
    const auto roomiest = std::ranges::min_element(links_, {}, [](const auto& link) { return link->objects(); });
    if (links_.size() < kLinksMax && (links_.empty() || (*roomiest)->objects() > 0)) {
        return links_.emplace_back(std::make_shared<WsLink>(options_.lane, server_, readers_));
    }
    return (*roomiest)->objects() < objects_max_ ? *roomiest : nullptr;
}

Task<void> WsCommunicator::close() {
    closed_ = true;
    room_.look_again();
    const auto links = links_;
    for (const auto& link : links) co_await link->close();
    while (runs_ > 0) {
        idle_.clear();
        (void)co_await idle_.wait_until(steady_now() + kWaitStep);
    }
    co_await readers_.join();
}

}  // namespace millrace::runtime
