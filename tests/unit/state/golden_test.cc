// The bytes of the records of slices, pinned: a change of the format must be meant. New members change them; records
// written before must still be read, with the new members at their defaults.
#include <gtest/gtest.h>

#include "state/slice_store.h"
#include "wire/messages.h"

namespace millrace::state {
namespace {

std::string hex(std::string_view bytes) {
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

// The record that has only its version and an empty map: every member at its default.
const std::string kNothing{"\x01\x80", 2};

// Encodes to the pinned bytes, and they decode to what encodes to them again.
template <class Record>
void expect_pinned(const Record& record, const std::string& pinned) {
    const std::string bytes = encode_record(record);
    EXPECT_EQ(hex(bytes), pinned);
    const Result<Record> decoded = decode_record<Record>("it", bytes);
    ASSERT_TRUE(decoded) << decoded.error().context;
    EXPECT_EQ(hex(encode_record(*decoded)), pinned);
    const Result<Record> nothing = decode_record<Record>("it", kNothing);
    ASSERT_TRUE(nothing) << nothing.error().context;
    EXPECT_EQ(hex(encode_record(*nothing)), hex(encode_record(Record{})));
}

SliceOrder order() {
    return {.job = "job-1", .revision = 300, .desired = 2, .epoch = 3, .pass = 4, .incarnation = 5, .created_seq_end = 70'000, .arrival = 6,
            .pins = {"bck-1", "bck-2", {{"upper-case", 300}}}};
}

SliceCheckpoint checkpoint() {
    return {.phase = 1, .phase_pass = 2, .retried_pass = 1, .watermark = "b", .settled_ahead = {"d", "f"},
            .counters = {.done = 5, .skipped = 6, .failed = 7, .quarantined = 8, .attempts = 9, .bytes_in = 10, .bytes_out = 11, .bytes_moved = 12,
                         .near_empty = 15},
            .survey_after = "z", .survey_objects = 13, .survey_bytes = 14, .survey_unmapped = 16, .survey_done = true, .failure = "why"};
}

LedgerRow row() {
    return {.quarantined = true, .code = 14, .message = "killed", .stderr_tail = "oh", .attempts = 2, .pass = 3, .at_unix_ns = 9};
}

wire::JobSpec spec() {
    wire::JobSpec spec;
    spec.transform = "upper-case";
    spec.source = "src";
    spec.destination = "dst";
    spec.has_list = true;
    spec.objects = {"a", "b"};
    spec.ext = {{"flac", "wav"}};
    spec.prepend = "p/";
    spec.args = "-x";
    spec.overwrite = wire::Overwrite::changed;
    spec.num_workers = 4;
    spec.object_timeout_ms = 2000;
    spec.attempts = 5;
    spec.on_error = wire::OnError::abort_after_count;
    spec.on_error_limit = 10;
    return spec;
}

TEST(SliceRecords, BytesOfAnOrder) {
    const std::string at_first = "a36a6f62a56a6f622d31a87265766973696f6ecd012ca76465736972656402a565706f636803a47061737304ab696e636172"
                                 "6e6174696f6e05af637265617465645f7365715f656e64ce00011170";
    expect_pinned(order(), "0189" + at_first + "a76172726976616c06"
                           "a470696e7383aa736f757263655f756964a562636b2d31af64657374696e6174696f6e5f756964a562636b2d32"
                           "aa7472616e73666f726d739182a46e616d65aa75707065722d63617365a6646967657374cd012c");
    // As it was before there were arrivals and pins.
    const Result<SliceOrder> earlier = decode_record<SliceOrder>("it", unhex("0187" + at_first));
    ASSERT_TRUE(earlier) << earlier.error().context;
    EXPECT_EQ(earlier->created_seq_end, 70'000u);
    EXPECT_EQ(earlier->arrival, 0u);
    EXPECT_TRUE(earlier->pins.source_uid.empty());
}

TEST(SliceRecords, BytesOfACheckpoint) {
    expect_pinned(checkpoint(), "01de0014a5706861736501aa70686173655f7061737302ac726574726965645f7061737301a977617465726d61726ba162ad"
                  "736574746c65645f616865616492a164a166a4646f6e6505a7736b697070656406a66661696c656407ab71756172616e7469"
                  "6e656408a8617474656d70747309a862797465735f696e0aa962797465735f6f75740bab62797465735f6d6f7665640cac73"
                  "75727665795f6166746572a17aae7375727665795f6f626a656374730dac7375727665795f62797465730eab737572766579"
                  "5f646f6e65c3a76661696c757265a3776879aa6e6561725f656d7074790faf7375727665795f756e6d617070656410");
    // As it was before results with nothing in them, and names that no entry of a map fits, were counted.
    const std::string earlier = unhex("01de0012a5706861736501aa70686173655f7061737302ac726574726965645f7061737301a977617465726d61726ba162ad"
                                      "736574746c65645f616865616492a164a166a4646f6e6505a7736b697070656406a66661696c656407ab71756172616e7469"
                                      "6e656408a8617474656d70747309a862797465735f696e0aa962797465735f6f75740bab62797465735f6d6f7665640cac73"
                                      "75727665795f6166746572a17aae7375727665795f6f626a656374730dac7375727665795f62797465730eab737572766579"
                                      "5f646f6e65c3a76661696c757265a3776879");
    const Result<SliceCheckpoint> decoded = decode_record<SliceCheckpoint>("it", earlier);
    ASSERT_TRUE(decoded) << decoded.error().context;
    EXPECT_EQ(decoded->counters.bytes_moved, 12u);
    EXPECT_EQ(decoded->counters.near_empty, 0u);
    EXPECT_EQ(decoded->survey_unmapped, 0u);
}

TEST(SliceRecords, BytesOfALedgerRow) {
    expect_pinned(row(), "0187ab71756172616e74696e6564c3a4636f64650ea76d657373616765a66b696c6c6564ab7374646572725f7461696ca26f68a8"
                  "617474656d70747302a47061737303aa61745f756e69785f6e7309");
}

TEST(SliceRecords, BytesOfASpecification) {
    expect_pinned(spec(), "01de0016a97472616e73666f726daa75707065722d63617365a8706970656c696e6590a6736f75726365a3737263ab646573"
                  "74696e6174696f6ea3647374a6707265666978a0ad6e616d655f74656d706c617465a0a86861735f6c697374c3a76f626a65"
                  "63747392a161a162a365787481a4666c6163a3776176a770726570656e64a2702fa461726773a22d78a96f76657277726974"
                  "6502ab6e756d5f776f726b65727304a76472795f72756e00b16f626a6563745f74696d656f75745f6d73cd07d0a861747465"
                  "6d70747305a86f6e5f6572726f7201ae6f6e5f6572726f725f6c696d69740aa96f7065726174696f6e00a46b696e64a0ac65"
                  "78745f616e795f63617365c2ac656d7074795f6f757470757400");
    // As it was before there were chains of transforms.
    const std::string earlier = unhex("01de0011a97472616e73666f726daa75707065722d63617365a6736f75726365a3737263ab646573"
                                      "74696e6174696f6ea3647374a6707265666978a0ad6e616d655f74656d706c617465a0a86861735f"
                                      "6c697374c3a76f626a6563747392a161a162a365787481a4666c6163a3776176a770726570656e64"
                                      "a2702fa461726773a22d78a96f766572777269746502ab6e756d5f776f726b65727304a76472795f"
                                      "72756e00b16f626a6563745f74696d656f75745f6d73cd07d0a8617474656d70747305a86f6e5f65"
                                      "72726f7201ae6f6e5f6572726f725f6c696d69740a");
    const Result<wire::JobSpec> decoded = decode_record<wire::JobSpec>("it", earlier);
    ASSERT_TRUE(decoded) << decoded.error().context;
    EXPECT_TRUE(decoded->pipeline.empty());
    EXPECT_EQ(decoded->operation, wire::Operation::transform);
    EXPECT_EQ(decoded->on_error_limit, 10u);
}

TEST(SliceRecords, MembersOfLaterVersionsAreIgnored) {
    // {"job": "j", "later": 1}
    const std::string bytes("\x01\x82\xa3job\xa1j\xa5later\x01", 15);
    const Result<SliceOrder> decoded = decode_record<SliceOrder>("it", bytes);
    ASSERT_TRUE(decoded) << decoded.error().context;
    EXPECT_EQ(decoded->job, "j");
}

TEST(SliceRecords, EveryTruncationAndTailIsDamage) {
    const std::string good = encode_record(checkpoint());
    for (std::size_t bytes = 0; bytes < good.size(); ++bytes) {
        const auto decoded = decode_record<SliceCheckpoint>("it", std::string_view(good).substr(0, bytes));
        ASSERT_FALSE(decoded) << bytes;
        EXPECT_EQ(decoded.error().code, Code::corrupt) << bytes;
    }
    EXPECT_EQ(decode_record<SliceCheckpoint>("it", good + '\0').error().code, Code::corrupt);
}

TEST(SliceRecords, ALaterVersionIsRefusedByName) {
    const auto decoded = decode_record<LedgerRow>("ledger row x", "\x02\x80");
    ASSERT_FALSE(decoded);
    EXPECT_EQ(decoded.error().code, Code::unsupported_version);
    EXPECT_NE(decoded.error().context.find("ledger row x"), std::string::npos);
}

}  // namespace
}  // namespace millrace::state
