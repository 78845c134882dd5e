#include "runtime/stream_frames.h"

#include <type_traits>

namespace millrace::runtime {
namespace {

template <class T>
T little_endian(std::string_view bytes, std::size_t offset) {
    T value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) {
        value = static_cast<T>(value | static_cast<T>(static_cast<T>(static_cast<std::uint8_t>(bytes[offset + i])) << (8 * i)));
    }
    return value;
}

template <class T>
void append_number(std::string& out, std::type_identity_t<T> value) {
    for (std::size_t i = 0; i < sizeof(T); ++i) out.push_back(static_cast<char>(value >> (8 * i) & 0xff));
}

void append_header(std::string& out, std::size_t payload_bytes, FrameType type, std::uint8_t flags, std::uint64_t id) {
    append_number<std::uint32_t>(out, static_cast<std::uint32_t>(payload_bytes));
    append_number<std::uint8_t>(out, static_cast<std::uint8_t>(type));
    append_number<std::uint8_t>(out, flags);
    append_number<std::uint16_t>(out, 0);
    append_number<std::uint64_t>(out, id);
}

std::uint8_t last_flag(bool is_last) { return is_last ? kFrameLast : 0; }

constexpr std::size_t kObjectHeadBytes = 16;

}  // namespace

Result<std::optional<AnswerFrame>> take_answer(std::string_view& bytes) {
    if (bytes.size() < kFrameHeaderBytes) return std::optional<AnswerFrame>{};
    const auto payload_bytes = little_endian<std::uint32_t>(bytes, 0);
    const auto type = static_cast<FrameType>(bytes[4]);
    const auto flags = static_cast<std::uint8_t>(bytes[5]);
    AnswerFrame frame{.type = type, .id = little_endian<std::uint64_t>(bytes, 8), .payload = {}};
    const auto wrong = [&frame](const std::string& what) { return fail(Code::corrupt, "a frame of object " + std::to_string(frame.id) + what); };
    if (payload_bytes > kFramePayloadBytesMax) {
        return wrong(" claims " + std::to_string(payload_bytes) + " bytes; at most 1 MiB is allowed");
    }
    if (type != FrameType::result && type != FrameType::fail) {
        return wrong(" has type " + std::to_string(static_cast<unsigned>(type)) + "; RESULT (4) or FAIL (5) was expected");
    }
    const std::uint8_t allowed = type == FrameType::result ? kFrameLast : kFrameRetry;
    if ((flags & ~allowed) != 0 || little_endian<std::uint16_t>(bytes, 6) != 0) {
        return wrong(" has flags or reserved bytes that mean nothing");
    }
    if (bytes.size() - kFrameHeaderBytes < payload_bytes) return std::optional<AnswerFrame>{};
    frame.is_last = type == FrameType::fail || (flags & kFrameLast) != 0;
    frame.may_retry = (flags & kFrameRetry) != 0;
    frame.payload = bytes.substr(kFrameHeaderBytes, payload_bytes);
    bytes.remove_prefix(kFrameHeaderBytes + payload_bytes);
    return std::optional(frame);
}

Result<void> check_object_head(const ObjectHead& head) {
    if (head.bucket.size() + 1 + head.name.size() > kStreamNameBytesMax) return fail(Code::rejected, "its name is longer than 64 KiB");
    if (head.args.size() > kStreamArgsBytesMax) return fail(Code::rejected, "its arguments are longer than 512 KiB");
    return {};
}

void append_object(std::string& out, std::uint64_t id, const ObjectHead& head, std::string_view data, bool is_last) {
    const std::size_t name_bytes = head.bucket.size() + 1 + head.name.size();
    append_header(out, kObjectHeadBytes + name_bytes + head.args.size() + data.size(), FrameType::object, last_flag(is_last), id);
    append_number<std::uint64_t>(out, head.size);
    append_number<std::uint32_t>(out, static_cast<std::uint32_t>(head.args.size()));
    append_number<std::uint16_t>(out, static_cast<std::uint16_t>(name_bytes));
    append_number<std::uint16_t>(out, 0);
    out.append(head.bucket).append("/").append(head.name).append(head.args).append(data);
}

void append_data(std::string& out, std::uint64_t id, std::string_view data, bool is_last) {
    append_header(out, data.size(), FrameType::data, last_flag(is_last), id);
    out.append(data);
}

void append_abort(std::string& out, std::uint64_t id) { append_header(out, 0, FrameType::abort, 0, id); }

}  // namespace millrace::runtime
