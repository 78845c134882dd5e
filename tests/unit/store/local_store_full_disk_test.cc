#include "tests/unit/state/tmpfs.h"
#include "tests/unit/store/store_fixture.h"

namespace millrace::store {
namespace {

// Large objects on a tiny disk, the database elsewhere.
class FullDisk : public StoreFixture {
protected:
    void SetUp() override {
        if (!disk_.mounted()) GTEST_SKIP() << "needs the right to mount a tmpfs";
        StoreFixture::SetUp();
    }
    LocalStoreOptions options() const override {
        LocalStoreOptions options = StoreFixture::options();
        options.mountpaths = {disk_ / "mountpath"};
        return options;
    }
    const Tmpfs disk_{"1m"};
};

TEST_F(FullDisk, PutFailsCleanlyAndWorksOnceSpaceIsFree) {
    ASSERT_TRUE(put("old", content(100'000, 1)));
    EXPECT_EQ(code_of(put("old", content(2'000'000, 2))), Code::no_space);
    EXPECT_EQ(*get("old"), content(100'000, 1));
    ASSERT_TRUE(put("fits again", content(600'000, 3)));  // the failed one left nothing

    EXPECT_EQ(code_of(put("new", content(600'000, 4))), Code::no_space);
    ASSERT_TRUE(store_->erase("photos", "fits again"));
    ASSERT_TRUE(store_->sync());
    ASSERT_TRUE(put("new", content(600'000, 4)));
    EXPECT_EQ(*get("new"), content(600'000, 4));
}

// Everything on one disk.
class FullSharedDisk : public StoreFixture {
protected:
    void SetUp() override {
        if (!disk_.mounted()) GTEST_SKIP() << "needs the right to mount a tmpfs";
        StoreFixture::SetUp();
    }
    LocalStoreOptions options() const override {
        LocalStoreOptions options = StoreFixture::options();
        options.mountpaths = {disk_ / "target"};
        return options;
    }
    std::string database() const override { return disk_ / "target/db"; }
    const Tmpfs disk_{"96m"};
};

TEST_F(FullSharedDisk, ErasingMakesRoomAgain) {
    int stored = 0;
    Result<ObjectInfo> last;
    for (; stored < 1000; ++stored) {
        last = put("name" + std::to_string(stored), content(1'000'000));
        if (!last) break;
    }
    EXPECT_EQ(code_of(last), Code::no_space);
    EXPECT_GT(stored, 20);
    for (int i = 0; i < 10; ++i) {
        const auto erased = store_->erase("photos", "name" + std::to_string(i));
        ASSERT_TRUE(erased) << erased.error().context;
    }
    ASSERT_TRUE(store_->sync());
    ASSERT_TRUE(put("small", "x"));
    ASSERT_TRUE(put("large", content(1'000'000)));
    for (int i = 10; i < stored; ++i) EXPECT_TRUE(verify("name" + std::to_string(i)));
}

}  // namespace
}  // namespace millrace::store
