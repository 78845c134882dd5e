// Bytes to messages and back: one type byte, then one msgpack map. The only decode of network input there is.
#pragma once
#include <string>
#include <string_view>
#include <variant>

#include "core/result.h"
#include "wire/messages.h"

namespace millrace::wire {

// The position in the variant plus one is the type byte: append only.
using Message = std::variant<Hello, Welcome, Heartbeat, Catalog, TransformStatus, Directive, DirectiveAck, SliceStatus, StatusAck,
                             ClusterMap, Goodbye>;

inline constexpr std::size_t kMessageBytesMax = 128 << 20;       // a catalog travels whole
inline constexpr std::size_t kTargetMessageBytesMax = 16 << 20;  // to a proxy, which anybody can connect to

std::string encode(const Message& message);
// Size limit, every exception caught, the whole buffer consumed, validate(): Code::invalid_argument otherwise.
Result<Message> decode(std::string_view bytes);

}  // namespace millrace::wire
