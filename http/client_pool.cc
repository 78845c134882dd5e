#include "http/client_pool.h"

namespace millrace::http {
namespace {
// Touching fresh memory costs more than sending it, so buffers are kept.
constexpr std::size_t kSpareBuffersMax = 32;
// A server is taken for one that closes what it keeps for so long; and if it closes one that was idle for less than this.
constexpr Duration kCloserMemory = std::chrono::seconds(30);
constexpr Duration kIdleMin = std::chrono::seconds(1);
}  // namespace

bool ClientPool::closes_what_it_keeps(const Endpoint& endpoint) const {
    const auto seen = closers_.find(endpoint);
    return seen != closers_.end() && steady_now() - seen->second < kCloserMemory;
}

std::unique_ptr<Channel> ClientPool::take(const Endpoint& endpoint, bool can_repeat) {
    const auto found = idle_.find(endpoint);
    if (found == idle_.end() || (!can_repeat && closes_what_it_keeps(endpoint))) return nullptr;
    auto& channels = found->second;
    while (!channels.empty()) {
        std::unique_ptr<Channel> channel = std::move(channels.back());
        channels.pop_back();
        if (expired(*channel)) continue;
        if (channel->connection->is_silent()) return channel;
        if (steady_now() - channel->idle_since >= kIdleMin) continue;
        found_closed(endpoint);
        if (!can_repeat) return nullptr;
    }
    return nullptr;
}

void ClientPool::give_back(const Endpoint& endpoint, std::unique_ptr<Channel> channel) {
    channel->idle_since = steady_now();
    channel->reused = true;
    auto& channels = idle_[endpoint];
    channels.push_back(std::move(channel));
    if (channels.size() > options_.idle_connections_max) channels.pop_front();
    if (!sweeping_) sweep_later();
}

// Connections that nobody asks for again must not stay open.
void ClientPool::sweep_later() {
    sweeping_ = true;
    timer_.expires_after(options_.idle_time_max);
    timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& failure) {
        const auto self = weak.lock();
        if (!failure && self) self->sweep();
    });
}

void ClientPool::sweep() {
    for (auto server = idle_.begin(); server != idle_.end();) {
        auto& channels = server->second;
        while (!channels.empty() && expired(*channels.front())) channels.pop_front();
        server = channels.empty() ? idle_.erase(server) : std::next(server);
    }
    std::erase_if(closers_, [](const auto& seen) { return steady_now() - seen.second >= kCloserMemory; });
    sweeping_ = false;
    if (!idle_.empty()) sweep_later();
}

ClientPool::Buffer ClientPool::take_buffer() {
    if (spare_buffers_.empty()) return std::make_unique_for_overwrite<std::byte[]>(kBodyChunkBytes);
    Buffer buffer = std::move(spare_buffers_.back());
    spare_buffers_.pop_back();
    return buffer;
}

void ClientPool::give_back(Buffer buffer) {
    if (spare_buffers_.size() < kSpareBuffersMax) spare_buffers_.push_back(std::move(buffer));
}

}  // namespace millrace::http
