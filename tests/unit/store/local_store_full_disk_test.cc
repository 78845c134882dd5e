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
    ASSERT_TRUE(put("old", content(20'000, 1)));
    EXPECT_EQ(code_of(put("old", content(2'000'000, 2))), Code::too_large) << "for this disk, whatever else goes";
    EXPECT_EQ(*get("old"), content(20'000, 1));
    ASSERT_TRUE(put("fits again", content(600'000, 3)));  // the failed one left nothing

    EXPECT_EQ(code_of(put("new", content(600'000, 4))), Code::no_space);
    ASSERT_TRUE(store_->erase("photos", "fits again"));
    ASSERT_TRUE(store_->sync());
    ASSERT_TRUE(put("new", content(600'000, 4)));
    EXPECT_EQ(*get("new"), content(600'000, 4));
}

TEST_F(FullDisk, PiecesAndPublishingFailCleanlyAndWorkOnceSpaceIsFree) {
    const DraftName draft = *store_->drafts().begin("photos", "name");
    const auto add = [&](std::uint32_t number, std::optional<std::uint64_t> at, const std::string& text) -> Result<std::uint64_t> {
        MILLRACE_TRY_ASSIGN(const auto writer, store_->drafts().write_piece(draft, number, {.extend_at = at}));
        MILLRACE_TRY(run_blocking(loop_, writer->write(as_bytes(text))));
        return writer->commit();
    };
    const auto publish = [&] { return run_blocking(loop_, store_->drafts().publish(draft, {1}, {})); };
    ASSERT_TRUE(add(1, 0, content(300'000, 1)));
    EXPECT_EQ(code_of(add(1, 300'000, content(2'000'000, 2))), Code::no_space);
    EXPECT_EQ(code_of(add(2, {}, content(2'000'000, 2))), Code::no_space);
    ASSERT_TRUE(put("in the way", content(600'000, 3)));  // the failed ones left nothing that stays
    EXPECT_EQ(code_of(publish()), Code::no_space);
    EXPECT_EQ(code_of(get("name")), Code::not_found);
    ASSERT_TRUE(store_->erase("photos", "in the way"));
    ASSERT_TRUE(store_->sync());
    ASSERT_TRUE(add(1, 300'000, "end"));
    ASSERT_TRUE(publish());
    EXPECT_EQ(*get("name"), content(300'000, 1) + "end");
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
