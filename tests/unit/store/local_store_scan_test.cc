#include <algorithm>

#include "tests/unit/store/store_fixture.h"

namespace millrace::store {
namespace {

class LocalStoreScan : public StoreFixture {
protected:
    void SetUp() override {
        StoreFixture::SetUp();
        std::ranges::sort(names_);
        for (const std::string& name : names_) ASSERT_TRUE(put(name, name));
        // Neighbours in the order of keys, which no listing of "photos" may show.
        for (const char* bucket : {"photo", "photos-", "photos0"}) {
            ASSERT_TRUE(store_->create_bucket(bucket, kSmallMax));
            auto writer = *store_->begin_write(bucket, "stranger", {});
            ASSERT_TRUE(commit(*writer));
        }
    }

    std::vector<std::string> list(const std::string& prefix, std::size_t page_objects, const std::string& from = "") {
        std::vector<std::string> found;
        std::string after = from;
        for (;;) {
            const auto page = store_->scan("photos", prefix, after, page_objects);
            EXPECT_TRUE(page) << page.error().context;
            if (!page) return found;
            EXPECT_LE(page->objects.size(), page_objects);
            for (const ListedObject& object : page->objects) {
                EXPECT_EQ(object.info.checksum, xxh64(object.name));
                found.push_back(object.name);
            }
            if (page->at_end) return found;
            if (page->objects.empty()) return {"a page in the middle is empty"};
            after = page->objects.back().name;
        }
    }

    std::vector<std::string> names_ = {"a",     "a-b",   "a.b",  "a/b",  "a/b/c", "a/b.c", "a/b-c", "a0",       "aa",     "A",
                                       "é",     "e",     "z",    "ÿ",    "日本",  "日本/語", "😀",   "a b",      "~",      "!",
                                       "a/\xc3\xa9", "a/zz", "0", "a!",   "b/1",   "b/10",  "b/2",   "\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf/x"};
};

TEST_F(LocalStoreScan, ListsAllInByteOrderWhateverThePage) {
    for (const std::size_t page : {1ul, 2ul, 7ul, names_.size(), 1000ul}) EXPECT_EQ(list("", page), names_) << page;
}

TEST_F(LocalStoreScan, ListsByPrefix) {
    for (const std::string prefix : {"a", "a/", "a/b", "b/1", "日", "\xf4\x8f\xbf\xbf", "\xf4", "nothing", "z"}) {
        std::vector<std::string> expected;
        std::ranges::copy_if(names_, std::back_inserter(expected), [&](const std::string& name) { return name.starts_with(prefix); });
        EXPECT_EQ(list(prefix, 2), expected) << prefix;
    }
}

TEST_F(LocalStoreScan, StartsBehindAName) {
    for (const std::string after : {"", "a", "a/b", "a/a", "zzzz", "~", "\xf4\x8f\xbf\xbf"}) {
        std::vector<std::string> expected;
        std::ranges::copy_if(names_, std::back_inserter(expected), [&](const std::string& name) { return name > after; });
        EXPECT_EQ(list("", 3, after), expected) << after;
    }
    EXPECT_EQ(list("b/", 10, "a"), (std::vector<std::string>{"b/1", "b/10", "b/2"}));
    EXPECT_EQ(list("b/", 10, "b/1"), (std::vector<std::string>{"b/10", "b/2"}));
    EXPECT_TRUE(list("b/", 10, "c").empty());
}

TEST_F(LocalStoreScan, EndIsKnownOnAFullLastPage) {
    const auto page = store_->scan("photos", "b/", "", 3);
    EXPECT_EQ(page->objects.size(), 3u);
    EXPECT_TRUE(page->at_end);
    EXPECT_FALSE(store_->scan("photos", "b/", "", 2)->at_end);
}

TEST_F(LocalStoreScan, RefusesWhatCannotBeListed) {
    EXPECT_EQ(code_of(store_->scan("nowhere", "", "", 1)), Code::not_found);
    EXPECT_EQ(code_of(store_->scan("photos", "", "", 0)), Code::invalid_argument);
    EXPECT_EQ(code_of(store_->scan("photos", std::string(1, '\0'), "", 1)), Code::invalid_argument);
    EXPECT_EQ(code_of(store_->scan("photos", "", std::string("a\0", 2), 1)), Code::invalid_argument);
}

TEST_F(LocalStoreScan, DamagedRecordNamesItself) {
    state::Batch batch;
    batch.put(state::target_family::objects, object_key("photos", "a/b.c"), "garbage");
    ASSERT_TRUE(kv_->write(std::move(batch), false));
    const auto page = store_->scan("photos", "", "", 1000);
    EXPECT_EQ(code_of(page), Code::corrupt);
    EXPECT_TRUE(mentions(page, "ais://photos/a/b.c"));
}

}  // namespace
}  // namespace millrace::store
