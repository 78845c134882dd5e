// The process is killed, or gets an error, at each fault point of the store; then the store is opened again.
//
// The process that dies is this executable, started again with one disabled test: a fork would lack RocksDB's threads.
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <limits>

#include "tests/unit/store/store_fixture.h"

namespace millrace::store {
namespace {

constexpr const char* kFolderVariable = "MILLRACE_TEST_STORE";
constexpr const char* kScenarioVariable = "MILLRACE_TEST_SCENARIO";

struct Case {
    std::string point;
    std::string before;  // "", "small" or "large": what was there
    std::string after;   // "small", "large", "upload" (in pieces), "erase" or "destroy"
};
std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.point << "_" << c.before << "_" << c.after; }

std::string text_of(const std::string& form, unsigned seed) { return content(form == "large" || form == "upload" ? 5000 : 100, seed); }

class CrashBase : public StoreFixture {
protected:
    void prepare(const std::string& before) {
        ASSERT_TRUE(put("other", content(3000, 9)));
        if (!before.empty()) ASSERT_TRUE(put("name", text_of(before, 1)));
        ASSERT_TRUE(store_->sync());
    }
    Result<void> change(const std::string& after) {
        if (after == "erase") MILLRACE_TRY(store_->erase("photos", "name"));
        else if (after == "destroy") MILLRACE_TRY(destroy());
        else if (after == "upload") MILLRACE_TRY(upload(text_of(after, 2)));
        else MILLRACE_TRY(put("name", text_of(after, 2)));
        return store_->sync();
    }
    Result<void> destroy() {
        MILLRACE_TRY(store_->destroy_bucket("photos"));
        store_->wait_for_removals();
        return {};
    }
    Result<void> upload(const std::string& text) {
        MILLRACE_TRY_ASSIGN(const DraftName draft, store_->drafts().begin("photos", "name"));
        const std::size_t half = text.size() / 2;
        for (const auto& [number, part] : {std::pair(1u, text.substr(0, half)), std::pair(2u, text.substr(half))}) {
            MILLRACE_TRY_ASSIGN(const auto writer, store_->drafts().write_piece(draft, number, {}));
            MILLRACE_TRY(run_blocking(loop_, writer->write(as_bytes(part))));
            MILLRACE_TRY(writer->commit());
        }
        MILLRACE_TRY(run_blocking(loop_, store_->drafts().publish(draft, {1, 2}, {})));
        return {};
    }
    // The old or the new, whole, and not a file more than there should be.
    void expect_old_or_new(const Case& c) {
        ASSERT_TRUE(store_->has_bucket("photos") || c.after == "destroy");
        store_->wait_for_removals();
        if (!store_->has_bucket("photos")) {
            EXPECT_EQ(files_on_disk(), 0u);
            return;
        }
        std::size_t files = 1;
        EXPECT_EQ(*get("other"), content(3000, 9));
        const auto text = get("name");
        if (!text) {
            EXPECT_EQ(text.error().code, Code::not_found) << text.error().context;
            EXPECT_TRUE(c.before.empty() || c.after == "erase");
        } else {
            const bool is_old = !c.before.empty() && *text == text_of(c.before, 1);
            const bool is_new = *text == text_of(c.after, 2);
            EXPECT_TRUE(is_old || is_new);
            EXPECT_TRUE(verify("name"));
            files += text->size() > kSmallMax;
        }
        EXPECT_EQ(files_on_disk(), files);
        EXPECT_EQ(notes(), 0u);
        store_->drafts().expire(std::numeric_limits<std::int64_t>::max());
        store_->wait_for_removals();
        EXPECT_TRUE(std::filesystem::is_empty(folder_ / "target/drafts"));
        EXPECT_TRUE(put("name", text_of("large", 3)));
        EXPECT_EQ(*get("name"), text_of("large", 3));
    }
};

class CrashScenario : public CrashBase {
protected:
    void SetUp() override {}
    LocalStoreOptions options() const override { return {.folder = ::getenv(kFolderVariable), .mountpaths = {}, .unlink_delay = std::chrono::hours(1)}; }
    std::string database() const override { return std::string(::getenv(kFolderVariable)) + "/db"; }
};

TEST_F(CrashScenario, DISABLED_Run) {
    ASSERT_NE(::getenv(kFolderVariable), nullptr);
    open_store();
    ASSERT_TRUE(fault::arm_from_environment());
    (void)change(::getenv(kScenarioVariable));
}

class Crash : public CrashBase, public testing::WithParamInterface<Case> {
protected:
    // The status of a process that opens the store and makes the change with a fault armed.
    int run_scenario(const std::string& after, const std::string& fault) {
        ::setenv(kFolderVariable, (folder_ / "target").c_str(), 1);
        ::setenv(kScenarioVariable, after.c_str(), 1);
        ::setenv("MILLRACE_FAULT", fault.c_str(), 1);
        // What the killed process leaves behind goes with this test's folder.
        const char* temporary = ::getenv("TMPDIR");
        const std::string temporary_before = temporary == nullptr ? "" : temporary;
        ::setenv("TMPDIR", folder_.path().c_str(), 1);
        std::string self = std::filesystem::read_symlink("/proc/self/exe");
        std::string filter = "--gtest_filter=CrashScenario.DISABLED_Run";
        std::string disabled = "--gtest_also_run_disabled_tests";
        std::string quiet = "--gtest_brief=1";
        char* arguments[] = {self.data(), filter.data(), disabled.data(), quiet.data(), nullptr};
        pid_t child = -1;
        const int spawned = ::posix_spawn(&child, self.c_str(), nullptr, nullptr, arguments, environ);
        ::unsetenv("MILLRACE_FAULT");
        if (temporary == nullptr) ::unsetenv("TMPDIR");
        else ::setenv("TMPDIR", temporary_before.c_str(), 1);
        int status = 0;
        if (spawned != 0 || ::waitpid(child, &status, 0) != child) return -1;
        return status;
    }
};

TEST_P(Crash, LeavesTheOldOrTheNewWhole) {
    const Case& c = GetParam();
    prepare(c.before);
    close_store();
    const int status = run_scenario(c.after, c.point + ":1:kill");
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
    open_store();
    expect_old_or_new(c);
}

std::vector<Case> kill_cases() {
    std::vector<Case> cases;
    for (const std::string before : {"", "small", "large"}) {
        for (const std::string after : {"small", "large"}) {
            for (const std::string point : {"store.before_index", "store.after_index", "kv.before_write", "kv.after_write"}) {
                cases.push_back({point, before, after});
            }
            if (after == "large") {
                for (const std::string point : {"store.before_rename", "store.after_rename"}) cases.push_back({point, before, after});
            }
            if (before == "large") cases.push_back({"store.before_unlink", before, after});
        }
    }
    for (const std::string before : {"small", "large"}) {
        for (const std::string point : {"kv.before_write", "kv.after_write"}) {
            cases.push_back({point, before, "erase"});
            cases.push_back({point, before, "destroy"});
        }
        cases.push_back({"store.before_folder_removal", before, "destroy"});
    }
    cases.push_back({"store.before_unlink", "large", "erase"});
    for (const std::string point : {"store.before_draft_piece", "store.after_draft_piece", "store.before_draft_publish", "store.after_draft_publish",
                                    "store.before_rename", "store.after_rename", "store.before_index", "store.after_index", "kv.before_write"}) {
        cases.push_back({point, "large", "upload"});
    }
    return cases;
}

std::string case_name(const testing::TestParamInfo<Case>& info) {
    std::string name = testing::PrintToString(info.param);
    std::ranges::replace(name, '.', '_');
    return name;
}

INSTANTIATE_TEST_SUITE_P(Points, Crash, testing::ValuesIn(kill_cases()), case_name);

class StoreFaults : public CrashBase {};

TEST_F(StoreFaults, FailedCommitLeavesTheOldAndNoFile) {
    prepare("large");
    for (const std::string point : {"store.before_rename", "store.after_rename", "store.before_index"}) {
        for (const auto& [action, code] : {std::pair("no_space", Code::no_space), std::pair("io", Code::io)}) {
            arm((point + ":1:" + action).c_str());
            const auto failed = put("name", text_of("large", 2));
            fault::armed = false;
            EXPECT_EQ(code_of(failed), code) << point;
            EXPECT_EQ(*get("name"), text_of("large", 1));
            EXPECT_EQ(files_on_disk(), 2u) << point;
            EXPECT_EQ(notes(), 0u) << point;
        }
    }
}

TEST_F(StoreFaults, CommitWhoseWriteFailedIsSettledByTheNextSync) {
    prepare("large");
    arm("kv.before_write:1:io");
    const auto failed = put("name", text_of("large", 2));
    fault::armed = false;
    EXPECT_EQ(code_of(failed), Code::io);
    EXPECT_EQ(*get("name"), text_of("large", 1));
    ASSERT_TRUE(store_->sync());
    EXPECT_EQ(files_on_disk(), 2u);
}

TEST_F(StoreFaults, ErrorAfterTheSwitchIsAnErrorAlthoughTheNewIsThere) {
    prepare("large");
    arm("store.after_index:1:io");
    const auto failed = put("name", text_of("large", 2));
    fault::armed = false;
    EXPECT_EQ(code_of(failed), Code::io);
    EXPECT_EQ(*get("name"), text_of("large", 2));
    ASSERT_TRUE(store_->sync());
    EXPECT_EQ(files_on_disk(), 2u);
}

TEST_F(StoreFaults, FileThatCouldNotBeRemovedGoesAtTheNextStart) {
    prepare("large");
    ASSERT_TRUE(put("name", text_of("large", 2)));
    arm("store.before_unlink:1:io");
    EXPECT_TRUE(store_->sync());
    fault::armed = false;
    EXPECT_EQ(files_on_disk(), 3u);
    open_store();
    EXPECT_EQ(files_on_disk(), 2u);
    EXPECT_EQ(*get("name"), text_of("large", 2));
}

TEST_F(StoreFaults, LeftoversAreRemovedAtTheStartAndNothingElse) {
    prepare("large");
    const std::filesystem::path used = file_of("name");
    std::ofstream(folder_ / "target/tmp/12") << "half written";
    std::ofstream(used.parent_path() / "leftover") << "published, never recorded";
    const std::filesystem::path objects = std::filesystem::canonical(folder_ / "target/objects");
    const auto record = ObjectIndex(*kv_).find(object_key("photos", "name"));
    const std::string mountpath = (*record)->location.mountpath;
    state::Batch batch;
    Durability::remember(batch, {mountpath, (used.parent_path() / "leftover").lexically_relative(objects)}, object_key("photos", "name"));
    Durability::remember(batch, {mountpath, used.lexically_relative(objects)}, object_key("photos", "name"));
    Durability::remember(batch, {mountpath, "photos/1/00/1/never-there"}, object_key("photos", "unknown"));
    Durability::remember(batch, {"mp-away", "photos/1/00/1/file"}, object_key("photos", "unknown"));
    ASSERT_TRUE(kv_->write(std::move(batch), false));
    open_store();
    EXPECT_EQ(files_on_disk(), 2u);
    EXPECT_EQ(*get("name"), text_of("large", 1));
    EXPECT_EQ(notes(), 1u);  // of the mountpath that is away
}

TEST_F(StoreFaults, DestructionThatWasInterruptedIsFinishedAtTheStart) {
    prepare("large");
    const std::filesystem::path used = file_of("name");
    const std::filesystem::path objects = std::filesystem::canonical(folder_ / "target/objects");
    const std::string relative = used.lexically_relative(objects);
    const std::string generation_folder = relative.substr(0, relative.find('/', std::string("photos/").size()));
    state::Batch batch;
    batch.erase(state::target_family::buckets, "photos");
    ObjectIndex::erase_bucket(batch, "photos");
    batch.put(state::target_family::meta, "destroying/" + generation_folder, "");
    ASSERT_TRUE(kv_->write(std::move(batch), true));
    open_store();
    store_->wait_for_removals();
    EXPECT_EQ(files_on_disk(), 0u);
    EXPECT_FALSE(std::filesystem::exists(objects / "photos"));
    EXPECT_EQ(*kv_->get(state::target_family::meta, "destroying/" + generation_folder), std::nullopt);
}

TEST_F(StoreFaults, RemovalOfABucketIsWaitedForByNobody) {
    for (int i = 0; i < 50; ++i) ASSERT_TRUE(put("large" + std::to_string(i), content(5000)));
    arm("store.before_folder_removal:20:io");  // somewhere on the way
    ASSERT_TRUE(store_->destroy_bucket("photos"));
    store_->wait_for_removals();
    fault::armed = false;
    EXPECT_FALSE(store_->has_bucket("photos"));
    const std::size_t left = files_on_disk();
    EXPECT_GT(left, 0u);
    EXPECT_LT(left, 50u);
    ASSERT_TRUE(store_->create_bucket("photos", kSmallMax));  // another, beside what is left of the first
    ASSERT_TRUE(put("large", content(5000)));
    open_store();
    store_->wait_for_removals();
    EXPECT_EQ(files_on_disk(), 1u);
    EXPECT_EQ(*get("large"), content(5000));
}

class ImpatientStore : public StoreFixture {
protected:
    LocalStoreOptions options() const override {
        LocalStoreOptions options = StoreFixture::options();
        options.unlink_delay = std::chrono::milliseconds(1);
        return options;
    }
};

TEST_F(ImpatientStore, RemovesReplacedFilesByItself) {
    ASSERT_TRUE(put("name", text_of("large", 1)));
    ASSERT_TRUE(put("name", text_of("large", 2)));
    const Instant deadline = steady_now() + std::chrono::seconds(20);
    while (notes() > 0 && steady_now() < deadline) std::this_thread::yield();
    EXPECT_EQ(notes(), 0u);
    EXPECT_EQ(files_on_disk(), 1u);
}

}  // namespace
}  // namespace millrace::store
