#include "store/object_record.h"

#include <gtest/gtest.h>

#include "tests/unit/store/hex.h"

namespace millrace::store {
namespace {

ObjectRecord full_record() {
    ObjectRecord record;
    record.info.size = 1ull << 40;
    record.info.checksum = ~0ull;
    record.info.version = 12;
    record.info.created_seq = 7;
    record.info.written_unix_ns = 1'700'000'000'000'000'000;
    record.info.custom = {{"a", "b"}};
    record.info.provenance = Provenance{"job", 1, "bucket", "name", 2, 3, 4};
    record.info.edition = 5;
    record.info.parts = Parts{3, 1 << 20};
    record.location = {"mp-1", "photos/3/ab/1f/x.txt"};
    return record;
}

TEST(ObjectRecord, SurvivesARoundTrip) {
    const auto decoded = decode_object(encode(full_record()), "it");
    ASSERT_TRUE(decoded) << decoded.error().context;
    EXPECT_EQ(encode(*decoded), encode(full_record()));
    EXPECT_EQ(decoded->location, full_record().location);
    EXPECT_EQ(decoded->info.provenance->transform_digest, 4u);
    EXPECT_EQ(decoded->info.edition, 5u);
    EXPECT_EQ(decoded->info.parts, (Parts{3, 1 << 20}));
}

TEST(ObjectRecord, BytesOnDiskDoNotChange) {
    ObjectRecord small;
    small.info.size = 5;
    small.info.checksum = 258;
    small.info.version = 2;
    small.info.created_seq = 1;
    small.info.written_unix_ns = 9;
    small.info.edition = 2;
    EXPECT_EQ(hex(encode(small)),
              "018ba473697a6505a373756dcd0102a776657273696f6e02a373657101a77772697474656e09a56d6f756e74a0a466696c65a0"
              "a6637573746f6d80a466726f6dc0a765646974696f6e02a57061727473c0");
    small.info.parts = Parts{3, 4};
    EXPECT_TRUE(hex(encode(small)).ends_with("a5706172747382a5636f756e7403a36d617804"));
    EXPECT_EQ(hex(encode(BucketRecord{65536, 9, 3})),
              "0185a9736d616c6c5f6d6178ce00010000a76372656174656409aa67656e65726174696f6e03a3756964a0a36b6579a0");
    // As it was before buckets could be renamed.
    const std::string earlier("\x01\x83\xa9small_max\x64\xa7" "created\x09\xaageneration\x03", 34);
    EXPECT_EQ(*decode_bucket(earlier, "it"), (BucketRecord{100, 9, 3}));
}

// As it was before an object's contents were counted: its version was what clients saw.
TEST(ObjectRecord, ContentsThatNobodyCountedGoOnFromTheVersion) {
    const std::string earlier("\x01\x89\xa4size\x05\xa3sum\xcd\x01\x02\xa7version\x07\xa3seq\x01\xa7written\x09\xa5mount\xa0\xa4" "file\xa0"
                              "\xa6" "custom\x80\xa4" "from\xc0", 65);
    const auto record = decode_object(earlier, "it");
    ASSERT_TRUE(record) << record.error().context;
    EXPECT_EQ(record->info.edition, 7u);
    EXPECT_FALSE(record->info.parts);
}

TEST(ObjectRecord, EveryTruncationAndTailIsDamage) {
    const std::string good = encode(full_record());
    for (std::size_t bytes = 0; bytes < good.size(); ++bytes) {
        const auto decoded = decode_object(std::string_view(good).substr(0, bytes), "object 'x'");
        ASSERT_FALSE(decoded) << bytes;
        EXPECT_EQ(decoded.error().code, Code::corrupt);
        EXPECT_NE(decoded.error().context.find("object 'x'"), std::string::npos);
    }
    EXPECT_FALSE(decode_object(good + '\0', "it"));
}

TEST(ObjectRecord, FlippedBytesNeverCrashTheReader) {
    const std::string good = encode(full_record());
    for (std::size_t at = 0; at < good.size(); ++at) {
        for (const int value : {0x00, 0x7f, 0x80, 0x90, 0xc1, 0xc6, 0xdb, 0xdd, 0xdf, 0xff}) {
            std::string bytes = good;
            bytes[at] = static_cast<char>(value);
            (void)decode_object(bytes, "it");
        }
    }
}

TEST(ObjectRecord, ImpossibleRecordsAreDamage) {
    const auto refused = [](auto change) {
        ObjectRecord record = full_record();
        change(record);
        const auto decoded = decode_object(encode(record), "it");
        return !decoded && decoded.error().code == Code::corrupt;
    };
    EXPECT_TRUE(refused([](ObjectRecord& r) { r.info.version = 0; }));
    EXPECT_TRUE(refused([](ObjectRecord& r) { r.info.created_seq = 0; }));
    EXPECT_TRUE(refused([](ObjectRecord& r) { r.info.created_seq = 13; }));
    EXPECT_TRUE(refused([](ObjectRecord& r) { r.info.edition = 13; }));
    EXPECT_TRUE(refused([](ObjectRecord& r) { r.location.file.clear(); }));
    EXPECT_TRUE(refused([](ObjectRecord& r) { r.location.mountpath.clear(); }));
    for (const char* file : {"/etc/passwd", "a/../../b", "..", "a//b", "./a", "a/"}) {
        EXPECT_TRUE(refused([&](ObjectRecord& r) { r.location.file = file; })) << file;
    }
}

TEST(ObjectRecord, NewerVersionIsNotCalledDamage) {
    std::string bytes = encode(full_record());
    bytes[0] = 2;
    EXPECT_EQ(decode_object(bytes, "it").error().code, Code::unsupported_version);
    bytes[0] = 0;
    EXPECT_EQ(decode_object(bytes, "it").error().code, Code::corrupt);
}

}  // namespace
}  // namespace millrace::store
