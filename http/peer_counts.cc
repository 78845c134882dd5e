#include "http/peer_counts.h"

#include <arpa/inet.h>

#include <algorithm>

namespace millrace::http {
namespace {

constexpr std::size_t kPrefixBytes = 8;

}  // namespace

std::string peer_of(std::string_view address_and_port) {
    std::string_view address = address_and_port.substr(0, std::min(address_and_port.rfind(':'), address_and_port.size()));
    if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
    in6_addr wide{};
    const std::string text(address);
    if (::inet_pton(AF_INET6, text.c_str(), &wide) != 1) return text;
    if (IN6_IS_ADDR_V4MAPPED(&wide)) return text;
    return {reinterpret_cast<const char*>(&wide), kPrefixBytes};
}

PeerCounts::Counted::Counted(PeerCounts& counts, std::string peer) : counts_(counts), peer_(std::move(peer)) {
    const std::scoped_lock lock(counts_.mutex_);
    number_ = ++counts_.counts_[peer_];
}

PeerCounts::Counted::~Counted() {
    const std::scoped_lock lock(counts_.mutex_);
    const auto found = counts_.counts_.find(peer_);
    if (--found->second == 0) counts_.counts_.erase(found);
}

}  // namespace millrace::http
