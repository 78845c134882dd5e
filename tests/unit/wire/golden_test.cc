// The bytes of every message, pinned: a change of the format must be meant. New members change them; peers of earlier
// versions must still be understood.
#include <gtest/gtest.h>

#include <map>

#include "tests/unit/wire/samples.h"

namespace millrace::wire {
namespace {

const std::map<std::string, std::string> kGolden{
    // GOLDEN
};

std::string hex(const std::string& bytes) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    for (const char c : bytes) {
        text += kDigits[static_cast<unsigned char>(c) >> 4];
        text += kDigits[static_cast<unsigned char>(c) & 15];
    }
    return text;
}

std::string unhex(const std::string& text) {
    std::string bytes;
    for (std::size_t i = 0; i + 1 < text.size(); i += 2) bytes += static_cast<char>(std::stoi(text.substr(i, 2), nullptr, 16));
    return bytes;
}

TEST(Golden, BytesOfEveryMessageArePinned) {
    const std::vector<Sample> all = samples();
    ASSERT_EQ(all.size(), std::variant_size_v<Message>) << "a sample for every type";
    for (const Sample& sample : all) {
        const auto pinned = kGolden.find(sample.name);
        EXPECT_EQ(hex(encode(sample.message)), pinned == kGolden.end() ? "" : pinned->second) << sample.name;
    }
}

TEST(Golden, PinnedBytesAreUnderstood) {
    for (const auto& [name, text] : kGolden) {
        const auto decoded = decode(unhex(text));
        ASSERT_TRUE(decoded) << name << ": " << decoded.error().context;
    }
}

}  // namespace
}  // namespace millrace::wire
