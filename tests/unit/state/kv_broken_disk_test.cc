// Disks that write nothing any more: what the database says of it, and when it can go on.
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "state/kv.h"
#include "state/store_watch.h"
#include "tests/unit/state/tmpfs.h"

namespace {
std::atomic<bool> sync_fails = false;
}

// In place of the C library's, for RocksDB too.
extern "C" int fdatasync(int file) {
    if (!sync_fails) return static_cast<int>(::syscall(SYS_fdatasync, file));
    errno = EIO;
    return -1;
}

namespace millrace::state {
namespace {

const std::vector<FamilyOptions> kFamilies = {{"default"}};

Result<void> put(Kv& kv, const std::string& key, bool sync) {
    Batch batch;
    batch.put(0, key, "value");
    return kv.write(std::move(batch), sync);
}

class KvBrokenDisk : public testing::Test {
protected:
    void TearDown() override { sync_fails = false; }
    std::unique_ptr<Kv> open(const std::string& folder) const {
        auto kv = Kv::open(folder, kFamilies, {});
        EXPECT_TRUE(kv) << kv.error().context;
        return kv ? std::move(*kv) : nullptr;
    }
    TempFolder folder_;
};

TEST_F(KvBrokenDisk, OneThatCannotSyncIsAnObstacleForGoodUntilItIsOpenedAgain) {
    auto kv = open(folder_ / "db");
    ASSERT_TRUE(put(*kv, "before", true));
    EXPECT_FALSE(kv->obstacle());
    sync_fails = true;
    EXPECT_FALSE(put(*kv, "lost", true));
    sync_fails = false;
    EXPECT_FALSE(put(*kv, "lost", false)) << "what the failed sync left of the log is not known";
    const auto obstacle = kv->obstacle();
    ASSERT_TRUE(obstacle);
    EXPECT_TRUE(obstacle->for_good);
    EXPECT_NE(obstacle->reason.find(folder_ / "db"), std::string::npos) << obstacle->reason;
    kv.reset();
    kv = open(folder_ / "db");
    EXPECT_FALSE(kv->obstacle());
    EXPECT_TRUE(put(*kv, "after", true));
    EXPECT_EQ(*kv->get(0, "before"), "value");
}

TEST_F(KvBrokenDisk, SyncOfTheLogAloneCountsToo) {
    const auto kv = open(folder_ / "db");
    ASSERT_TRUE(put(*kv, "before", false));
    sync_fails = true;
    EXPECT_FALSE(kv->sync());
    sync_fails = false;
    EXPECT_FALSE(kv->sync()) << "what the first one left of the log is not known";
    const auto obstacle = kv->obstacle();
    ASSERT_TRUE(obstacle);
    EXPECT_TRUE(obstacle->for_good);
}

TEST_F(KvBrokenDisk, FullOneIsAnObstacleThatPasses) {
    const Tmpfs disk("64m");
    if (!disk.mounted()) GTEST_SKIP() << "needs the right to mount a tmpfs";
    const auto kv = open(disk / "db");
    disk.fill();
    EXPECT_FALSE(put(*kv, "key", false));
    const auto obstacle = kv->obstacle();
    ASSERT_TRUE(obstacle);
    EXPECT_FALSE(obstacle->for_good);
    EXPECT_NE(obstacle->reason.find("no space"), std::string::npos) << obstacle->reason;
    EXPECT_EQ(check_room(disk / "other/db").error().code, Code::no_space) << "of a folder that is still to be made";
    disk.free_up();
    EXPECT_FALSE(kv->obstacle());
    EXPECT_TRUE(check_room(disk / "other/db"));
    EXPECT_TRUE(put(*kv, "key", true));
}

TEST_F(KvBrokenDisk, ReadOnlyOneIsNamed) {
    const Tmpfs disk("64m");
    if (!disk.mounted()) GTEST_SKIP() << "needs the right to mount a tmpfs";
    ASSERT_EQ(::mount("", (disk / "").c_str(), "", MS_REMOUNT | MS_RDONLY, nullptr), 0);
    const auto room = check_room(disk / "db");
    ASSERT_FALSE(room);
    EXPECT_EQ(room.error().code, Code::permission);
    EXPECT_NE(room.error().context.find("read-only"), std::string::npos);
}

TEST(StoreWatch, OnlyWhatLastsForGoodIsAReasonToEnd) {
    StoreWatch watch;
    EXPECT_EQ(watch.saw(std::nullopt), "");
    EXPECT_EQ(watch.saw(KvObstacle{"no space", false}), "no space");
    EXPECT_FALSE(watch.failure());
    EXPECT_EQ(watch.saw(std::nullopt), "");
    EXPECT_EQ(watch.saw(KvObstacle{"it fails", true}), "it fails");
    EXPECT_EQ(watch.failure(), "it fails");
}

}  // namespace
}  // namespace millrace::state
