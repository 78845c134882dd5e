#include <gtest/gtest.h>

#include "state/kv.h"
#include "tests/unit/state/tmpfs.h"

namespace millrace::state {
namespace {

const std::vector<FamilyOptions> kFamilies = {{"default"}, {.name = "blobs", .blobs = true}};

Result<void> put(Kv& kv, FamilyIndex family, const std::string& key, const std::string& value, bool sync) {
    Batch batch;
    batch.put(family, key, value);
    return kv.write(std::move(batch), sync);
}

// Writes different rows until one fails.
Result<void> write_until_failure(Kv& kv, const std::string& name, int rows_max) {
    const std::string value(16 << 10, 'v');
    for (int i = 0; i < rows_max; ++i) MILLRACE_TRY(put(kv, 1, name + std::to_string(i), value, false));
    return {};
}

TEST(KvFullDisk, WritesGoOnOnceSpaceIsFree) {
    const Tmpfs disk("64m");
    if (!disk.mounted()) GTEST_SKIP() << "needs the right to mount a tmpfs";
    auto kv = Kv::open(disk / "db", kFamilies, {.write_buffer_bytes = 1 << 20});
    ASSERT_TRUE(kv) << kv.error().context;
    ASSERT_TRUE(put(**kv, 0, "before", "kept", true));
    for (const std::string round : {"0", "1", "2"}) {
        disk.fill();
        const auto failed = put(**kv, 0, "after", "not yet", false);
        ASSERT_FALSE(failed);
        EXPECT_EQ(failed.error().code, Code::no_space) << failed.error().context;
        EXPECT_EQ(*(*kv)->get(0, "before"), "kept");  // reading works meanwhile

        disk.free_up();
        const auto written = put(**kv, 0, "after", round, true);
        ASSERT_TRUE(written) << written.error().context;
        EXPECT_EQ(*(*kv)->get(0, "after"), round);
        EXPECT_TRUE((*kv)->sync());
    }
    kv->reset();
    kv = Kv::open(disk / "db", kFamilies, {});
    ASSERT_TRUE(kv) << kv.error().context;
    EXPECT_EQ(*(*kv)->get(0, "before"), "kept");
    EXPECT_EQ(*(*kv)->get(0, "after"), "2");
}

// Here it is the database itself that fills the disk, so that flushes in the background fail, too.
TEST(KvFullDisk, WritesGoOnAfterTheDatabaseFilledTheDisk) {
    const Tmpfs disk("48m");
    if (!disk.mounted()) GTEST_SKIP() << "needs the right to mount a tmpfs";
    disk.fill(24 << 20);
    auto kv = Kv::open(disk / "db", kFamilies, {.write_buffer_bytes = 4 << 20});
    ASSERT_TRUE(kv) << kv.error().context;
    const auto failed = write_until_failure(**kv, "row", 10'000);
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code, Code::no_space) << failed.error().context;
    disk.free_up();
    const auto written = put(**kv, 0, "after", "value", true);
    ASSERT_TRUE(written) << written.error().context;
    kv->reset();
    kv = Kv::open(disk / "db", kFamilies, {});
    ASSERT_TRUE(kv) << kv.error().context;
    EXPECT_EQ(*(*kv)->get(0, "after"), "value");
    EXPECT_EQ((*kv)->get(1, "row0")->value_or("").size(), 16u << 10);
}

TEST(KvFullDisk, WhatGivesSpaceBackIsStillWritten) {
    const Tmpfs disk("64m");
    if (!disk.mounted()) GTEST_SKIP() << "needs the right to mount a tmpfs";
    auto kv = Kv::open(disk / "db", kFamilies, {.write_buffer_bytes = 1 << 20});
    ASSERT_TRUE(kv) << kv.error().context;
    ASSERT_TRUE(put(**kv, 0, "key", "value", true));
    disk.fill_all_but(3 << 20);
    ASSERT_FALSE(put(**kv, 0, "key", "other", false));
    Batch batch;
    batch.erase(0, "key");
    batch.use_reserve();
    const auto erased = (*kv)->write(std::move(batch), false);
    ASSERT_TRUE(erased) << erased.error().context;
    EXPECT_EQ(*(*kv)->get(0, "key"), std::nullopt);
}

TEST(KvFullDisk, OpeningSaysThatThereIsNoSpace) {
    const Tmpfs disk("4m");
    if (!disk.mounted()) GTEST_SKIP() << "needs the right to mount a tmpfs";
    disk.fill();
    const auto kv = Kv::open(disk / "db", kFamilies, {});
    ASSERT_FALSE(kv);
    EXPECT_EQ(kv.error().code, Code::no_space) << kv.error().context;
}

}  // namespace
}  // namespace millrace::state
