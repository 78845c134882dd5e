// Files that a power cut took although their records survived: the object is again what it was before. The disk is the test's: it takes the
// file's content away between two openings. tests/campaign/power_cut tries the rest.
#include "store/unsynced_files.h"
#include "tests/unit/store/store_fixture.h"

namespace millrace::store {
namespace {

class PowerCut : public StoreFixture {
protected:
    // What a power cut leaves of a file that was never synced.
    void lose(const std::string& name, std::uint64_t bytes_left = 0) { std::filesystem::resize_file(file_of(name), bytes_left); }
    bool has_notes() const { return UnsyncedFiles::has_notes(*kv_); }
};

TEST_F(PowerCut, OldContentComesBackWhenTheNewOneIsGone) {
    ASSERT_TRUE(put("name", content(5000, 1)));
    const auto before = store_->stat("photos", "name");
    ASSERT_TRUE(store_->sync());
    ASSERT_TRUE(put("name", content(6000, 2)));
    lose("name");
    open_store();
    EXPECT_EQ(get("name").value_or(""), content(5000, 1));
    EXPECT_EQ(store_->stat("photos", "name")->version, before->version);
    EXPECT_EQ(files_on_disk(), 1u);
    EXPECT_EQ(notes(), 0u);
    EXPECT_FALSE(has_notes());
}

TEST_F(PowerCut, NewContentOfTheRightLengthIsReadBeforeTheOldOneGoes) {
    ASSERT_TRUE(put("name", content(5000, 1)));
    ASSERT_TRUE(store_->sync());
    ASSERT_TRUE(put("name", content(6000, 2)));
    const std::string file = file_of("name");
    std::filesystem::resize_file(file, 3000);
    std::filesystem::resize_file(file, 6000);  // zeros
    open_store();
    EXPECT_EQ(get("name").value_or(""), content(5000, 1));
}

TEST_F(PowerCut, SmallContentComesBackWhenTheLargeOneIsGone) {
    ASSERT_TRUE(put("name", content(100, 1)));
    ASSERT_TRUE(put("name", content(6000, 2)));
    lose("name");
    open_store();
    EXPECT_EQ(get("name").value_or(""), content(100, 1));
    EXPECT_EQ(files_on_disk(), 0u);
}

TEST_F(PowerCut, NewestThatSurvivedComesBack) {
    ASSERT_TRUE(put("name", content(100, 1)));
    ASSERT_TRUE(put("name", content(5000, 2)));
    ASSERT_TRUE(put("name", content(6000, 3)));
    lose("name");
    ASSERT_TRUE(put("name", content(7000, 4)));
    lose("name");
    open_store();
    EXPECT_EQ(get("name").value_or(""), content(5000, 2));
    EXPECT_EQ(files_on_disk(), 1u);
}

TEST_F(PowerCut, ObjectThatWasNeverDurableIsNotHalfThere) {
    ASSERT_TRUE(put("name", content(6000, 1)));
    lose("name", 6000 - 1);
    open_store();
    EXPECT_EQ(code_of(get("name")), Code::not_found);
    EXPECT_EQ(files_on_disk(), 0u);
}

TEST_F(PowerCut, WhatSurvivedStaysAndTheOldOneGoes) {
    ASSERT_TRUE(put("name", content(5000, 1)));
    ASSERT_TRUE(store_->sync());
    ASSERT_TRUE(put("name", content(6000, 2)));
    open_store();
    EXPECT_EQ(get("name").value_or(""), content(6000, 2));
    EXPECT_EQ(files_on_disk(), 1u);
    EXPECT_FALSE(has_notes());
}

TEST_F(PowerCut, WhatWasSyncedIsDamagedWhenItIsGone) {
    ASSERT_TRUE(put("name", content(5000, 1)));
    ASSERT_TRUE(put("name", content(6000, 2)));
    ASSERT_TRUE(store_->sync());
    EXPECT_FALSE(has_notes());
    lose("name");
    open_store();
    EXPECT_EQ(code_of(get("name")), Code::corrupt);
}

TEST_F(PowerCut, SyncedPutNeedsNoNote) {
    WriteOptions options;
    options.sync = true;
    ASSERT_TRUE(put("name", content(100, 1)));
    ASSERT_TRUE(put("name", content(6000, 2), options));
    EXPECT_FALSE(has_notes());
    EXPECT_FALSE(*kv_->get(state::target_family::bodies, object_key("photos", "name")));
}

TEST_F(PowerCut, OldSmallContentGoesWithTheSyncOfTheLargeOne) {
    ASSERT_TRUE(put("name", content(100, 1)));
    ASSERT_TRUE(put("name", content(6000, 2)));
    ASSERT_TRUE(put("again", content(100, 3)));
    ASSERT_TRUE(put("again", content(6000, 4)));
    ASSERT_TRUE(put("again", content(200, 5)));
    ASSERT_TRUE(store_->sync());
    EXPECT_FALSE(*kv_->get(state::target_family::bodies, object_key("photos", "name")));
    EXPECT_EQ(get("name").value_or(""), content(6000, 2));
    EXPECT_EQ(get("again").value_or(""), content(200, 5));
}

TEST_F(PowerCut, ErasedObjectStaysErased) {
    ASSERT_TRUE(put("name", content(100, 1)));
    ASSERT_TRUE(put("name", content(6000, 2)));
    ASSERT_TRUE(store_->erase("photos", "name"));
    open_store();
    EXPECT_EQ(code_of(get("name")), Code::not_found);
    EXPECT_FALSE(*kv_->get(state::target_family::bodies, object_key("photos", "name")));
    EXPECT_EQ(files_on_disk(), 0u);
}

}  // namespace
}  // namespace millrace::store
