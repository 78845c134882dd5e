// Objects that arrive in pieces: order, repetition, bounds, restarts, damage.
#include <fstream>

#include "core/clock.h"
#include "store/draft_record.h"
#include "tests/unit/store/hex.h"
#include "tests/unit/store/store_fixture.h"

namespace millrace::store {
namespace {

class DraftsTest : public StoreFixture {
protected:
    LocalStoreOptions options() const override {
        LocalStoreOptions options = StoreFixture::options();
        options.drafts = limits_;
        return options;
    }

    DraftName begin(const std::string& object = "name") { return *store_->drafts().begin("photos", object); }
    Result<std::uint64_t> add(const DraftName& draft, std::uint32_t number, const std::string& text, PieceOptions options = {}) {
        MILLRACE_TRY_ASSIGN(const auto writer, store_->drafts().write_piece(draft, number, options));
        MILLRACE_TRY(run_blocking(loop_, writer->write(as_bytes(text))));
        return writer->commit();
    }
    Result<std::uint64_t> extend(const DraftName& draft, std::uint64_t at, const std::string& text) { return add(draft, 1, text, {.extend_at = at}); }
    Result<ObjectInfo> publish(const DraftName& draft, std::vector<std::uint32_t> numbers = {1}) {
        return run_blocking(loop_, store_->drafts().publish(draft, std::move(numbers), {}));
    }
    std::size_t draft_files() const {
        if (store_) store_->wait_for_removals();
        std::size_t files = 0;
        std::error_code absent;
        for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_ / "target/drafts", absent)) files += entry.is_regular_file();
        return files;
    }
    std::size_t records(const std::string& prefix) const {
        std::size_t count = 0;
        state::Cursor cursor = kv_->cursor(state::target_family::meta, state::prefix_end(prefix));
        for (cursor.seek(prefix); cursor.valid(); cursor.next()) ++count;
        return count;
    }
    std::string piece_file(const DraftName& draft, int number) const { return folder_ / "target/drafts/" + draft.id + "/" + std::to_string(number); }
    static std::int64_t after(Duration time) { return unix_now_ns() + std::chrono::nanoseconds(time).count(); }

    DraftLimits limits_;
};

TEST_F(DraftsTest, PiecesBecomeOneObjectInOrderOfTheirNumbers) {
    const DraftName draft = begin();
    ASSERT_TRUE(add(draft, 3, "three"));
    ASSERT_TRUE(add(draft, 1, content(5000)));
    ASSERT_TRUE(add(draft, 2, ""));
    EXPECT_EQ(code_of(get("name")), Code::not_found);
    open_store();
    EXPECT_EQ(code_of(get("name")), Code::not_found);
    const auto info = publish(draft, {3, 1, 2});
    ASSERT_TRUE(info) << info.error().context;
    EXPECT_FALSE(info->parts) << "nobody asked for them";
    EXPECT_EQ(*get("name"), content(5000) + "three");
    EXPECT_TRUE(verify("name"));
    EXPECT_EQ(info->checksum, xxh64(content(5000) + "three"));
    EXPECT_EQ(draft_files(), 0u);
    EXPECT_EQ(records("draft-piece/"), 0u);
}

TEST_F(DraftsTest, AListThatIsNotOfAllPiecesOncePublishesNothing) {
    const DraftName draft = begin();
    ASSERT_TRUE(add(draft, 1, "one"));
    ASSERT_TRUE(add(draft, 3, "three"));
    const auto refused = [&](std::vector<std::uint32_t> numbers, const char* words) {
        const auto published = publish(draft, std::move(numbers));
        EXPECT_EQ(code_of(published), Code::invalid_argument) << words;
        EXPECT_TRUE(mentions(published, words)) << published.error().context;
    };
    refused({}, "no chunks");
    refused({1}, "partial completion");
    refused({1, 1}, "partial completion");
    refused({3, 1, 1}, "partial completion");
    refused({1, 2}, "lacks part 2, which has not arrived");
    refused({3, 1}, "lacks part 2: parts are numbered from 1");
    ASSERT_TRUE(add(draft, 2, "two"));
    refused({1, 3}, "partial completion");
    WriteOptions options;
    options.parts.emplace();
    const auto info = run_blocking(loop_, store_->drafts().publish(draft, {2, 3, 1}, std::move(options)));
    ASSERT_TRUE(info) << info.error().context;
    EXPECT_EQ(info->parts, (Parts{3, 5}));
    open_store();
    EXPECT_EQ(store_->stat("photos", "name")->parts, (Parts{3, 5}));
    ASSERT_TRUE(put("name", "in one"));
    EXPECT_FALSE(store_->stat("photos", "name")->parts);
}

TEST_F(DraftsTest, ASmallObjectInPiecesLiesInTheDatabase) {
    const DraftName draft = begin();
    ASSERT_TRUE(add(draft, 1, "one"));
    ASSERT_TRUE(publish(draft));
    EXPECT_EQ(file_of("name"), "");
    EXPECT_EQ(*get("name"), "one");
}

TEST_F(DraftsTest, PublishingAgainAnswersAlikeAndChangesNothing) {
    const DraftName draft = begin();
    ASSERT_TRUE(add(draft, 1, "one"));
    const auto first = publish(draft);
    EXPECT_EQ(publish(draft)->version, first->version);
    open_store();
    EXPECT_EQ(publish(draft)->version, first->version);
    ASSERT_TRUE(put("name", "newer"));
    ASSERT_TRUE(publish(draft));
    EXPECT_EQ(*get("name"), "newer");
    EXPECT_EQ(code_of(add(draft, 1, "late")), Code::not_found);
    EXPECT_EQ(code_of(store_->drafts().discard(draft)), Code::conflict);
    ASSERT_TRUE(store_->erase("photos", "name"));
    EXPECT_EQ(code_of(publish(draft)), Code::not_found);
}

TEST_F(DraftsTest, APieceThatIsSentAgainReplacesTheFirst) {
    const DraftName draft = begin();
    ASSERT_TRUE(add(draft, 1, content(5000)));
    ASSERT_TRUE(add(draft, 1, "short"));
    ASSERT_TRUE(publish(draft));
    EXPECT_EQ(*get("name"), "short");
}

TEST_F(DraftsTest, ExtendingGoesOnAfterARestart) {
    const DraftName draft = begin();
    EXPECT_EQ(*extend(draft, 0, "one "), 4u);
    EXPECT_EQ(*extend(draft, 4, content(2000)), 2004u);
    open_store();
    EXPECT_EQ(*extend(draft, 2004, " three"), 2010u);
    ASSERT_TRUE(publish(draft));
    EXPECT_EQ(*get("name"), "one " + content(2000) + " three");
}

TEST_F(DraftsTest, AnExtensionThatIsRepeatedDoesNotDouble) {
    const DraftName draft = begin();
    ASSERT_TRUE(extend(draft, 0, "one "));
    ASSERT_TRUE(extend(draft, 4, "two, first try "));
    EXPECT_EQ(*extend(draft, 4, "two "), 8u);
    open_store();
    EXPECT_EQ(*extend(draft, 4, "two "), 8u);
    EXPECT_EQ(code_of(extend(draft, 5, "x")), Code::conflict);
    EXPECT_EQ(code_of(extend(draft, 0, "x")), Code::conflict);
    EXPECT_EQ(code_of(extend(draft, 100, "x")), Code::conflict);
    EXPECT_EQ(*extend(draft, 8, "three"), 13u);
    ASSERT_TRUE(publish(draft));
    EXPECT_EQ(*get("name"), "one two three");
}

TEST_F(DraftsTest, TheFirstExtensionMayBeRepeatedToo) {
    const DraftName draft = begin();
    ASSERT_TRUE(extend(draft, 0, "first try, longer"));
    ASSERT_TRUE(extend(draft, 0, "second"));
    ASSERT_TRUE(publish(draft));
    EXPECT_EQ(*get("name"), "second");
}

TEST_F(DraftsTest, WhatWasNotCommittedLeavesThePieceAsItWas) {
    const DraftName draft = begin();
    ASSERT_TRUE(extend(draft, 0, "kept"));
    for (const PieceOptions options : {PieceOptions{.extend_at = 4, .size = 100}, PieceOptions{.extend_at = 4, .size = 2},
                                       PieceOptions{.extend_at = 4, .size = {}, .expected_checksum = 1}}) {
        const auto failed = add(draft, 1, " and lost", options);
        EXPECT_EQ(code_of(failed), options.size ? Code::incomplete_body : Code::checksum_mismatch);
        EXPECT_TRUE(mentions(failed, "ais://photos/name"));
    }
    {
        const auto abandoned = store_->drafts().write_piece(draft, 1, {.extend_at = 4});
        ASSERT_TRUE(run_blocking(loop_, (*abandoned)->write(as_bytes("and lost"))));
    }
    open_store();
    ASSERT_TRUE(extend(draft, 4, " and added"));
    ASSERT_TRUE(publish(draft));
    EXPECT_EQ(*get("name"), "kept and added");
}

TEST_F(DraftsTest, ANewPieceThatWasNotCommittedIsNotThere) {
    const DraftName draft = begin();
    EXPECT_EQ(code_of(add(draft, 1, "x", {.size = 2})), Code::incomplete_body);
    EXPECT_EQ(draft_files(), 0u);
    const auto published = publish(draft);
    EXPECT_EQ(code_of(published), Code::invalid_argument);
    EXPECT_TRUE(mentions(published, "lacks part 1"));
    EXPECT_EQ(code_of(add(draft, 0, "x")), Code::invalid_argument);
    EXPECT_EQ(code_of(add(draft, kPieceNumberMax + 1, "x")), Code::invalid_argument);
}

TEST_F(DraftsTest, OneWriterPerPieceAndNonePublishingMeanwhile) {
    const DraftName draft = begin();
    {
        const auto writer = store_->drafts().write_piece(draft, 1, {});
        ASSERT_TRUE(writer);
        EXPECT_EQ(code_of(store_->drafts().write_piece(draft, 1, {})), Code::unavailable);
        EXPECT_TRUE(add(draft, 2, "beside it"));
        EXPECT_EQ(code_of(publish(draft, {2})), Code::unavailable);
        store_->drafts().expire(after(std::chrono::hours(25)));
        ASSERT_TRUE((*writer)->commit());
        EXPECT_EQ(code_of((*writer)->commit()), Code::io);
    }
    EXPECT_TRUE(publish(draft, {1, 2}));
}

TEST_F(DraftsTest, ACommittedPieceIsFreeAtOnceThoughItsWriterIsStillThere) {
    const DraftName draft = begin();
    const auto first = store_->drafts().write_piece(draft, 1, {});
    ASSERT_TRUE(run_blocking(loop_, (*first)->write(as_bytes("one"))));
    ASSERT_TRUE((*first)->commit());
    ASSERT_TRUE(extend(draft, 3, ", and more"));
    const auto second = store_->drafts().write_piece(draft, 2, {});
    ASSERT_TRUE(run_blocking(loop_, (*second)->write(as_bytes("; two"))));
    ASSERT_TRUE((*second)->commit());
    const auto info = publish(draft, {1, 2});
    ASSERT_TRUE(info) << info.error().context;
    EXPECT_EQ(*get("name"), "one, and more; two");
}

TEST_F(DraftsTest, ADiscardedOneIsGoneForItsWritersToo) {
    const DraftName draft = begin();
    ASSERT_TRUE(add(draft, 1, "one"));
    {
        const auto writer = store_->drafts().write_piece(draft, 2, {});
        ASSERT_TRUE(store_->drafts().discard(draft));
        ASSERT_TRUE(run_blocking(loop_, (*writer)->write(as_bytes("late"))));
        EXPECT_EQ(code_of((*writer)->commit()), Code::not_found);
    }
    EXPECT_EQ(code_of(publish(draft)), Code::not_found);
    EXPECT_EQ(code_of(store_->drafts().discard(draft)), Code::not_found);
    EXPECT_EQ(draft_files(), 0u);
    EXPECT_EQ(records("draft"), 0u);
}

TEST_F(DraftsTest, OnlyTheObjectItWasBegunForHasIt) {
    const DraftName draft = begin();
    EXPECT_EQ(code_of(add({draft.id, "photos", "other"}, 1, "x")), Code::not_found);
    EXPECT_EQ(code_of(add({draft.id, "other", "name"}, 1, "x")), Code::not_found);
    EXPECT_EQ(code_of(store_->drafts().begin("other", "name")), Code::not_found);
    EXPECT_EQ(code_of(store_->drafts().begin("photos", "../name")), Code::invalid_argument);
    EXPECT_TRUE(is_draft_id(draft.id));
    for (const char* text : {"", "draft-", "draft-0/1", "draft-A", "x"}) EXPECT_FALSE(is_draft_id(text)) << text;
}

class FewDrafts : public DraftsTest {
protected:
    void SetUp() override {
        limits_ = {.drafts_max = 2, .pieces_max = 3, .lifetime = std::chrono::hours(24)};
        DraftsTest::SetUp();
    }
};

TEST_F(FewDrafts, BoundsAreAnsweredAndPublishedOnesMakeRoom) {
    const DraftName one = begin("one");
    const DraftName two = begin("two");
    EXPECT_EQ(code_of(store_->drafts().begin("photos", "three")), Code::overloaded);
    ASSERT_TRUE(add(one, 1, "1"));
    ASSERT_TRUE(add(one, 2, "2"));
    ASSERT_TRUE(add(two, 1, "3"));
    EXPECT_EQ(code_of(add(two, 2, "4")), Code::overloaded);
    ASSERT_TRUE(add(two, 1, "3 again"));
    ASSERT_TRUE(publish(one, {1, 2}));
    ASSERT_TRUE(add(two, 2, "4"));
    const DraftName three = begin("three");
    EXPECT_EQ(code_of(publish(one, {1, 2})), Code::not_found);
    open_store();
    EXPECT_EQ(store_->drafts().size(), 2u);
    EXPECT_TRUE(add(three, 1, "x"));
    EXPECT_EQ(code_of(add(three, 2, "x")), Code::overloaded);
}

TEST_F(DraftsTest, ItGoesWhenNothingComesForALongTime) {
    const DraftName draft = begin();
    ASSERT_TRUE(add(draft, 1, "one"));
    const DraftName published = begin("published");
    ASSERT_TRUE(add(published, 1, "one"));
    ASSERT_TRUE(publish(published));
    store_->drafts().expire(after(std::chrono::hours(23)));
    EXPECT_EQ(store_->drafts().size(), 2u);
    store_->drafts().expire(after(std::chrono::hours(25)));
    EXPECT_EQ(store_->drafts().size(), 0u);
    EXPECT_EQ(code_of(publish(draft)), Code::not_found);
    EXPECT_EQ(draft_files(), 0u);
    EXPECT_EQ(records("draft"), 0u);
    EXPECT_EQ(*get("published"), "one");
}

TEST_F(DraftsTest, ItGoesWithItsBucket) {
    const DraftName draft = begin();
    ASSERT_TRUE(add(draft, 1, "one"));
    ASSERT_TRUE(store_->destroy_bucket("photos"));
    EXPECT_EQ(code_of(publish(draft)), Code::not_found);
    ASSERT_TRUE(store_->create_bucket("photos", kSmallMax));
    EXPECT_EQ(code_of(publish(draft)), Code::not_found);
    open_store();
    EXPECT_EQ(store_->drafts().size(), 0u);
    EXPECT_EQ(draft_files(), 0u);
    EXPECT_EQ(records("draft"), 0u);
}

TEST_F(DraftsTest, ItStaysWithItsBucketUnderAnotherName) {
    DraftName draft = begin();
    ASSERT_TRUE(add(draft, 1, content(3000)));
    ASSERT_TRUE(store_->rename_buckets({{"uid-1", "photos", "pictures"}}));
    EXPECT_EQ(code_of(publish(draft)), Code::not_found);
    draft.bucket = "pictures";
    open_store();
    ASSERT_TRUE(add(draft, 2, "end"));
    const auto published = publish(draft, {1, 2});
    ASSERT_TRUE(published) << published.error().context;
    EXPECT_EQ(publish(draft, {1, 2})->version, published->version);
    EXPECT_EQ(store_->stat("pictures", "name")->size, 3003u);
    EXPECT_TRUE(mentions(store_->stat("pictures", "other"), "ais://pictures/other"));
    EXPECT_TRUE(mentions(store_->open("pictures", "other"), "ais://pictures/other"));
    EXPECT_TRUE(mentions(store_->erase("pictures", "other"), "ais://pictures/other"));
    EXPECT_TRUE(mentions(store_->set_custom("pictures", "other", {}, false, false), "ais://pictures/other"));
}

TEST_F(DraftsTest, DamageOfAPieceIsFoundAndHealsWhenItIsSentAgain) {
    const DraftName draft = begin();
    ASSERT_TRUE(add(draft, 1, "fine"));
    ASSERT_TRUE(add(draft, 2, content(3000)));
    const auto expect_damage = [&] {
        const auto failed = publish(draft, {1, 2});
        EXPECT_EQ(code_of(failed), Code::corrupt);
        EXPECT_TRUE(mentions(failed, "send it again"));
        EXPECT_EQ(code_of(get("name")), Code::not_found);
    };
    std::filesystem::resize_file(piece_file(draft, 2), 2999);
    expect_damage();
    std::ofstream(piece_file(draft, 2), std::ios::binary | std::ios::app) << "x";
    expect_damage();
    open_store();
    EXPECT_EQ(code_of(add(draft, 2, "x", {.extend_at = 3000})), Code::corrupt);
    std::filesystem::remove(piece_file(draft, 2));
    expect_damage();
    ASSERT_TRUE(add(draft, 2, content(3000)));
    ASSERT_TRUE(publish(draft, {1, 2}));
    EXPECT_EQ(*get("name"), "fine" + content(3000));
}

TEST_F(DraftsTest, WhatNoRecordNamesGoesAtTheStart) {
    const DraftName draft = begin();
    ASSERT_TRUE(add(draft, 1, "one"));
    std::filesystem::create_directories(folder_ / "target/drafts/draft-unknown");
    std::ofstream(folder_ / "target/drafts/draft-unknown/1") << "x";
    std::ofstream(piece_file(draft, 2)) << "arriving when the process died";
    state::Batch batch;
    batch.put(state::target_family::meta, "draft/draft-damaged", "not a record");
    batch.put(state::target_family::meta, "draft-piece/" + draft.id + "/9", "not a record");
    batch.put(state::target_family::meta, "draft-piece/draft-unknown/1", encode(PieceRecord{}));
    ASSERT_TRUE(kv_->write(std::move(batch), false));
    open_store();
    EXPECT_EQ(draft_files(), 1u);
    EXPECT_EQ(records("draft/"), 1u);
    EXPECT_EQ(records("draft-piece/"), 1u);
    EXPECT_TRUE(publish(draft));
}

TEST_F(DraftsTest, SyncedPiecesAndSyncedPublishing) {
    const DraftName draft = begin();
    ASSERT_TRUE(add(draft, 1, "one", {.extend_at = {}, .size = 3, .expected_checksum = xxh64("one"), .sync = true}));
    WriteOptions options;
    options.sync = true;
    EXPECT_TRUE(run_blocking(loop_, store_->drafts().publish(draft, {1}, std::move(options))));
}

TEST(DraftRecords, BytesOnDiskDoNotChange) {
    const DraftRecord draft{"b", 3, "n", 9, "mp-1", 0};
    EXPECT_EQ(hex(encode(draft)), "0186a66275636b6574a162aa67656e65726174696f6e03a66f626a656374a16ea76372656174656409a56d6f756e74a46d702d31a97075626c697368656400");
    EXPECT_EQ(*decode_draft(encode(draft), "it"), draft);
    const PieceRecord piece{258, 7, 256, 9};
    EXPECT_EQ(hex(encode(piece)), "0184a473697a65cd0102a373756d07a66265666f7265cd0100a77772697474656e09");
    EXPECT_EQ(*decode_piece(encode(piece), "it"), piece);
    EXPECT_EQ(code_of(decode_piece(encode(PieceRecord{1, 0, 2, 0}), "it")), Code::corrupt);
    EXPECT_EQ(code_of(decode_draft(encode(DraftRecord{"b", 1, "../x", 0, "m", 0}), "it")), Code::corrupt);
}

class CustomMetadata : public StoreFixture {};

TEST_F(CustomMetadata, IsMergedOrReplacedWithoutTouchingTheContent) {
    WriteOptions options;
    options.custom = {{"a", "1"}, {"b", "2"}};
    for (const std::string& text : {std::string("small"), content(5000)}) {
        const auto before = put("name", text, options);
        ASSERT_TRUE(store_->set_custom("photos", "name", {{"b", "3"}, {"c", "4"}}, false, true));
        open_store();
        const auto info = store_->stat("photos", "name");
        EXPECT_EQ(info->custom, (std::map<std::string, std::string>{{"a", "1"}, {"b", "3"}, {"c", "4"}}));
        EXPECT_EQ(info->version, before->version);
        EXPECT_EQ(info->written_unix_ns, before->written_unix_ns);
        EXPECT_EQ(*get("name"), text);
        EXPECT_EQ(store_->set_custom("photos", "name", {}, true, false)->custom.size(), 0u);
    }
}

TEST_F(CustomMetadata, HasBoundsForTheWhole) {
    EXPECT_EQ(code_of(store_->set_custom("photos", "name", {}, false, false)), Code::not_found);
    ASSERT_TRUE(put("name", "x"));
    EXPECT_EQ(code_of(store_->set_custom("other", "name", {}, false, false)), Code::not_found);
    ASSERT_TRUE(store_->set_custom("photos", "name", {{"a", std::string(kCustomBytesMax - 1, 'x')}}, false, false));
    EXPECT_EQ(code_of(store_->set_custom("photos", "name", {{"b", "x"}}, false, false)), Code::too_large);
    EXPECT_TRUE(store_->set_custom("photos", "name", {{"b", "x"}}, true, false));
    for (const auto& [key, value] : std::map<std::string, std::string>{{"", "x"}, {"k", "a\nb"}, {"k\r", "a"}, {"\xff", "a"}, {"k2", "\xff"}}) {
        EXPECT_EQ(code_of(store_->set_custom("photos", "name", {{key, value}}, true, false)), Code::invalid_argument);
    }
    EXPECT_EQ(store_->stat("photos", "name")->custom.size(), 1u);
}

}  // namespace
}  // namespace millrace::store
