// How structs become bytes on disk: one version byte, then a msgpack map with the member names as keys. A record that does
// not decode is Code::corrupt and says which record it is.
#pragma once
#include <msgpack.hpp>
#include <string>
#include <string_view>

#include "core/result.h"

namespace millrace::state {

inline constexpr char kRecordVersion = 1;

template <class Record>
std::string encode_record(const Record& record) {
    msgpack::sbuffer buffer;
    buffer.write(&kRecordVersion, 1);
    msgpack::pack(buffer, record);
    return {buffer.data(), buffer.size()};
}

// what: names the record in errors, e.g. "checkpoint of job job-12".
template <class Record>
Result<Record> decode_record(std::string_view what, std::string_view bytes) {
    const auto corrupt = [&](std::string_view why) { return fail(Code::corrupt, std::string(what) + " is damaged: " + std::string(why)); };
    if (bytes.empty()) return corrupt("it is empty");
    if (bytes.front() != kRecordVersion) {
        return fail(Code::unsupported_version, std::string(what) + " has format " + std::to_string(int(bytes.front())) + "; this millrace reads " +
            std::to_string(int(kRecordVersion)));
    }
    bytes.remove_prefix(1);
    try {
        std::size_t used = 0;
        // A damaged length must not ask for more memory than a record of this size can hold.
        const std::size_t most = bytes.size();
        const msgpack::unpack_limit limit(most, most, most, most, most, 32);
        const msgpack::object_handle handle = msgpack::unpack(bytes.data(), bytes.size(), used, nullptr, nullptr, limit);
        if (used != bytes.size()) return corrupt("it has trailing bytes");
        if (handle.get().type != msgpack::type::MAP) return corrupt("it is not a map");
        return handle.get().as<Record>();
    } catch (const std::exception& failure) {
        return corrupt(failure.what());
    }
}

}  // namespace millrace::state
