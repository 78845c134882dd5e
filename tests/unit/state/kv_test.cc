#include "state/kv.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "core/fault.h"
#include "tests/unit/state/temp_folder.h"

namespace millrace::state {
namespace {

const std::vector<FamilyOptions> kFamilies = {{"default"}, {"rows"}, {.name = "blobs", .blobs = true}};

std::unique_ptr<Kv> open_kv(const std::string& folder) {
    auto kv = Kv::open(folder, kFamilies, {});
    EXPECT_TRUE(kv) << kv.error().context;
    return kv ? std::move(*kv) : nullptr;
}

void put(Kv& kv, FamilyIndex family, std::string_view key, std::string_view value, bool sync = false) {
    Batch batch;
    batch.put(family, key, value);
    ASSERT_TRUE(kv.write(std::move(batch), sync));
}

std::vector<std::string> keys(Cursor cursor, std::string_view from) {
    std::vector<std::string> found;
    for (cursor.seek(from); cursor.valid(); cursor.next()) found.emplace_back(cursor.key());
    EXPECT_TRUE(cursor.status());
    return found;
}

TEST(Kv, ReturnsWhatWasWritten) {
    TempFolder folder;
    const auto kv = open_kv(folder / "db");
    put(*kv, 1, "key", "value");
    EXPECT_EQ(*kv->get(1, "key"), "value");
    EXPECT_EQ(*kv->get(0, "key"), std::nullopt);
    EXPECT_EQ(*kv->get(1, "kex"), std::nullopt);
}

TEST(Kv, KeepsEmptyValuesAndBinaryKeys) {
    TempFolder folder;
    const auto kv = open_kv(folder / "db");
    const std::string key("a\0b\xff", 4);
    put(*kv, 1, key, "");
    EXPECT_EQ(*kv->get(1, key), "");
}

TEST(Kv, BatchTouchesSeveralFamiliesInOrder) {
    TempFolder folder;
    const auto kv = open_kv(folder / "db");
    put(*kv, 1, "gone", "x");
    Batch batch;
    EXPECT_TRUE(batch.empty());
    batch.put(0, "a", "1");
    batch.erase(1, "gone");
    batch.put(1, "kept", "first");
    batch.put(1, "kept", "second");
    EXPECT_FALSE(batch.empty());
    EXPECT_GT(batch.bytes(), 0u);
    ASSERT_TRUE(kv->write(std::move(batch), true));
    EXPECT_EQ(*kv->get(0, "a"), "1");
    EXPECT_EQ(*kv->get(1, "gone"), std::nullopt);
    EXPECT_EQ(*kv->get(1, "kept"), "second");
}

TEST(Kv, ErasesAHalfOpenRange) {
    TempFolder folder;
    const auto kv = open_kv(folder / "db");
    for (const char* key : {"a", "b", "c", "d"}) put(*kv, 1, key, "x");
    Batch batch;
    batch.erase_range(1, "b", "d");
    ASSERT_TRUE(kv->write(std::move(batch), false));
    EXPECT_EQ(keys(kv->cursor(1), ""), (std::vector<std::string>{"a", "d"}));
}

TEST(Kv, CursorStopsAtItsBoundAndStartsAtItsKey) {
    TempFolder folder;
    const auto kv = open_kv(folder / "db");
    for (const char* key : {"a/1", "a/2", "a/3", "b/1"}) put(*kv, 1, key, "x");
    EXPECT_EQ(keys(kv->cursor(1, prefix_end("a/")), "a/2"), (std::vector<std::string>{"a/2", "a/3"}));
    EXPECT_EQ(keys(kv->cursor(1), "a/25"), (std::vector<std::string>{"a/3", "b/1"}));
    EXPECT_TRUE(keys(kv->cursor(1, "a/1"), "").empty());
}

TEST(Kv, CursorSeesOneSnapshot) {
    TempFolder folder;
    const auto kv = open_kv(folder / "db");
    put(*kv, 1, "a", "old");
    Cursor cursor = kv->cursor(1);
    put(*kv, 1, "a", "new");
    put(*kv, 1, "b", "new");
    Cursor moved = std::move(cursor);
    moved.seek("");
    ASSERT_TRUE(moved.valid());
    EXPECT_EQ(moved.value(), "old");
    moved.next();
    EXPECT_FALSE(moved.valid());
}

TEST(Kv, SurvivesReopening) {
    TempFolder folder;
    const std::string large(100'000, 'x');
    {
        const auto kv = open_kv(folder / "db");
        put(*kv, 1, "row", "value");
        put(*kv, 2, "blob", large);
        ASSERT_TRUE(kv->sync());
    }
    const auto kv = open_kv(folder / "db");
    EXPECT_EQ(*kv->get(1, "row"), "value");
    EXPECT_EQ(*kv->get(2, "blob"), large);
}

TEST(Kv, OpensWithAFamilyThatIsNewSinceLastTime) {
    TempFolder folder;
    { ASSERT_TRUE(Kv::open(folder / "db", {{"default"}, {"rows"}}, {})); }
    const auto kv = open_kv(folder / "db");
    put(*kv, 2, "key", "value");
    EXPECT_EQ(*kv->get(2, "key"), "value");
}

TEST(Kv, LeavesTheFamiliesOfOthersAlone) {
    TempFolder folder;
    { ASSERT_TRUE(Kv::open(folder / "db", {{"default"}, {"theirs"}}, {})); }
    {
        const auto kv = open_kv(folder / "db");
        const auto got = kv->get(1, "key");
        ASSERT_FALSE(got);
        EXPECT_EQ(got.error().code, Code::conflict);
        Cursor cursor = kv->cursor(1);
        cursor.seek("");
        EXPECT_FALSE(cursor.valid());
        EXPECT_FALSE(cursor.status());
        Batch batch;
        batch.put(1, "key", "value");
        EXPECT_FALSE(kv->write(std::move(batch), false));
    }
    EXPECT_TRUE(Kv::open(folder / "db", {{"default"}, {"theirs"}}, {}));
}

// Another process that holds the lock file of a database. It must not touch RocksDB: a fork has none of its threads.
class LockHolder {
public:
    explicit LockHolder(const std::string& lock_file) {
        if (::pipe(ready_) != 0 || ::pipe(done_) != 0) return;
        child_ = ::fork();
        if (child_ != 0) return;
        ::close(done_[1]);
        const int file = ::open(lock_file.c_str(), O_RDWR | O_CREAT, 0600);
        struct flock lock {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0, .l_pid = 0};
        char byte = ::fcntl(file, F_SETLK, &lock) == 0 ? 'y' : 'n';
        (void)!::write(ready_[1], &byte, 1);
        (void)!::read(done_[0], &byte, 1);
        ::_exit(0);
    }
    ~LockHolder() {
        for (const int end : {done_[0], done_[1], ready_[0], ready_[1]}) ::close(end);
        ::waitpid(child_, nullptr, 0);
    }
    bool holds() const {
        char byte = 'n';
        return ::read(ready_[0], &byte, 1) == 1 && byte == 'y';
    }

private:
    int ready_[2];
    int done_[2];
    pid_t child_ = -1;
};

TEST(Kv, SaysThatAnotherProcessHoldsTheFolder) {
    TempFolder folder;
    { open_kv(folder / "db"); }
    const LockHolder other(folder / "db/LOCK");
    ASSERT_TRUE(other.holds());
    const auto second = Kv::open(folder / "db", kFamilies, {});
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, Code::conflict);
    EXPECT_NE(second.error().context.find("in use by another millrace process"), std::string::npos) << second.error().context;
}

TEST(Kv, SaysThatThisProcessHoldsTheFolder) {
    TempFolder folder;
    const auto first = open_kv(folder / "db");
    const auto second = Kv::open(folder / "db", kFamilies, {});
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, Code::conflict) << second.error().context;
}

TEST(Kv, NamesTheFolderOfADamagedDatabase) {
    TempFolder folder;
    { open_kv(folder / "db"); }
    for (const auto& entry : std::filesystem::directory_iterator(folder / "db")) {
        if (entry.path().filename().string().starts_with("MANIFEST")) std::filesystem::resize_file(entry.path(), 10);
    }
    const auto kv = Kv::open(folder / "db", kFamilies, {});
    ASSERT_FALSE(kv);
    EXPECT_EQ(kv.error().code, Code::corrupt) << kv.error().context;
    EXPECT_NE(kv.error().context.find(folder / "db"), std::string::npos);
}

TEST(Kv, InjectedErrorsComeBackFromWrite) {
    TempFolder folder;
    const auto kv = open_kv(folder / "db");
    ::setenv("MILLRACE_FAULT", "kv.before_write:1:no_space", 1);
    ASSERT_TRUE(fault::arm_from_environment());
    Batch batch;
    batch.put(1, "key", "value");
    const auto written = kv->write(std::move(batch), false);
    fault::armed = false;
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().code, Code::no_space);
    EXPECT_EQ(*kv->get(1, "key"), std::nullopt);
}

TEST(PrefixEnd, IsTheFirstKeyBehindThePrefix) {
    EXPECT_EQ(prefix_end("abc"), "abd");
    EXPECT_EQ(prefix_end("ab\xff"), "ac");
    EXPECT_EQ(prefix_end("\xff\xff"), "");
    EXPECT_EQ(prefix_end(""), "");
    EXPECT_EQ(prefix_end(std::string("a\0", 2)), "a\x01");
}

TEST(Kv, ItsAgeRisesWithEveryChangeAndOnlyACopyIsYounger) {
    TempFolder folder;
    std::uint64_t told = 0;
    {
        const auto kv = open_kv(folder / "db");
        put(*kv, 0, "a", "1");
        EXPECT_EQ(kv->durable_age(), 0u) << "nothing is durable yet";
        put(*kv, 0, "b", "1", true);
        EXPECT_EQ(kv->durable_age(), kv->age_at_opening() + 2);
        put(*kv, 0, "c", "1");
        ASSERT_TRUE(kv->sync());
        told = kv->durable_age();
        EXPECT_EQ(told, kv->age_at_opening() + 3);
    }
    std::filesystem::copy(folder / "db", folder / "copy", std::filesystem::copy_options::recursive);
    {
        const auto kv = open_kv(folder / "db");
        EXPECT_GE(kv->age_at_opening(), told);
        put(*kv, 0, "d", "1", true);
        told = kv->durable_age();
    }
    EXPECT_GE(open_kv(folder / "db")->age_at_opening(), told);
    EXPECT_LT(open_kv(folder / "copy")->age_at_opening(), told);
}

}  // namespace
}  // namespace millrace::state
