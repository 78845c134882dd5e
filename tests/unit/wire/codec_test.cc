#include "wire/codec.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/unit/wire/samples.h"

namespace millrace::wire {
namespace {

constexpr char kDirective = 6;
constexpr char kDirectiveAck = 7;
constexpr char kSliceStatus = 8;

template <class... Parts>
std::string packed_map(char type, std::uint32_t size, const Parts&... parts) {
    msgpack::sbuffer buffer;
    buffer.write(&type, 1);
    msgpack::packer<msgpack::sbuffer> packer(buffer);
    packer.pack_map(size);
    (packer.pack(parts), ...);
    return {buffer.data(), buffer.size()};
}

void expect_refused(const std::string& bytes, const std::string& what) {
    const auto decoded = decode(bytes);
    ASSERT_FALSE(decoded) << what;
    EXPECT_EQ(decoded.error().code, Code::invalid_argument) << what;
    EXPECT_FALSE(decoded.error().context.empty()) << what;
}

TEST(Codec, EveryMessageComesBackAsItWas) {
    for (const Sample& sample : samples()) {
        const std::string bytes = encode(sample.message);
        const auto decoded = decode(bytes);
        ASSERT_TRUE(decoded) << sample.name << ": " << decoded.error().context;
        EXPECT_EQ(decoded->index(), sample.message.index()) << sample.name;
        EXPECT_EQ(encode(*decoded), bytes) << sample.name;
    }
}

TEST(Codec, MembersSurvive) {
    const auto directive = decode(encode(samples()[5].message));
    ASSERT_TRUE(directive);
    const JobSpec& spec = std::get<Directive>(*directive).spec;
    EXPECT_EQ(spec.objects, (std::vector<std::string>{"b", "a"}));
    EXPECT_EQ(spec.ext.at("flac"), "wav");
    EXPECT_EQ(spec.on_error, OnError::abort_after_percent);
    const auto status = decode(encode(samples()[7].message));
    ASSERT_TRUE(status);
    EXPECT_EQ(std::get<SliceStatus>(*status).counters.settled(), 10u);
    EXPECT_EQ(std::get<SliceStatus>(*status).state, SliceState::stalled);
}

TEST(Codec, EmptyAndUnknownTypesAreRefused) {
    expect_refused("", "empty");
    expect_refused(std::string(1, '\0'), "type 0");
    for (int type = 12; type < 256; ++type) expect_refused(std::string(1, static_cast<char>(type)) + "\x80", "type " + std::to_string(type));
}

TEST(Codec, TrailingBytesAreRefused) {
    for (const Sample& sample : samples()) expect_refused(encode(sample.message) + '\0', sample.name);
}

TEST(Codec, TruncatedMessagesAreRefused) {
    for (const Sample& sample : samples()) {
        const std::string bytes = encode(sample.message);
        for (std::size_t size = 0; size < bytes.size(); ++size) expect_refused(bytes.substr(0, size), sample.name + " of " + std::to_string(size));
    }
}

TEST(Codec, WhatIsNotAMapIsRefused) {
    for (const std::string body : {"\x01", "\xa1x", "\x90", "\xc0", "\xc3"}) expect_refused(std::string(1, kDirective) + body, body);
}

TEST(Codec, HugeLengthsAreRefusedWithoutAllocatingThem) {
    using namespace std::string_literals;
    const std::string type(1, kDirective);
    expect_refused(type + "\xdf\xff\xff\xff\xff"s, "map");
    expect_refused(type + "\x81\xa3job\xdb\xff\xff\xff\xff"s, "string");
    expect_refused(type + "\x81\xa3job\xdd\xff\xff\xff\xff"s, "array");
    expect_refused(type + "\x81\xa3job\xc6\xff\xff\xff\xff"s, "binary");
}

TEST(Codec, DeepNestingIsRefused) {
    expect_refused(std::string(1, kDirective) + "\x81\xa3job" + std::string(100'000, '\x91') + "\xc0", "arrays in arrays");
}

TEST(Codec, UnknownMembersAreIgnoredAndMissingOnesHaveDefaults) {
    const auto ack = decode(packed_map(kDirectiveAck, 2, "job", "job-1", "from_the_future", 1));
    ASSERT_TRUE(ack) << ack.error().context;
    EXPECT_EQ(std::get<DirectiveAck>(*ack).job, "job-1");
    EXPECT_EQ(std::get<DirectiveAck>(*ack).revision, 0u);
}

TEST(Codec, AMissingIdIsRefused) {
    for (char type = 1; type <= 11; ++type) {
        const bool may_be_empty = type == 4 || type == 5 || type == 10;  // catalog, transform status, cluster map
        EXPECT_EQ(decode(packed_map(type, 0)).has_value(), may_be_empty) << static_cast<int>(type);
    }
}

TEST(Codec, EnumeratorsOutOfRangeAreRefused) {
    for (const int state : {-1, 0, 9, 1000}) expect_refused(packed_map(kSliceStatus, 2, "job", "j", "state", state), std::to_string(state));
    for (const int desired : {-1, 0, 6, 1000}) expect_refused(packed_map(kDirective, 2, "job", "j", "desired", desired), std::to_string(desired));
}

TEST(Codec, WrongTypesOfMembersAreRefused) {
    expect_refused(packed_map(kDirectiveAck, 1, "job", 17), "number for a string");
    expect_refused(packed_map(kDirectiveAck, 2, "job", "j", "revision", -1), "negative");
    expect_refused(packed_map(kDirectiveAck, 2, "job", "j", "revision", "1"), "string for a number");
    expect_refused(packed_map(kDirectiveAck, 2, "job", "j", "needs_spec", 1), "number for a bool");
    expect_refused(packed_map(kSliceStatus, 2, "job", "j", "in_flight", 1ull << 40), "too large for its member");
}

TEST(Codec, GarbageNeverCrashes) {
    std::mt19937_64 random(1);
    const std::vector<Sample> all = samples();
    for (int round = 0; round < 50'000; ++round) {
        std::string bytes = encode(all[random() % all.size()].message);
        for (std::uint64_t changes = 1 + random() % 4; changes > 0; --changes) bytes[random() % bytes.size()] = static_cast<char>(random());
        const auto decoded = decode(bytes);
        if (decoded) {
            EXPECT_TRUE(decode(encode(*decoded))) << "what was believed once is believed again";
        } else {
            EXPECT_EQ(decoded.error().code, Code::invalid_argument);
        }
    }
}

}  // namespace
}  // namespace millrace::wire
