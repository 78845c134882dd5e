#include "store/folded_scan.h"

#include <algorithm>

#include "tests/unit/store/store_fixture.h"

namespace millrace::store {
namespace {

class FoldedScan : public StoreFixture {
protected:
    // All entries, in pages of a size; folders end in a slash.
    std::vector<std::string> list(const std::string& prefix, std::size_t page_entries, const std::string& from = "") {
        std::vector<std::string> found;
        std::string after = from;
        for (;;) {
            const auto page = scan_folded(*store_, "photos", prefix, after, page_entries);
            EXPECT_TRUE(page) << page.error().context;
            if (!page) return found;
            EXPECT_LE(page->entries.size(), page_entries);
            for (const FoldedEntry& entry : page->entries) {
                EXPECT_EQ(entry.folder, entry.object.name.ends_with('/'));
                found.push_back(entry.object.name);
            }
            if (page->at_end) return found;
            EXPECT_GT(page->last, after);
            after = page->last;
        }
    }
    void put_all(const std::vector<std::string>& names) {
        for (const std::string& name : names) ASSERT_TRUE(put(name, name));
    }
};

TEST_F(FoldedScan, EveryFolderIsOneEntryInPagesOfAnySize) {
    put_all({"a", "d-a", "d/sub/x", "d/sub/y", "d/x", "d0", "e/1", "e/2", "ü/1", "ü/2", "üb"});
    const std::vector<std::string> all{"a", "d-a", "d/", "d0", "e/", "ü/", "üb"};
    for (const std::size_t size : {1, 2, 3, 7, 100}) EXPECT_EQ(list("", size), all) << size;
}

TEST_F(FoldedScan, ThePrefixMayEndAtTheSlashBeforeItOrInsideOfAName) {
    put_all({"d-a", "d/sub/x", "d/x", "d/y", "d0"});
    EXPECT_EQ(list("d/", 1), (std::vector<std::string>{"d/sub/", "d/x", "d/y"}));
    for (const std::size_t size : {1, 2, 100}) {
        EXPECT_EQ(list("d", size), (std::vector<std::string>{"d-a", "d/sub/", "d/x", "d/y", "d0"})) << "a folder's name: what is in it";
    }
    EXPECT_EQ(list("d/s", 2), (std::vector<std::string>{"d/sub/"}));
    EXPECT_EQ(list("none", 2), std::vector<std::string>{});
}

TEST_F(FoldedScan, BeginningInsideOfAFolderDoesNotGoBackToIt) {
    put_all({"a/1", "a/2", "a/3", "b"});
    EXPECT_EQ(list("", 10, "a/2"), std::vector<std::string>{"b"});
    const std::vector<std::string> inside{"a/1", "a/2", "a/3"};
    EXPECT_EQ(list("a/", 10, "a/"), inside) << "not an entry of this listing";
    EXPECT_EQ(list("a", 10, "a/"), inside);
}

TEST_F(FoldedScan, AFolderOfMoreThanOneStepIsLeftInOneJump) {
    for (int i = 0; i < 1200; ++i) ASSERT_TRUE(put("big/" + std::to_string(i), "x"));
    put_all({"a", "z"});
    EXPECT_EQ(list("", 10'000), (std::vector<std::string>{"a", "big/", "z"}));
}

TEST_F(FoldedScan, ASummaryAddsUpOverItsParts) {
    put_all({"a/1", "a/22", "a/333", "b"});
    SummaryPart whole = *summarize(*store_, "photos", "a/", "", 1000);
    EXPECT_EQ(whole.objects, 3u);
    EXPECT_EQ(whole.bytes, 12u);
    EXPECT_EQ(whole.smallest_bytes, 3u);
    EXPECT_EQ(whole.largest_bytes, 5u);
    EXPECT_TRUE(whole.at_end);
    const SummaryPart none = *summarize(*store_, "photos", "", "b", 1000);
    EXPECT_EQ(none.objects, 0u);
    EXPECT_TRUE(none.at_end);
    EXPECT_FALSE(summarize(*store_, "no-such-bucket", "", "", 10));
    EXPECT_FALSE(scan_folded(*store_, "no-such-bucket", "", "", 10));
}

TEST_F(FoldedScan, WorkForAPageIsBounded) {
    for (int folder = 0; folder < 10; ++folder) {
        for (int i = 0; i < 10; ++i) ASSERT_TRUE(put("f" + std::to_string(100 + folder) + "/" + std::to_string(i), ""));
    }
    ASSERT_TRUE(put("z", ""));
    const auto first = scan_folded(*store_, "photos", "", "", 10, 50);
    ASSERT_TRUE(first);
    EXPECT_FALSE(first->at_end);
    EXPECT_LT(first->entries.size(), 10u);
    const auto second = scan_folded(*store_, "photos", "", first->last, 100);
    ASSERT_TRUE(second && second->at_end);
    EXPECT_EQ(first->entries.size() + second->entries.size(), 11u);
    EXPECT_EQ(second->entries.back().object.name, "z");
}

}  // namespace
}  // namespace millrace::store
