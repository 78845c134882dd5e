#include "http/message_writer.h"

#include <algorithm>
#include <charconv>

#include "core/body.h"
#include "core/check.h"

namespace millrace::http {
namespace {

bool is_name(std::string_view name) {
    return !name.empty() && std::ranges::all_of(name, [](unsigned char c) {
        constexpr std::string_view kSeparators = "\"(),/:;<=>?@[\\]{}";
        return c > ' ' && c < 127 && kSeparators.find(static_cast<char>(c)) == std::string_view::npos;
    });
}

bool is_value(std::string_view value) {
    return std::ranges::all_of(value, [](unsigned char c) { return (c >= ' ' && c != 127) || c == '\t'; });
}

bool is_framing(std::string_view name) {
    return equal_without_case(name, "Connection") || equal_without_case(name, "Content-Length") ||
           equal_without_case(name, "Transfer-Encoding");
}

}  // namespace

void append_field(std::string& text, std::string_view name, std::string_view value) {
    text.append(name).append(": ").append(value).append("\r\n");
}

Result<void> append_fields(std::string& text, const Headers& headers) {
    for (const auto& [name, value] : headers) {
        if (!is_name(name)) return fail(Code::invalid_argument, "a header's name has characters that are not allowed");
        if (!is_value(value)) return fail(Code::invalid_argument, "the value of header '" + name + "' has control characters");
        if (!is_framing(name)) append_field(text, name, value);
    }
    return {};
}

std::string& MessageWriter::begin(Framing framing, std::uint64_t length) {
    framing_ = framing;
    length_ = length;
    written_ = 0;
    head_sent_ = false;
    head_.clear();
    return head_;
}

void MessageWriter::gather(std::span<const std::byte> bytes, std::string_view suffix) {
    parts_ = {as_bytes(head_), bytes, as_bytes(suffix)};
}

void MessageWriter::advance(std::size_t count) {
    if (count > 0) head_sent_ = true;
    for (auto& part : parts_) {
        const std::size_t taken = std::min(count, part.size());
        part = part.subspan(taken);
        count -= taken;
    }
}

Result<bool> MessageWriter::try_send(std::string_view body) {
    MILLRACE_CHECK(framing_ == Framing::none || (framing_ == Framing::length && body.size() == length_));
    gather(as_bytes(framing_ == Framing::none ? std::string_view() : body), {});
    written_ = length_;
    const auto [failure, count] = connection_.try_write(parts_);
    if (failure) return connection_.error("writing", failure);
    advance(count);
    const bool all = std::ranges::all_of(parts_, [](const auto& part) { return part.empty(); });
    if (all) head_.clear();
    return all;
}

Task<Result<void>> MessageWriter::send_rest() {
    const auto left = [this] { return std::ranges::any_of(parts_, [](const auto& part) { return !part.empty(); }); };
    Result<void> sent;
    while (left()) {
        connection_.expect_progress(Side::write);
        const auto [failure, count] = co_await connection_.write_some(parts_);
        if (failure) {
            sent = connection_.error("writing", failure);
            break;
        }
        advance(count);
    }
    connection_.rest(Side::write);
    head_.clear();
    co_return sent;
}

Result<void> MessageWriter::check_length(std::size_t count) const {
    if (framing_ != Framing::length || count <= length_ - written_) return {};
    return fail(Code::invalid_argument, "more bytes than the " + std::to_string(length_) + " that were announced as the body's length");
}

Task<Result<void>> MessageWriter::write(std::span<const std::byte> bytes) {
    if (framing_ == Framing::none || bytes.empty()) co_return Result<void>{};
    MILLRACE_CO_TRY(check_length(bytes.size()));
    if (framing_ == Framing::chunked) {
        char size[20];
        const auto end = std::to_chars(size, size + sizeof size, bytes.size(), 16).ptr;
        head_.append(size, end).append("\r\n");
    }
    gather(bytes, framing_ == Framing::chunked ? "\r\n" : "");
    written_ += bytes.size();
    co_return co_await send_rest();
}

Task<Result<void>> MessageWriter::write_part(FilePart part) {
    MILLRACE_CHECK(takes_parts());
    FileSender& sender = *connection_.file_sender();
    MILLRACE_CO_TRY(check_length(part.length));
    gather({}, {});
    written_ += part.length;
    Result<void> sent;
    while (sent && part.length > 0) {
        connection_.expect_progress(Side::write);
        const auto [failure, count] = co_await sender.send_some(parts_[0], part);
        if (failure) sent = connection_.error("writing", failure);
        const std::size_t of_head = std::min(count, parts_[0].size());
        advance(count);
        part.offset += count - of_head;
        part.length -= count - of_head;
    }
    connection_.rest(Side::write);
    head_.clear();
    co_return sent;
}

Task<Result<void>> MessageWriter::flush() {
    gather({}, {});
    return send_rest();
}

void MessageWriter::try_flush() {
    gather({}, {});
    (void)connection_.try_write(parts_);
}

Task<Result<void>> MessageWriter::finish() {
    if (framing_ == Framing::length && written_ < length_) {
        co_return fail(Code::incomplete_body, "the body ended after " + std::to_string(written_) + " of " +
                                                  std::to_string(length_) + " bytes");
    }
    gather({}, framing_ == Framing::chunked ? "0\r\n\r\n" : "");
    co_return co_await send_rest();
}

}  // namespace millrace::http
