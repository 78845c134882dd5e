#include "tests/unit/store/store_fixture.h"

namespace millrace::store {
namespace {

class BucketRename : public StoreFixture {
protected:
    Result<std::string> get_from(const std::string& bucket, const std::string& name) {
        MILLRACE_TRY_ASSIGN(const auto reader, store_->open(bucket, name));
        return read(*reader);
    }
    Result<ObjectInfo> put_into(const std::string& bucket, const std::string& name, const std::string& text) {
        MILLRACE_TRY_ASSIGN(auto writer, store_->begin_write(bucket, name, {}));
        MILLRACE_TRY(write(*writer, text));
        return commit(*writer);
    }
    std::size_t count(const std::string& bucket) { return store_->scan(bucket, "", "", 100)->objects.size(); }
};

TEST_F(BucketRename, ObjectsAreFoundUnderTheNewNameAlsoAfterARestart) {
    ASSERT_TRUE(put("small", content(10)));
    ASSERT_TRUE(put("large", content(5000)));
    const std::string file = file_of("large");
    ASSERT_TRUE(store_->rename_buckets({{"uid-1", "photos", "pictures"}}));
    for (int opened = 0; opened < 2; ++opened) {
        EXPECT_FALSE(store_->has_bucket("photos"));
        EXPECT_EQ(store_->bucket_of_uid("uid-1"), "pictures");
        EXPECT_EQ(*get_from("pictures", "small"), content(10));
        EXPECT_EQ(*get_from("pictures", "large"), content(5000));
        EXPECT_EQ((*store_->open("pictures", "large"))->file_path(), file) << "nothing moves";
        EXPECT_EQ(count("pictures"), 2u);
        open_store();
    }
    ASSERT_TRUE(put_into("pictures", "small", content(20)));
    ASSERT_TRUE(store_->erase("pictures", "large"));
    EXPECT_TRUE(mentions(store_->erase("pictures", "large"), "ais://pictures/large"));
    EXPECT_TRUE(mentions(store_->stat("pictures", "large"), "ais://pictures/large"));
    EXPECT_TRUE(mentions(store_->open("pictures", "large"), "ais://pictures/large"));
    open_store();
    EXPECT_EQ(*get_from("pictures", "small"), content(20));
    EXPECT_EQ(count("pictures"), 1u);
}

TEST_F(BucketRename, TheOldNameIsFreeForAnotherBucket) {
    ASSERT_TRUE(put("x", content(5000)));
    ASSERT_TRUE(store_->rename_buckets({{"uid-1", "photos", "pictures"}}));
    ASSERT_TRUE(store_->create_bucket("photos", kSmallMax));
    EXPECT_EQ(count("photos"), 0u);
    ASSERT_TRUE(put("x", content(6000)));
    open_store();
    EXPECT_EQ(*get("x"), content(6000));
    EXPECT_EQ(*get_from("pictures", "x"), content(5000));
    ASSERT_TRUE(store_->destroy_bucket("photos"));
    EXPECT_EQ(*get_from("pictures", "x"), content(5000));
    open_store();
    EXPECT_EQ(*get_from("pictures", "x"), content(5000));
    ASSERT_TRUE(store_->destroy_bucket("pictures"));
    store_->wait_for_removals();
    EXPECT_EQ(files_on_disk(), 0u);
    EXPECT_EQ(store_->bucket_of_uid("uid-1"), std::nullopt);
}

TEST_F(BucketRename, NamesAreExchangedAtOnceAndOnlyOnce) {
    ASSERT_TRUE(store_->create_bucket("music", kSmallMax));
    ASSERT_TRUE(put("p", content(1)));
    ASSERT_TRUE(put_into("music", "m", content(2)));
    const std::vector<BucketRenaming> exchange{{"uid-p", "photos", "music"}, {"uid-m", "music", "photos"}};
    ASSERT_TRUE(store_->rename_buckets(exchange));
    ASSERT_TRUE(store_->rename_buckets(exchange)) << "as after a crash before the caller knew";
    open_store();
    ASSERT_TRUE(store_->rename_buckets(exchange));
    EXPECT_EQ(*get_from("music", "p"), content(1));
    EXPECT_EQ(*get_from("photos", "m"), content(2));
}

TEST_F(BucketRename, WhoNamesAUidNeverGetsAnotherBucketOfThatName) {
    ASSERT_TRUE(store_->create_bucket("music", kSmallMax, "uid-1"));
    const BucketRef first("music", "uid-1");
    ASSERT_TRUE(put_into("music", "m", content(2)));
    EXPECT_TRUE(store_->open(first, "m"));
    auto begun = store_->begin_write(first, "late", {});
    ASSERT_TRUE(begun);
    ASSERT_TRUE(store_->destroy_bucket("music"));
    EXPECT_EQ(store_->stat(first, "m").error().code, Code::unavailable) << "not an object that is gone";
    ASSERT_TRUE(store_->create_bucket("music", kSmallMax, "uid-2"));
    ASSERT_TRUE(put_into("music", "m", content(2)));
    for (int opened = 0; opened < 2; ++opened) {
        EXPECT_TRUE(store_->has_bucket(BucketRef("music", "uid-2")));
        EXPECT_FALSE(store_->has_bucket(first));
        EXPECT_EQ(store_->open(first, "m").error().code, Code::unavailable);
        EXPECT_EQ(store_->stat(first, "m").error().code, Code::unavailable);
        EXPECT_EQ(store_->scan(first, "", "", 10).error().code, Code::unavailable);
        EXPECT_EQ(store_->begin_write(first, "m", {}).error().code, Code::unavailable);
        EXPECT_EQ(store_->erase_created_before(first, "m", UINT64_MAX).error().code, Code::unavailable);
        EXPECT_EQ(store_->bucket_of_uid("uid-1"), std::nullopt);
        if (begun) EXPECT_FALSE(commit(**begun)) << "begun in the one that was destroyed";
        begun = fail(Code::cancelled, "");
        open_store();
    }
    EXPECT_EQ(count("music"), 1u);
}

TEST_F(BucketRename, AnotherBucketThatHasTheOldNameKeepsIt) {
    ASSERT_TRUE(store_->create_bucket("music", kSmallMax, "uid-2"));
    ASSERT_TRUE(store_->rename_buckets({{"uid-1", "music", "songs"}})) << "what does not exist is passed over";
    EXPECT_TRUE(store_->has_bucket(BucketRef("music", "uid-2")));
    EXPECT_FALSE(store_->has_bucket("songs"));
}

TEST_F(BucketRename, ABucketFromBeforeUidsIsToldItsOwn) {
    store_->identify_bucket("photos", "uid-p");
    store_->identify_bucket("photos", "uid-another");
    EXPECT_TRUE(store_->has_bucket(BucketRef("photos", "uid-p")));
    ASSERT_TRUE(store_->rename_buckets({{"uid-p", "photos", "pictures"}}));
    EXPECT_TRUE(store_->has_bucket(BucketRef("pictures", "uid-p")));
}

TEST_F(BucketRename, ANameThatIsTakenOrImpossibleChangesNothing) {
    ASSERT_TRUE(store_->create_bucket("music", kSmallMax));
    EXPECT_EQ(code_of(store_->rename_buckets({{"uid-1", "photos", "music"}})), Code::already_exists);
    EXPECT_EQ(code_of(store_->rename_buckets({{"uid-1", "photos", "../x"}})), Code::invalid_argument);
    EXPECT_TRUE(store_->rename_buckets({{"uid-2", "nobody", "other"}})) << "what does not exist is passed over";
    EXPECT_TRUE(store_->has_bucket("photos"));
    EXPECT_FALSE(store_->has_bucket("other"));
    EXPECT_EQ(store_->bucket_of_uid("uid-1"), std::nullopt);
}

TEST_F(BucketRename, AWriteThatHadBegunEndsInTheSameBucket) {
    auto writer = store_->begin_write("photos", "late", {});
    ASSERT_TRUE(writer);
    ASSERT_TRUE(write(**writer, content(5000)));
    ASSERT_TRUE(store_->rename_buckets({{"uid-1", "photos", "pictures"}}));
    ASSERT_TRUE(commit(**writer));
    EXPECT_EQ(*get_from("pictures", "late"), content(5000));
}

TEST_F(BucketRename, AnOlderMillraceRefusesARenamedBucket) {
    BucketRecord record{65536, 9, 3};
    EXPECT_EQ(encode(record).front(), 1);
    record.uid = "uid-1";
    record.key = "photos";
    EXPECT_EQ(encode(record).front(), 2);
    EXPECT_EQ(*decode_bucket(encode(record), "it"), record);
    record.key = "../photos";
    EXPECT_EQ(code_of(decode_bucket(encode(record), "it")), Code::corrupt);
}

TEST_F(BucketRename, OnlyWhatWasCreatedBeforeIsErased) {
    ASSERT_TRUE(put("old", content(5000)));
    const std::uint64_t end = store_->next_created_seq();
    ASSERT_TRUE(put("old", content(20)));  // overwritten, not created
    ASSERT_TRUE(put("new", content(30)));
    const auto erased = store_->erase_created_before("photos", "old", end);
    ASSERT_TRUE(erased) << erased.error().context;
    EXPECT_EQ(erased->size, 20u);
    EXPECT_EQ(code_of(store_->erase_created_before("photos", "new", end)), Code::not_found);
    EXPECT_EQ(code_of(store_->erase_created_before("photos", "old", end)), Code::not_found);
    EXPECT_EQ(*get("new"), content(30));
    ASSERT_TRUE(put("old", content(40)));
    EXPECT_EQ(code_of(store_->erase_created_before("photos", "old", end)), Code::not_found) << "another object of that name";
}

}  // namespace
}  // namespace millrace::store
