#include <signal.h>

#include "process_fixture.h"
#include "runtime/pid_file.h"
#include "runtime/process_table.h"
#include "runtime/spawn.h"

namespace millrace::runtime {
namespace {

class Leftovers : public ::testing::Test {
protected:
    // A server of a target that was killed: a session whose leader may be dead already.
    Child session(const std::string& script) {
        SpawnRequest request;
        request.file = "/bin/sh";
        request.argv = {"sh", "-c", script};
        request.env = {"PATH=/usr/bin:/bin"};
        request.folder = dir_.path();
        auto child = spawn(request);
        EXPECT_TRUE(child.has_value());
        return std::move(*child);
    }
    static PidRecord record_of(const Child& child) {
        return {child.pid(), process_info(child.pid())->start_time, pid_realm(), ""};
    }
    void write(const std::string& instance, const PidRecord& record) {
        std::filesystem::create_directories(dir_.path() + "/runtime/" + instance);
        ASSERT_TRUE(write_pid_file(dir_.path() + "/runtime/" + instance + "/pid", record).has_value());
    }
    bool has_words(const std::string& file, std::size_t count) { return words_in(dir_.path() + '/' + file) == count; }
    int number_in(const std::string& file) {
        std::ifstream in(dir_.path() + '/' + file);
        int number = 0;
        in >> number;
        return number;
    }

    TempDir dir_;
};

TEST_F(Leftovers, ServersAndTheirChildrenAreKilled) {
    const Child child = session("sleep 1000 & echo $! > grandchild; wait");
    ASSERT_TRUE(eventually([&] { return has_words("grandchild", 1); }));
    write("a-server", record_of(child));
    remove_leftovers(dir_.path() + "/runtime");
    EXPECT_FALSE(is_alive(child.pid()));
    EXPECT_FALSE(is_alive(number_in("grandchild")));
    EXPECT_TRUE(std::filesystem::is_empty(dir_.path() + "/runtime"));
}

TEST_F(Leftovers, OrphansOfADeadLeaderAreKilled) {
    int orphan = 0;
    {
        // The leader is reaped here, which also kills its group; the orphan is in a group of its own.
        Child child = session("python3 -c 'import os, time\nos.setpgid(0, 0)\nprint(os.getpid(), flush=True)\ntime.sleep(1000)' "
                              "> grandchild & exec sleep 1000");
        ASSERT_TRUE(eventually([&] { return has_words("grandchild", 1); }));
        orphan = number_in("grandchild");
        write("a-server", record_of(child));
    }
    ASSERT_TRUE(is_alive(orphan));
    remove_leftovers(dir_.path() + "/runtime");
    EXPECT_FALSE(is_alive(orphan));
}

TEST_F(Leftovers, OtherProcessesAreLeftAlone) {
    const Child child = session("exec sleep 1000");
    PidRecord reused = record_of(child);
    reused.start_time += 1;
    write("reused", reused);
    PidRecord elsewhere = record_of(child);
    elsewhere.realm = "another-boot/pid:[1]";
    write("elsewhere", elsewhere);
    write("init", {1, process_info(1)->start_time, pid_realm(), "/etc"});
    std::filesystem::create_directories(dir_.path() + "/runtime/empty");
    std::ofstream(dir_.path() + "/runtime/empty/pid") << "nonsense";
    remove_leftovers(dir_.path() + "/runtime");
    EXPECT_TRUE(is_alive(child.pid()));
    EXPECT_TRUE(std::filesystem::exists("/etc"));
    EXPECT_TRUE(std::filesystem::is_empty(dir_.path() + "/runtime"));
}

TEST_F(Leftovers, DaemonsOfRunsAreKilled) {
    std::filesystem::create_directories(dir_.path() + "/runtime/a-filter-1/run-0.1");
    Marks marks(dir_.path() + "/runtime");
    SpawnRequest request;
    request.file = "/bin/sh";
    request.argv = {"sh", "-c", "(env -i /usr/bin/setsid /bin/sh -c 'echo $$ > " + dir_.path() + "/daemon; exec sleep 1000' &)"};
    request.env = {"PATH=/usr/bin:/bin"};
    request.folder = dir_.path();
    request.mark = marks.next_run();
    auto child = spawn(request);
    ASSERT_TRUE(child.has_value());
    EXPECT_TRUE(child->reap().ok());
    ASSERT_TRUE(eventually([&] { return has_words("daemon", 1); }));
    ASSERT_TRUE(is_alive(number_in("daemon")));
    remove_leftovers(dir_.path() + "/runtime");
    EXPECT_FALSE(is_alive(number_in("daemon")));
    EXPECT_TRUE(std::filesystem::is_empty(dir_.path() + "/runtime"));
}

TEST_F(Leftovers, NoFolderIsNothingToDo) { remove_leftovers(dir_.path() + "/nowhere"); }

TEST_F(Leftovers, LinksAreNotFollowed) {
    std::filesystem::create_directories(dir_.path() + "/runtime");
    std::filesystem::create_directories(dir_.path() + "/precious/inner");
    std::filesystem::create_directory_symlink(dir_.path() + "/precious", dir_.path() + "/runtime/link");
    remove_leftovers(dir_.path() + "/runtime");
    EXPECT_TRUE(std::filesystem::exists(dir_.path() + "/precious/inner"));
}

class LeftoversOfAServer : public ProcessTest {};

TEST_F(LeftoversOfAServer, PidFileNamesTheServer) {
    ASSERT_TRUE(start(server_spec()).has_value());
    const auto record = read_pid_file(dir_.path() + "/instance/pid");
    ASSERT_TRUE(record.has_value());
    EXPECT_EQ(record->pid, instance_->status().pid);
    EXPECT_EQ(record->start_time, process_info(record->pid)->start_time);
    EXPECT_EQ(record->realm, pid_realm());
    EXPECT_EQ(process_info(record->pid)->session, record->pid);
}

}  // namespace
}  // namespace millrace::runtime
