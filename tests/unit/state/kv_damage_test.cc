// What is damaged or missing of a database is refused by name; what a power cut leaves is not taken for damage.
#include <gtest/gtest.h>

#include <algorithm>

#include <filesystem>
#include <fstream>

#include "state/kv.h"
#include "state/log_records.h"
#include "tests/unit/state/temp_folder.h"

namespace millrace::state {
namespace {

namespace fs = std::filesystem;

const std::vector<FamilyOptions> kFamilies = {{"default"}, {"rows"}, {.name = "blobs", .blobs = true}};
constexpr int kDurable = 200;
constexpr int kRows = 300;

std::string row(int i) { return "row" + std::to_string(1000 + i); }
std::string value(int i) { return std::string(400, static_cast<char>('a' + i % 26)) + std::to_string(i); }

Result<void> put(Kv& kv, FamilyIndex family, int i, bool sync) {
    Batch batch;
    batch.put(family, row(i), value(i));
    return kv.write(std::move(batch), sync);
}

class KvDamage : public testing::Test {
protected:
    std::string database() const { return folder_ / "db"; }
    Result<std::unique_ptr<Kv>> open(bool accept_loss = false) const { return Kv::open(database(), kFamilies, {.accept_loss = accept_loss}); }

    // As a killed process leaves it: 200 rows made durable, one by one, then a hundred that were not.
    void make_killed() {
        auto kv = Kv::open(folder_ / "running", kFamilies, {});
        ASSERT_TRUE(kv) << kv.error().context;
        for (int i = 0; i < kRows; ++i) ASSERT_TRUE(put(**kv, 1, i, i < kDurable));
        fs::copy(folder_ / "running", database());
    }
    // Of everything that was flushed into files of their own.
    void make_flushed() {
        for (int round = 0; round < 3; ++round) {  // each opening flushes what the log has
            auto kv = open();
            ASSERT_TRUE(kv) << kv.error().context;
            for (int i = 0; i < kRows; ++i) {
                ASSERT_TRUE(put(**kv, 1, i, false));
                Batch batch;
                batch.put(2, row(i), value(i) + value(i));
                ASSERT_TRUE((*kv)->write(std::move(batch), false));
            }
        }
        ASSERT_TRUE(open());
    }
    // Of a copy: opening changes what it finds.
    Result<std::unique_ptr<Kv>> check_of_copy() const {
        const TempFolder other;
        fs::copy(database(), other / "db");
        return Kv::open(other / "db", kFamilies, {});
    }
    std::vector<fs::path> files(const std::string& what) const {
        std::vector<fs::path> found;
        for (const auto& entry : fs::directory_iterator(database())) {
            if (entry.path().filename().string().find(what) != std::string::npos) found.push_back(entry.path());
        }
        std::ranges::sort(found);
        return found;
    }
    fs::path log() const { return files(".log").back(); }
    static void flip(const fs::path& file, std::uint64_t at) {
        std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
        stream.seekg(static_cast<std::streamoff>(at));
        const char byte = static_cast<char>(stream.get() ^ 1);
        stream.seekp(static_cast<std::streamoff>(at));
        stream.put(byte);
    }
    static int rows_in(Kv& kv) {
        int count = 0;
        Cursor cursor = kv.cursor(1);
        for (cursor.seek(""); cursor.valid(); cursor.next()) ++count;
        EXPECT_TRUE(cursor.status());
        return count;
    }
    void expect_refused(const fs::path& file, const std::string& how) const {
        const auto kv = open();
        ASSERT_FALSE(kv) << how << ": opened as if nothing were";
        EXPECT_NE(kv.error().context.find(file.filename()), std::string::npos) << how << ": " << kv.error().context;
    }
    std::uint64_t durable_bytes() const { return fs::file_size(log()) * kDurable / kRows; }

    TempFolder folder_;
};

TEST_F(KvDamage, OneByteOfWhatWasDurableIsRefusedByName) {
    make_killed();
    const std::uint64_t durable = durable_bytes();
    for (const std::uint64_t at : {std::uint64_t{0}, std::uint64_t{4}, std::uint64_t{5}, std::uint64_t{6}, durable / 3, durable / 2, durable - 600}) {
        flip(log(), at);
        expect_refused(log(), "byte " + std::to_string(at));
        flip(log(), at);
    }
    const auto kv = open();
    ASSERT_TRUE(kv) << kv.error().context;
    EXPECT_EQ(rows_in(**kv), kRows);
}

// No power was lost, so what a killed process had written was all there. (A sector that happens to end in a zero could be one that was never
// written out.)
TEST_F(KvDamage, OneByteOfWhatAKilledProcessWroteIsRefusedByName) {
    make_killed();
    int tried = 0, refused = 0;
    for (std::uint64_t at = durable_bytes() + 1000; at < fs::file_size(log()); at += 1777, ++tried) {
        flip(log(), at);
        const auto kv = check_of_copy();
        if (!kv && kv.error().context.find(log().filename()) != std::string::npos) ++refused;
        flip(log(), at);
    }
    EXPECT_GE(tried, 10);
    EXPECT_GE(refused, tried - tried / 10);
    EXPECT_TRUE(open());
}

TEST_F(KvDamage, EveryByteOfALogThatWasClosedInOrderCounts) {
    {
        auto kv = open();
        ASSERT_TRUE(kv);
        for (int i = 0; i < 20; ++i) ASSERT_TRUE(put(**kv, 1, i, false));
    }
    const std::uint64_t size = fs::file_size(log());
    for (std::uint64_t at = 0; at < size; at += 97) {
        flip(log(), at);
        expect_refused(log(), "byte " + std::to_string(at));
        flip(log(), at);
    }
    EXPECT_TRUE(open());
}

TEST_F(KvDamage, LogThatLostItsDurableEndIsRefused) {
    make_killed();
    fs::resize_file(log(), durable_bytes() - 1000);
    expect_refused(log(), "shortened");
    fs::resize_file(log(), fs::file_size(log()) + 5000);  // zeros in its place
    expect_refused(log(), "zeros");
    const fs::path missing = log();
    fs::remove(missing);
    expect_refused(missing, "removed");
}

TEST_F(KvDamage, EndThatWasNeverDurableHeals) {
    make_killed();
    for (const std::uint64_t cut : {1u, 3000u, 20'000u}) {
        TempFolder other;
        fs::copy(database(), other / "db", fs::copy_options::recursive);
        fs::resize_file(other / ("db/" + log().filename().string()), fs::file_size(log()) - cut);
        const auto kv = Kv::open(other / "db", kFamilies, {});
        ASSERT_TRUE(kv) << kv.error().context;
        EXPECT_GE(rows_in(**kv), kDurable);
        EXPECT_LT(rows_in(**kv), kRows);
    }
}

TEST_F(KvDamage, PageThatAPowerCutLostBeforeOnesThatItKeptHeals) {
    make_killed();
    constexpr std::uint64_t kPage = 4096;
    const std::uint64_t lost = (durable_bytes() / kPage + 2) * kPage;
    ASSERT_LT(lost + 2 * kPage, fs::file_size(log()));
    std::fstream stream(log(), std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(static_cast<std::streamoff>(lost));
    stream << std::string(kPage, '\0');
    stream.close();
    {
        const auto kv = open();
        ASSERT_TRUE(kv) << kv.error().context;
        EXPECT_GE(rows_in(**kv), kDurable);
        EXPECT_LT(rows_in(**kv), kRows);
        ASSERT_TRUE(put(**kv, 0, 1, true));
    }
    EXPECT_TRUE(open());
}

TEST_F(KvDamage, LossThatIsAcceptedIsWhatCameAfterTheDamage) {
    make_killed();
    const std::string file = log().filename();
    flip(log(), durable_bytes() / 2);
    {
        const auto kv = open(true);
        ASSERT_TRUE(kv) << kv.error().context;
        const int rows = rows_in(**kv);
        EXPECT_GT(rows, kDurable / 2 - 10);
        EXPECT_LT(rows, kDurable / 2 + 10);
        for (int i = 0; i < rows; ++i) EXPECT_EQ(*(*kv)->get(1, row(i)), value(i));
        ASSERT_TRUE(put(**kv, 0, 1, true));
    }
    const auto kept = files("lost-");
    ASSERT_EQ(kept.size(), 1u);
    EXPECT_TRUE(fs::exists(kept.front() / file));
    const auto again = open();
    ASSERT_TRUE(again) << again.error().context;
    EXPECT_EQ(*(*again)->get(0, row(1)), value(1));
}

TEST_F(KvDamage, LossOfAMissingLogCanBeAccepted) {
    make_killed();
    fs::remove(log());
    const auto kv = open(true);
    ASSERT_TRUE(kv) << kv.error().context;
    EXPECT_EQ(rows_in(**kv), 0);
}

TEST_F(KvDamage, AcceptingALossTakesNothingFromAWholeDatabase) {
    make_killed();
    const auto kv = open(true);
    ASSERT_TRUE(kv) << kv.error().context;
    EXPECT_EQ(rows_in(**kv), kRows);
}

TEST_F(KvDamage, MissingFilesAreNamed) {
    make_flushed();
    for (const std::string what : {".sst", ".blob", "MANIFEST", "CURRENT"}) {
        ASSERT_FALSE(files(what).empty()) << what;
        for (const fs::path& file : files(what)) {
            fs::rename(file, folder_ / "aside");
            // RocksDB calls a table by its number alone
            expect_refused(what == ".sst" ? fs::path(std::to_string(std::stoi(file.stem().string()))) : file, file);
            fs::rename(folder_ / "aside", file);
        }
    }
    EXPECT_TRUE(open());
}

TEST_F(KvDamage, ShortenedFilesAreNamed) {
    make_flushed();
    for (const std::string what : {".sst", ".blob", "MANIFEST"}) {
        for (const fs::path& file : files(what)) {
            fs::copy_file(file, folder_ / "aside");
            fs::resize_file(file, fs::file_size(file) - 10);
            expect_refused(what == ".sst" ? fs::path(std::to_string(std::stoi(file.stem().string()))) : file, file);
            fs::rename(folder_ / "aside", file);
        }
    }
    EXPECT_TRUE(open());
}

TEST_F(KvDamage, OneByteOfAManifestIsRefusedByName) {
    make_flushed();
    const fs::path manifest = files("MANIFEST").back();
    for (std::uint64_t at = 0; at < fs::file_size(manifest); at += 61) {
        flip(manifest, at);
        expect_refused(manifest, "byte " + std::to_string(at));
        flip(manifest, at);
    }
}

TEST_F(KvDamage, OneByteOfATableOrABlobIsNeverAnotherValue) {
    make_flushed();
    for (const std::string what : {".sst", ".blob"}) {
        for (const fs::path& file : files(what)) {
            for (std::uint64_t at = 10; at < fs::file_size(file); at += fs::file_size(file) / 7 + 1) {
                flip(file, at);
                if (const auto kv = open()) {
                    for (int i = 0; i < kRows; ++i) {
                        const auto got = (*kv)->get(1, row(i));
                        if (got) EXPECT_EQ(*got, value(i)) << file << " byte " << at;
                        const auto blob = (*kv)->get(2, row(i));
                        if (blob) EXPECT_EQ(*blob, value(i) + value(i)) << file << " byte " << at;
                    }
                }
                flip(file, at);
            }
        }
    }
}

TEST_F(KvDamage, DatabaseWithoutMarksOpens) {
    make_killed();
    fs::remove(database() + "/durable");
    const auto kv = open();
    ASSERT_TRUE(kv) << kv.error().context;
    EXPECT_EQ(rows_in(**kv), kRows);
}

TEST_F(KvDamage, DamagedMarksLeaveTheOnesBefore) {
    make_killed();
    for (const std::uint64_t at : {30u, 4096u + 30u}) {
        flip(database() + "/durable", at);
        flip(log(), 5000);
        expect_refused(log(), "with one slot damaged");
        flip(log(), 5000);
        flip(database() + "/durable", at);
    }
}

TEST_F(KvDamage, LogsThatWereRemovedInOrderAreNotMissed) {
    {
        auto kv = Kv::open(database(), kFamilies, {.write_buffer_bytes = 64 << 10});
        ASSERT_TRUE(kv);
        for (int i = 0; i < 3000; ++i) ASSERT_TRUE(put(**kv, 1, i, i % 100 == 0));
    }
    const auto kv = open();
    ASSERT_TRUE(kv) << kv.error().context;
    EXPECT_EQ(rows_in(**kv), 3000);
}

TEST(LogFollower, FindsTheEndsOfRecordsHoweverTheyAreWritten) {
    TempFolder folder;
    {
        auto kv = Kv::open(folder / "db", kFamilies, {});
        ASSERT_TRUE(kv);
        for (int i = 0; i < 100; ++i) {
            Batch batch;
            batch.put(1, row(i), std::string(static_cast<std::size_t>(i) * 997 % 70'000, 'x'));
            ASSERT_TRUE((*kv)->write(std::move(batch), false));
        }
        fs::create_directory(folder / "copy");
        for (const auto& entry : fs::directory_iterator(folder / "db")) {  // a database that is open removes other files
            if (entry.path().extension() == ".log") fs::copy(entry.path(), folder / "copy");
        }
    }
    for (const auto& entry : fs::directory_iterator(folder / "copy")) {
        if ( fs::file_size(entry.path()) == 0) continue;
        std::ifstream stream(entry.path(), std::ios::binary);
        const std::string bytes{std::istreambuf_iterator<char>(stream), {}};
        const auto check = check_log(entry.path());
        ASSERT_TRUE(check);
        EXPECT_EQ(check->whole, bytes.size());
        for (const std::size_t piece : {std::size_t{1}, std::size_t{3}, std::size_t{4096}, bytes.size()}) {
            LogFollower follower;
            for (std::size_t at = 0; at < bytes.size(); at += piece) follower.append(std::string_view(bytes).substr(at, piece));
            EXPECT_EQ(follower.boundary(), bytes.size());
            follower.append("\1\2\3");
            EXPECT_EQ(follower.boundary(), bytes.size());
        }
    }
}

}  // namespace
}  // namespace millrace::state
