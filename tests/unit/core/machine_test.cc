#include "core/machine.h"

#include <gtest/gtest.h>

#include "core/vitals.h"

namespace millrace {
namespace {

TEST(Machine, SaysWhatThisProcessUses) {
    std::vector<char> memory(64 << 20, 'x');  // touched, and so resident
    const MachineUse use = measure_machine();
    EXPECT_GT(use.process.resident_bytes, memory.size());
    EXPECT_GE(use.process.virtual_bytes, use.process.resident_bytes);
    EXPECT_GT(use.process.running_ns, 0u);
    EXPECT_GT(use.memory.total, use.process.resident_bytes);
    EXPECT_GT(use.memory.available, 0u);
    EXPECT_LE(use.memory.available, use.memory.total);
    EXPECT_GE(use.processors, 1u);
}

TEST(Machine, ADiskHasWhatIsUsedAndWhatIsLeft) {
    const DiskUse disk = measure_disk("/");
    EXPECT_GT(disk.used_bytes + disk.available_bytes, 0u);
    EXPECT_FALSE(disk.filesystem.empty());
    EXPECT_GE(disk.used_percent(), 0);
    EXPECT_LE(disk.used_percent(), 100);
    EXPECT_EQ(measure_disk("/no/such/folder").available_bytes, 0u);
    EXPECT_EQ(DiskUse{}.used_percent(), 0);
}

TEST(Machine, ADiskThatIsNotThereIsIdle) {
    DiskWatch watch;
    const auto rates = watch.rates({"no-such-disk", ""});
    ASSERT_EQ(rates.size(), 1u) << "what is no block device has no rates";
    EXPECT_EQ(rates.at("no-such-disk").read_bytes_per_second, 0u);
    EXPECT_EQ(rates.at("no-such-disk").busy_percent, 0);
}

TEST(Vitals, HaveTheFoldersThatWereGiven) {
    Vitals vitals({"/", "/tmp"});
    const nlohmann::json document = vitals.measure();
    ASSERT_EQ(document["disks"].size(), 2u);
    EXPECT_EQ(document["disks"][1]["folder"], "/tmp");
    EXPECT_GT(document["memory"]["total"].get<std::uint64_t>(), 0u);
    EXPECT_EQ(document["load"].size(), 3u);
    EXPECT_TRUE(document["rates"].is_object());
    EXPECT_EQ(Vitals({}).measure()["disks"], nlohmann::json::array());
}

}  // namespace
}  // namespace millrace
