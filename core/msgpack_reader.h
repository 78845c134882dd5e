// Reads msgpack where it lies, one value after the other, for what is read by the million: texts are views, nothing is allocated, and no
// tree is built first. The bytes may be anybody's: no length is believed beyond what is there.
//
// The first value that is not of the kind that is asked for fails the reader: from then on every read gives nothing, so it is enough to ask
// ok() in loops and at the end. One thread at a time.
#pragma once
#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>

namespace millrace {

class MsgpackReader {
public:
    // The bytes outlive the reader and the views that it gives.
    explicit MsgpackReader(std::string_view bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

    bool ok() const { return !failed_; }
    // Everything was read, and was what was asked for.
    bool is_complete() const { return !failed_ && at_ == end_; }
    void fail() {
        failed_ = true;
        at_ = end_;
    }

    // The number of pairs, or items, that follow.
    std::uint32_t map() { return collection(0x80, 0xde); }
    std::uint32_t array() { return collection(0x90, 0xdc); }
    std::string_view text() {
        const std::uint8_t kind = take_byte();
        if ((kind & 0xe0) == 0xa0) return take(kind & 0x1f);
        switch (kind) {
            case 0xd9: return take(take_number<std::uint8_t>());
            case 0xda: return take(take_number<std::uint16_t>());
            case 0xdb: return take(take_number<std::uint32_t>());
            default: fail(); return {};
        }
    }
    // A whole number that is not negative.
    std::uint64_t count() {
        const std::uint8_t kind = take_byte();
        if (kind < 0x80) return kind;
        switch (kind) {
            case 0xcc: return take_number<std::uint8_t>();
            case 0xcd: return take_number<std::uint16_t>();
            case 0xce: return take_number<std::uint32_t>();
            case 0xcf: return take_number<std::uint64_t>();
            case 0xd0: return not_negative(take_number<std::int8_t>());
            case 0xd1: return not_negative(take_number<std::int16_t>());
            case 0xd2: return not_negative(take_number<std::int32_t>());
            case 0xd3: return not_negative(take_number<std::int64_t>());
            default: fail(); return 0;
        }
    }
    std::int64_t number() {
        const std::uint8_t kind = peek();
        if (kind >= 0xe0) return static_cast<std::int8_t>(take_byte());
        if (kind >= 0xd0 && kind <= 0xd3) {
            ++at_;
            switch (kind) {
                case 0xd0: return take_number<std::int8_t>();
                case 0xd1: return take_number<std::int16_t>();
                case 0xd2: return take_number<std::int32_t>();
                default: return take_number<std::int64_t>();
            }
        }
        const std::uint64_t value = count();
        if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) fail();
        return failed_ ? 0 : static_cast<std::int64_t>(value);
    }
    bool flag() {
        const std::uint8_t kind = take_byte();
        if (kind != 0xc2 && kind != 0xc3) fail();
        return kind == 0xc3 && !failed_;
    }
    // Whether the next value is nil, which is then passed over.
    bool nil() {
        if (peek() != 0xc0) return false;
        ++at_;
        return true;
    }
    // Passes over a value whatever it is, and gives its bytes.
    std::string_view skip() {
        const char* const from = at_;
        for (std::uint64_t values = 1; values > 0 && !failed_; --values) values += skip_one();
        return failed_ ? std::string_view() : std::string_view(from, static_cast<std::size_t>(at_ - from));
    }

private:
    std::uint8_t peek() const { return at_ == end_ ? 0xc1 : static_cast<std::uint8_t>(*at_); }  // 0xc1: never used
    std::uint8_t take_byte() {
        const std::uint8_t byte = peek();
        if (at_ == end_) {
            fail();
        } else {
            ++at_;
        }
        return byte;
    }
    std::string_view take(std::size_t bytes) {
        if (bytes > static_cast<std::size_t>(end_ - at_)) {
            fail();
            return {};
        }
        at_ += bytes;
        return {at_ - bytes, bytes};
    }
    template <class Number>
    Number take_number() {
        const std::string_view bytes = take(sizeof(Number));
        if (bytes.empty()) return 0;
        Number value;
        std::memcpy(&value, bytes.data(), sizeof value);
        if constexpr (std::endian::native == std::endian::little) value = std::byteswap(value);
        return value;
    }
    std::uint64_t not_negative(std::int64_t value) {
        if (value < 0) fail();
        return failed_ ? 0 : static_cast<std::uint64_t>(value);
    }
    // fix: the first of the 16 kinds that have the number in them; wide: the kind with two bytes of it, before that with four.
    std::uint32_t collection(std::uint8_t fix, std::uint8_t wide) {
        const std::uint8_t kind = take_byte();
        if ((kind & 0xf0) == fix) return kind & 0x0f;
        if (kind == wide) return take_number<std::uint16_t>();
        if (kind == wide + 1) return take_number<std::uint32_t>();
        fail();
        return 0;
    }
    // The number of values that are inside of it, and follow.
    std::uint64_t skip_one() {
        const std::uint8_t kind = peek();
        if (kind >= 0x80 && kind <= 0x8f) return 2 * std::uint64_t{map()};
        if (kind >= 0x90 && kind <= 0x9f) return array();
        if (kind >= 0xa0 && kind <= 0xbf) return nothing_behind(text());
        switch (kind) {
            case 0xd9: case 0xda: case 0xdb: return nothing_behind(text());
            case 0xdc: case 0xdd: return array();
            case 0xde: case 0xdf: return 2 * std::uint64_t{map()};
            case 0xc1: fail(); return 0;
            default: break;
        }
        take_byte();
        switch (kind) {
            case 0xcc: case 0xd0: return nothing_behind(take(1));
            case 0xcd: case 0xd1: case 0xd4: return nothing_behind(take(2));
            case 0xce: case 0xd2: case 0xca: return nothing_behind(take(4));
            case 0xcf: case 0xd3: case 0xcb: return nothing_behind(take(8));
            case 0xc4: return nothing_behind(take(take_number<std::uint8_t>()));
            case 0xc5: return nothing_behind(take(take_number<std::uint16_t>()));
            case 0xc6: return nothing_behind(take(take_number<std::uint32_t>()));
            case 0xd5: return nothing_behind(take(3));
            case 0xd6: return nothing_behind(take(5));
            case 0xd7: return nothing_behind(take(9));
            case 0xd8: return nothing_behind(take(17));
            case 0xc7: return nothing_behind(take(std::size_t{take_number<std::uint8_t>()} + 1));
            case 0xc8: return nothing_behind(take(std::size_t{take_number<std::uint16_t>()} + 1));
            case 0xc9: return nothing_behind(take(std::size_t{take_number<std::uint32_t>()} + 1));
            default: return 0;  // a small number, nil, false, true
        }
    }
    static std::uint64_t nothing_behind(std::string_view) { return 0; }

    const char* at_;
    const char* end_;
    bool failed_ = false;
};

}  // namespace millrace
