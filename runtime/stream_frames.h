// The frames of a stream between a target and a transform, byte by byte: runtime/STREAM.md. Pure: no I/O.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/result.h"

namespace millrace::runtime {

inline constexpr std::string_view kStreamGreetingToTransform{"MRSTRM>\x01", 8};
inline constexpr std::string_view kStreamGreetingFromTransform{"MRSTRM<\x01", 8};
inline constexpr std::size_t kFrameHeaderBytes = 16;
inline constexpr std::size_t kFramePayloadBytesMax = 1 << 20;
inline constexpr std::uint64_t kSizeUnknown = ~0ull;
inline constexpr std::size_t kStreamNameBytesMax = 0xffff;
inline constexpr std::size_t kStreamArgsBytesMax = 512 * 1024;

enum class FrameType : std::uint8_t { object = 1, data = 2, abort = 3, result = 4, fail = 5 };

inline constexpr std::uint8_t kFrameLast = 1;   // object, data, result: the end of this object's bytes
inline constexpr std::uint8_t kFrameRetry = 2;  // fail: it may pass when it is tried again

// A result or a fail.
struct AnswerFrame {
    FrameType type = FrameType::result;
    bool is_last = false;
    bool may_retry = false;
    std::uint64_t id = 0;
    std::string_view payload;  // within the bytes it was taken from
};

// Takes a whole frame off the front of what came from a transform; none when more bytes are needed. Code::corrupt when it is
// no answer.
Result<std::optional<AnswerFrame>> take_answer(std::string_view& bytes);

struct ObjectHead {
    std::string_view bucket;
    std::string_view name;
    std::string_view args;               // at most kStreamArgsBytesMax
    std::uint64_t size = kSizeUnknown;
};

// Bucket, slash and name, and the arguments, within their bounds: else Code::rejected.
Result<void> check_object_head(const ObjectHead& head);

// Each appends one frame. Requires a head that was checked, and data of 256 KiB at most.
void append_object(std::string& out, std::uint64_t id, const ObjectHead& head, std::string_view data, bool is_last);
void append_data(std::string& out, std::uint64_t id, std::string_view data, bool is_last);
void append_abort(std::string& out, std::uint64_t id);

}  // namespace millrace::runtime
