#include "wire/codec.h"

#include <array>
#include <utility>

namespace millrace::wire {
namespace {

constexpr std::size_t kElementsMax = 1'000'000;  // per array or map

template <class Body>
Result<Message> decode_body(std::string_view bytes) {
    try {
        std::size_t used = 0;
        const msgpack::unpack_limit limit(kElementsMax, kElementsMax, kMessageBytesMax, kMessageBytesMax, 0, 16);
        const msgpack::object_handle handle = msgpack::unpack(bytes.data(), bytes.size(), used, nullptr, nullptr, limit);
        if (used != bytes.size()) return fail(Code::invalid_argument, "message has trailing bytes");
        if (handle.get().type != msgpack::type::MAP) return fail(Code::invalid_argument, "message is not a map");
        Body body = handle.get().as<Body>();
        MILLRACE_TRY(body.validate());
        return Message(std::move(body));
    } catch (const std::exception& failure) {
        return fail(Code::invalid_argument, std::string("message cannot be decoded: ") + failure.what());
    }
}

template <std::size_t... I>
Result<Message> decode_as(std::size_t index, std::string_view bytes, std::index_sequence<I...>) {
    using Decoder = Result<Message> (*)(std::string_view);
    static constexpr std::array<Decoder, sizeof...(I)> kDecoders{&decode_body<std::variant_alternative_t<I, Message>>...};
    return kDecoders[index](bytes);
}

}  // namespace

std::string encode(const Message& message) {
    msgpack::sbuffer buffer;
    const char type = static_cast<char>(message.index() + 1);
    buffer.write(&type, 1);
    std::visit([&](const auto& body) { msgpack::pack(buffer, body); }, message);
    return {buffer.data(), buffer.size()};
}

Result<Message> decode(std::string_view bytes) {
    if (bytes.empty() || bytes.size() > kMessageBytesMax) return fail(Code::invalid_argument, "message is empty or too large");
    const std::size_t type = static_cast<unsigned char>(bytes.front());
    if (type < 1 || type > std::variant_size_v<Message>) {
        return fail(Code::invalid_argument, "unknown message type " + std::to_string(type));
    }
    return decode_as(type - 1, bytes.substr(1), std::make_index_sequence<std::variant_size_v<Message>>());
}

}  // namespace millrace::wire
