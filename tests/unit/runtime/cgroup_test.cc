#include "runtime/cgroup.h"

#include "fixture.h"

namespace millrace::runtime {
namespace {

// A machine as it looks from its root: the groups of process 42, and the files of control groups.
class Machine : public TempDir {
public:
    void write(const std::string& place, const std::string& text) const {
        const std::string file = path() + place;
        std::filesystem::create_directories(std::filesystem::path(file).parent_path());
        std::ofstream(file, std::ios::trunc) << text;
    }
    Result<Cgroup> group() const { return Cgroup::of_process(42, path()); }
};

TEST(Cgroup, ReadsTheFirstVersion) {
    const Machine machine;
    machine.write("/proc/42/cgroup",
                  "9:name=systemd:/\n5:memory:/libpod_parent/libpod-abc\n3:cpuset:/x\n2:cpu,cpuacct:/libpod_parent/libpod-abc\n0::/\n");
    machine.write("/sys/fs/cgroup/memory/libpod_parent/libpod-abc/memory.oom_control", "oom_kill_disable 0\nunder_oom 1\noom_kill 3\n");
    machine.write("/sys/fs/cgroup/memory/libpod_parent/libpod-abc/memory.usage_in_bytes", "67108864\n");
    machine.write("/sys/fs/cgroup/cpu,cpuacct/libpod_parent/libpod-abc/cpuacct.usage", "2500000000\n");
    const Cgroup group = machine.group().value();
    EXPECT_EQ(group.oom_kills().value(), 3u);
    EXPECT_EQ(group.memory_bytes().value(), 67'108'864u);
    EXPECT_DOUBLE_EQ(group.cpu_seconds().value(), 2.5);
}

TEST(Cgroup, ReadsTheSecondVersion) {
    const Machine machine;
    machine.write("/proc/42/cgroup", "0::/system.slice/docker-abc.scope\n");
    const std::string folder = "/sys/fs/cgroup/system.slice/docker-abc.scope/";
    machine.write(folder + "memory.events", "low 0\nhigh 0\nmax 12\noom 2\noom_kill 1\noom_group_kill 0\n");
    machine.write(folder + "memory.current", "4096\n");
    machine.write(folder + "cpu.stat", "usage_usec 1500000\nuser_usec 1000000\nsystem_usec 500000\n");
    const Cgroup group = machine.group().value();
    EXPECT_EQ(group.oom_kills().value(), 1u);
    EXPECT_EQ(group.memory_bytes().value(), 4096u);
    EXPECT_DOUBLE_EQ(group.cpu_seconds().value(), 1.5);
}

TEST(Cgroup, AnIdlingContainerKeepsItsNumbersUpToDate) {
    const Machine machine;
    machine.write("/proc/42/cgroup", "0::/c\n");
    machine.write("/sys/fs/cgroup/c/memory.events", "oom_kill 0\n");
    const Cgroup group = machine.group().value();
    EXPECT_EQ(group.oom_kills().value(), 0u);
    machine.write("/sys/fs/cgroup/c/memory.events", "oom_kill 1\n");
    EXPECT_EQ(group.oom_kills().value(), 1u);
}

TEST(Cgroup, AProcessThatIsGoneHasNone) { EXPECT_EQ(Machine().group().error().code, Code::not_found); }

TEST(Cgroup, GroupsOutOfSightAreNotGuessed) {
    const Machine machine;
    for (const char* listing : {"0::/../libpod-abc\n", "9:name=systemd:/\n", "4:memory:/a\n", "", "garbage\n:\n"}) {
        machine.write("/proc/42/cgroup", listing);
        EXPECT_EQ(machine.group().error().code, Code::not_found) << listing;
    }
}

TEST(Cgroup, AGroupThatWasRemovedIsAnError) {
    const Machine machine;
    machine.write("/proc/42/cgroup", "0::/c\n");
    const Cgroup group = machine.group().value();
    EXPECT_EQ(group.oom_kills().error().code, Code::not_found);
    EXPECT_EQ(group.memory_bytes().error().code, Code::not_found);
    EXPECT_EQ(group.cpu_seconds().error().code, Code::not_found);
}

TEST(Cgroup, WhatIsNoNumberIsAnError) {
    const Machine machine;
    machine.write("/proc/42/cgroup", "0::/c\n");
    const Cgroup group = machine.group().value();
    for (const char* text : {"", "oom_kill\n", "oom_kill x\n", "oom_kill -1\n", "oom 4\n", "oom_kill 1x\n"}) {
        machine.write("/sys/fs/cgroup/c/memory.events", text);
        EXPECT_EQ(group.oom_kills().error().code, Code::corrupt) << text;
    }
    machine.write("/sys/fs/cgroup/c/memory.current", "max\n");
    EXPECT_EQ(group.memory_bytes().error().code, Code::corrupt);
}

}  // namespace
}  // namespace millrace::runtime
