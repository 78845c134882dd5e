#include "state/slice_store.h"

#include <gtest/gtest.h>

#include "state/families.h"
#include "tests/unit/state/temp_folder.h"

namespace millrace::state {
namespace {

class SliceStoreTest : public testing::Test {
protected:
    void SetUp() override {
        auto kv = Kv::open(folder_.path(), target_families(), {});
        ASSERT_TRUE(kv) << kv.error().context;
        kv_ = std::move(*kv);
    }

    TempFolder folder_;
    std::unique_ptr<Kv> kv_;
};

// A retry of objects that have all failed again looks for rows of an earlier pass where there are none.
TEST_F(SliceStoreTest, ALedgerPageLooksAtABoundedNumberOfRows) {
    SliceStore slices(*kv_);
    const JobId job("job-1");
    LedgerChanges changes;
    for (int i = 0; i < 25'000; ++i) changes["object-" + std::to_string(100'000 + i)] = LedgerRow{.pass = 2};
    changes["object-zzz"] = LedgerRow{.pass = 1};
    ASSERT_TRUE(slices.put_checkpoint(job, {}, changes));
    std::string after;
    int pages = 0;
    for (;; ++pages) {
        const auto page = slices.ledger(job, after, 100, 2);
        ASSERT_TRUE(page);
        if (page->at_end) {
            ASSERT_EQ(page->rows.size(), 1u);
            EXPECT_EQ(page->rows[0].first, "object-zzz");
            break;
        }
        EXPECT_TRUE(page->rows.empty());
        ASSERT_GT(page->last, after);
        after = page->last;
    }
    EXPECT_EQ(pages, 2);
}

}  // namespace
}  // namespace millrace::state
