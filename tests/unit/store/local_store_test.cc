#include <sys/stat.h>

#include <fstream>

#include "core/names.h"
#include "tests/unit/store/store_fixture.h"

namespace millrace::store {
namespace {

class LocalStoreTest : public StoreFixture {};

TEST_F(LocalStoreTest, GivesBackWhatWasPutAtEveryEdgeOfTheThreshold) {
    for (const std::size_t bytes : {0ul, 1ul, kSmallMax - 1, kSmallMax, kSmallMax + 1, 300'000ul}) {
        const std::string name = "dir/of " + std::to_string(bytes) + ".bin";
        const auto put_info = put(name, content(bytes));
        ASSERT_TRUE(put_info) << put_info.error().context;
        EXPECT_EQ(*get(name), content(bytes));
        EXPECT_TRUE(verify(name));
        const ObjectInfo info = *store_->stat("photos", name);
        EXPECT_EQ(info.size, bytes);
        EXPECT_EQ(info.checksum, xxh64(content(bytes)));
        EXPECT_EQ(info.version, put_info->version);
        EXPECT_GT(info.written_unix_ns, 0);
        const std::string file = file_of(name);
        EXPECT_EQ(file.empty(), bytes <= kSmallMax) << file;
        if (!file.empty()) EXPECT_EQ(std::filesystem::path(file).filename(), "of " + std::to_string(bytes) + ".bin");
    }
    EXPECT_EQ(files_on_disk(), 2u);
    EXPECT_EQ(notes(), 0u);
}

TEST_F(LocalStoreTest, KeepsEverythingOverAReopening) {
    WriteOptions options;
    options.custom = {{"colour", "green"}, {"a key", "ü, x=y"}};
    options.provenance = Provenance{"job-1", 3, "in", "raw/a.jpg", 17, 99, 0xffff'ffff'ffff'ffffull};
    ASSERT_TRUE(put("small", content(10), options));
    ASSERT_TRUE(put("large", content(5000), options));
    open_store();
    for (const char* name : {"small", "large"}) {
        const ObjectInfo info = *store_->stat("photos", name);
        EXPECT_EQ(info.custom, options.custom);
        ASSERT_TRUE(info.provenance);
        EXPECT_EQ(info.provenance->job, "job-1");
        EXPECT_EQ(info.provenance->epoch, 3u);
        EXPECT_EQ(info.provenance->source_bucket, "in");
        EXPECT_EQ(info.provenance->source_name, "raw/a.jpg");
        EXPECT_EQ(info.provenance->source_version, 17u);
        EXPECT_EQ(info.provenance->source_checksum, 99u);
        EXPECT_EQ(info.provenance->transform_digest, 0xffff'ffff'ffff'ffffull);
        EXPECT_TRUE(verify(name));
    }
    EXPECT_EQ(*get("small"), content(10));
    EXPECT_EQ(*get("large"), content(5000));
}

TEST_F(LocalStoreTest, OverwritesSmallAndLargeInEveryOrder) {
    const std::vector<std::size_t> sizes = {10, 5000, 6000, 20, 30, 7000, 0};
    std::uint64_t version = 0;
    std::optional<std::uint64_t> created;
    for (unsigned i = 0; i < sizes.size(); ++i) {
        const auto info = put("name.txt", content(sizes[i], i));
        ASSERT_TRUE(info) << info.error().context;
        EXPECT_GT(info->version, version);
        version = info->version;
        if (!created) created = info->created_seq;
        EXPECT_EQ(info->created_seq, *created);
        EXPECT_EQ(*get("name.txt"), content(sizes[i], i));
        ASSERT_TRUE(store_->sync());
        EXPECT_EQ(files_on_disk(), sizes[i] > kSmallMax ? 1u : 0u);
        EXPECT_EQ(notes(), 0u);
    }
    EXPECT_EQ(*kv_->get(state::target_family::bodies, object_key("photos", "name.txt")).value_or(std::nullopt)->substr(8).c_str(), '\0');
}

TEST_F(LocalStoreTest, NoContentStaysInTheDatabaseForAFile) {
    ASSERT_TRUE(put("name", content(10)));
    ASSERT_TRUE(put("name", content(5000)));
    ASSERT_TRUE(store_->sync());  // until then a power cut may bring the small one back
    EXPECT_EQ(*kv_->get(state::target_family::bodies, object_key("photos", "name")), std::nullopt);
}

TEST_F(LocalStoreTest, ReplacedFileStaysUntilTheSwitchIsDurable) {
    ASSERT_TRUE(put("name", content(5000, 1)));
    const std::string first = file_of("name");
    ASSERT_TRUE(put("name", content(5000, 2)));
    EXPECT_NE(file_of("name"), first);
    EXPECT_TRUE(std::filesystem::exists(first));
    ASSERT_TRUE(store_->sync());
    EXPECT_FALSE(std::filesystem::exists(first));
    EXPECT_EQ(*get("name"), content(5000, 2));
}

TEST_F(LocalStoreTest, ErasedObjectIsGoneAndItsNextLifeHasNewNumbers) {
    for (const std::size_t bytes : {10ul, 5000ul}) {
        const ObjectInfo first = *put("name", content(bytes));
        ASSERT_TRUE(store_->erase("photos", "name"));
        EXPECT_EQ(code_of(store_->stat("photos", "name")), Code::not_found);
        EXPECT_EQ(code_of(get("name")), Code::not_found);
        EXPECT_EQ(code_of(store_->erase("photos", "name")), Code::not_found);
        ASSERT_TRUE(store_->sync());
        EXPECT_EQ(files_on_disk(), 0u);
        EXPECT_EQ(*kv_->get(state::target_family::bodies, object_key("photos", "name")), std::nullopt);
        const ObjectInfo second = *put("name", content(bytes));
        EXPECT_GT(second.version, first.version);
        EXPECT_GT(second.created_seq, first.created_seq);
        ASSERT_TRUE(store_->erase("photos", "name"));
    }
}

TEST_F(LocalStoreTest, ReaderKeepsTheVersionItOpened) {
    for (const std::size_t bytes : {100ul, 5000ul}) {
        ASSERT_TRUE(put("name", content(bytes, 1)));
        const auto reader = store_->open("photos", "name");
        ASSERT_TRUE(put("name", content(bytes, 2)));
        ASSERT_TRUE(store_->erase("photos", "name"));
        ASSERT_TRUE(store_->sync());
        EXPECT_EQ(*read(**reader), content(bytes, 1));
    }
}

TEST_F(LocalStoreTest, FilesAreWrittenOverOnceNobodyReadsThem) {
    const auto inode_of = [](const std::string& path) {
        struct stat status {};
        return ::stat(path.c_str(), &status) == 0 ? status.st_ino : 0;
    };
    ASSERT_TRUE(put("first", content(300'000, 1)));
    const auto reader = store_->open("photos", "first");
    const ino_t read_one = inode_of(file_of("first"));
    ASSERT_TRUE(store_->erase("photos", "first"));
    ASSERT_TRUE(store_->sync());
    ASSERT_TRUE(put("second", content(200'000, 2)));
    EXPECT_NE(inode_of(file_of("second")), read_one);
    EXPECT_EQ(*read(**reader), content(300'000, 1));

    const ino_t free_one = inode_of(file_of("second"));
    ASSERT_TRUE(store_->erase("photos", "second"));
    ASSERT_TRUE(store_->sync());
    ASSERT_TRUE(put("third", content(150'000, 3)));
    EXPECT_EQ(inode_of(file_of("third")), free_one);
    EXPECT_EQ(*get("third"), content(150'000, 3));
    open_store();
    EXPECT_EQ(*get("third"), content(150'000, 3));
}

TEST_F(LocalStoreTest, ReadsRanges) {
    for (const std::size_t bytes : {1000ul, 5000ul}) {
        const std::string text = content(bytes);
        ASSERT_TRUE(put("name", text));
        EXPECT_EQ(*get_range("name", 0, bytes), text);
        EXPECT_EQ(*get_range("name", 1, 998), text.substr(1, 998));
        EXPECT_EQ(*get_range("name", bytes - 1, 1), text.substr(bytes - 1));
        for (std::size_t length = 0; length <= 70; ++length) EXPECT_EQ(*get_range("name", 3, length), text.substr(3, length));
        EXPECT_EQ(*get_range("name", bytes, 0), "");
        EXPECT_EQ(code_of(get_range("name", bytes, 1)), Code::range);
        EXPECT_EQ(code_of(get_range("name", bytes + 1, 0)), Code::range);
        EXPECT_EQ(code_of(get_range("name", 1, ~0ull)), Code::range);
        const auto part = open_range("name", 5, 10);
        EXPECT_EQ((*part)->size(), 10u);
        EXPECT_EQ((*part)->info().size, bytes);
        EXPECT_EQ((*part)->file_path(), "");
        if (const auto whole = (*part)->whole()) EXPECT_EQ(*whole, text.substr(5, 10));
    }
}

TEST_F(LocalStoreTest, APartIsChosenByWhatTheObjectIs) {
    for (const std::size_t bytes : {1000ul, 5000ul, 300'000ul}) {
        ASSERT_TRUE(put("name", content(bytes)));
        int asked = 0;
        const auto half = [&asked](const ObjectInfo& info) {
            ++asked;
            return Part{info.size / 2, {}};
        };
        const auto reader = store_->open_part("photos", "name", half);
        ASSERT_TRUE(reader) << reader.error().context;
        EXPECT_EQ(*read(**reader), content(bytes).substr(bytes / 2));
        EXPECT_EQ(asked, 1) << "its record is read once";
    }
}

// Demands that an object has this version, or that there is none.
class VersionIs final : public Precondition {
public:
    explicit VersionIs(std::optional<std::uint64_t> version) : version_(version) {}
    Result<void> check(const ObjectInfo* current) override {
        const std::optional<std::uint64_t> found = current != nullptr ? std::optional(current->version) : std::nullopt;
        if (found != version_) return fail(Code::conflict, "another version");
        return {};
    }

private:
    std::optional<std::uint64_t> version_;
};

TEST_F(LocalStoreTest, OfTwoChangesThatDemandTheSameOnlyOneIsMade) {
    for (const std::size_t bytes : {1000ul, 5000ul}) {
        const std::string name = "of " + std::to_string(bytes);
        std::optional<std::uint64_t> version;
        for (int round = 0; round < 2; ++round) {
            VersionIs condition(version);
            WriteOptions options;
            options.condition = &condition;
            auto first = store_->begin_write("photos", name, options);
            auto second = store_->begin_write("photos", name, options);
            ASSERT_TRUE(first && second);
            ASSERT_TRUE(write(**first, content(bytes, 1)) && write(**second, content(bytes, 2)));
            const auto made = commit(**second);
            ASSERT_TRUE(made) << made.error().context;
            EXPECT_EQ(code_of(commit(**first)), Code::conflict);
            EXPECT_EQ(*get(name), content(bytes, 2));
            version = made->version;
        }
        VersionIs older(*version - 1);
        EXPECT_EQ(code_of(store_->erase("photos", name, &older)), Code::conflict);
        EXPECT_EQ(code_of(store_->set_custom("photos", name, {{"a", "1"}}, false, false, &older)), Code::conflict);
        VersionIs this_one(version);
        EXPECT_TRUE(store_->set_custom("photos", name, {{"a", "1"}}, false, false, &this_one));
        EXPECT_TRUE(store_->erase("photos", name, &this_one));
    }
    ASSERT_TRUE(store_->sync());
    EXPECT_EQ(files_on_disk(), 0u) << "nothing of what was refused stays";
}

TEST_F(LocalStoreTest, SmallContentLiesInMemory) {
    ASSERT_TRUE(put("name", content(100)));
    const auto reader = store_->open("photos", "name");
    EXPECT_EQ((*reader)->whole(), content(100));
    EXPECT_EQ((*reader)->size(), 100u);
}

TEST_F(LocalStoreTest, WhatDoesNotArriveWholeIsNotStored) {
    WriteOptions announced;
    for (const std::size_t bytes : {100ul, 5000ul}) {
        announced.size = bytes;
        EXPECT_EQ(code_of(put("short", content(bytes - 1), announced)), Code::incomplete_body);
        EXPECT_EQ(code_of(put("long", content(bytes + 1), announced)), Code::incomplete_body);
        WriteOptions checked;
        checked.expected_checksum = 1;
        EXPECT_EQ(code_of(put("wrong", content(bytes), checked)), Code::checksum_mismatch);
        for (const char* name : {"short", "long", "wrong"}) EXPECT_EQ(code_of(get(name)), Code::not_found);
        checked.size = bytes;
        checked.expected_checksum = xxh64(content(bytes));
        EXPECT_TRUE(put("right", content(bytes), checked));
    }
    EXPECT_EQ(files_on_disk(), 1u);
}

TEST_F(LocalStoreTest, FailedOverwriteKeepsTheOldContent) {
    ASSERT_TRUE(put("name", content(5000, 1)));
    WriteOptions checked;
    checked.expected_checksum = 1;
    EXPECT_FALSE(put("name", content(5000, 2), checked));
    EXPECT_EQ(*get("name"), content(5000, 1));
}

TEST_F(LocalStoreTest, AbandonedWriterLeavesNothing) {
    for (const std::size_t bytes : {100ul, 50'000ul}) {
        auto writer = *store_->begin_write("photos", "name", {});
        ASSERT_TRUE(write(*writer, content(bytes)));
        EXPECT_EQ(files_on_disk(), bytes > kSmallMax ? 1u : 0u);
        writer.reset();
        EXPECT_EQ(files_on_disk(), 0u);
    }
    EXPECT_EQ(code_of(get("name")), Code::not_found);
}

TEST_F(LocalStoreTest, SecondCommitIsRefused) {
    auto writer = *store_->begin_write("photos", "name", {});
    ASSERT_TRUE(write(*writer, content(5000)));
    ASSERT_TRUE(commit(*writer));
    EXPECT_EQ(code_of(commit(*writer)), Code::conflict);
    EXPECT_EQ(code_of(write(*writer, "more")), Code::conflict);
    EXPECT_EQ(*get("name"), content(5000));
}

TEST_F(LocalStoreTest, SyncedPutsAreStoredLikeOthers) {
    WriteOptions options;
    options.sync = true;
    for (const std::size_t bytes : {100ul, 5000ul}) {
        ASSERT_TRUE(put("name", content(bytes), options));
        EXPECT_EQ(*get("name"), content(bytes));
    }
}

TEST_F(LocalStoreTest, ImpossibleNamesAreRefusedEverywhere) {
    const std::string nul("a\0b", 3);
    for (const std::string& name : {std::string(""), std::string(".."), std::string("a/../b"), std::string("/a"), std::string("a//b"),
                                    std::string("a/"), std::string("\xff"), nul, std::string(1025, 'x')}) {
        EXPECT_EQ(code_of(put(name, "x")), Code::invalid_argument) << name;
        EXPECT_EQ(code_of(get(name)), Code::invalid_argument);
        EXPECT_EQ(code_of(store_->stat("photos", name)), Code::invalid_argument);
        EXPECT_EQ(code_of(store_->erase("photos", name)), Code::invalid_argument);
    }
    for (const char* bucket : {"", "..", "a/b", "-x"}) {
        EXPECT_EQ(code_of(store_->create_bucket(bucket, 1)), Code::invalid_argument) << bucket;
        EXPECT_EQ(code_of(store_->destroy_bucket(bucket)), Code::invalid_argument);
        EXPECT_EQ(code_of(store_->begin_write(bucket, "x", {})), Code::invalid_argument);
        EXPECT_EQ(code_of(store_->scan(bucket, "", "", 1)), Code::invalid_argument);
    }
}

TEST_F(LocalStoreTest, CustomMetadataIsBounded) {
    WriteOptions options;
    options.custom["key"] = std::string(kCustomBytesMax, 'v');
    EXPECT_EQ(code_of(put("name", "x", options)), Code::too_large);
    options.custom["key"].resize(kCustomBytesMax - 3);
    EXPECT_TRUE(put("name", "x", options));
    EXPECT_EQ(store_->stat("photos", "name")->custom, options.custom);
}

TEST_F(LocalStoreTest, LongNamesAndEqualBasenamesGetFilesOfTheirOwn) {
    const std::string long_name = "dir/" + std::string(900, 'n') + ".tar.gz";
    std::set<std::string> files;
    for (const std::string& name : {long_name, std::string("a/x.txt"), std::string("b/x.txt"), std::string("x.txt"), std::string("x.txt/x.txt")}) {
        ASSERT_TRUE(put(name, content(2000)));
        EXPECT_EQ(*get(name), content(2000));
        EXPECT_TRUE(files.insert(file_of(name)).second);
    }
    EXPECT_TRUE(file_of(long_name).ends_with(".tar.gz"));
}

TEST_F(LocalStoreTest, BucketsAreCreatedListedAndDestroyed) {
    EXPECT_EQ(code_of(store_->create_bucket("photos", 1)), Code::already_exists);
    EXPECT_EQ(code_of(store_->create_bucket("huge", kSmallObjectBytesMax + 1)), Code::invalid_argument);
    ASSERT_TRUE(store_->create_bucket("photos2", 0));
    EXPECT_EQ(store_->buckets(), (std::vector<std::string>{"photos", "photos2"}));
    ASSERT_TRUE(put("small", content(10)));
    ASSERT_TRUE(put("large", content(5000)));
    auto other = *store_->begin_write("photos2", "kept", {});
    ASSERT_TRUE(write(*other, content(5000)));
    ASSERT_TRUE(commit(*other));
    auto late = *store_->begin_write("photos", "late", {});
    ASSERT_TRUE(write(*late, content(5000)));

    ASSERT_TRUE(store_->destroy_bucket("photos"));
    EXPECT_EQ(code_of(store_->destroy_bucket("photos")), Code::not_found);
    EXPECT_FALSE(store_->has_bucket("photos"));
    EXPECT_EQ(code_of(get("small")), Code::not_found);
    EXPECT_EQ(code_of(commit(*late)), Code::not_found);
    store_->wait_for_removals();
    EXPECT_EQ(files_on_disk(), 1u);

    open_store();
    EXPECT_EQ(store_->buckets(), std::vector<std::string>{"photos2"});
    ASSERT_TRUE(store_->create_bucket("photos", kSmallMax));
    EXPECT_TRUE(store_->scan("photos", "", "", 10)->objects.empty());
    EXPECT_EQ(code_of(get("large")), Code::not_found);
    EXPECT_EQ(store_->scan("photos2", "", "", 10)->objects.size(), 1u);
    EXPECT_TRUE(run_blocking(loop_, store_->verify("photos2", "kept")));
}

TEST_F(LocalStoreTest, NumbersNeverRepeatAfterAReopening) {
    std::uint64_t last = 0;
    for (int round = 0; round < 4; ++round) {
        for (int i = 0; i < 3; ++i) {
            const std::uint64_t announced = store_->next_created_seq();
            const ObjectInfo info = *put("name" + std::to_string(round) + "-" + std::to_string(i), content(2000));
            EXPECT_GE(info.created_seq, announced);
            EXPECT_LT(info.created_seq, store_->next_created_seq());
            EXPECT_GT(info.version, last);
            last = info.version;
        }
        open_store();
        EXPECT_GT(store_->next_created_seq(), last);
    }
}

class TwoMountpaths : public StoreFixture {
protected:
    LocalStoreOptions options() const override {
        LocalStoreOptions options = StoreFixture::options();
        options.mountpaths = {folder_ / "disk1", folder_ / "disk2"};
        if (swapped_) std::swap(options.mountpaths[0], options.mountpaths[1]);
        if (alone_) options.mountpaths.pop_back();
        return options;
    }
    bool swapped_ = false;
    bool alone_ = false;
};

TEST_F(TwoMountpaths, BothAreUsedAndTheirOrderDoesNotMatter) {
    for (int i = 0; i < 40; ++i) ASSERT_TRUE(put("name" + std::to_string(i), content(2000, i)));
    EXPECT_GT(files_on_disk("disk1"), 5u);
    EXPECT_GT(files_on_disk("disk2"), 5u);
    swapped_ = true;
    open_store();
    for (int i = 0; i < 40; ++i) EXPECT_EQ(*get("name" + std::to_string(i)), content(2000, i));
}

TEST_F(TwoMountpaths, ObjectsOfAMissingOneAreUnavailable) {
    for (int i = 0; i < 40; ++i) ASSERT_TRUE(put("name" + std::to_string(i), content(2000, i)));
    alone_ = true;
    open_store();
    int unavailable = 0;
    for (int i = 0; i < 40; ++i) unavailable += code_of(get("name" + std::to_string(i))) == Code::unavailable;
    EXPECT_GT(unavailable, 5);
    EXPECT_LT(unavailable, 35);
}

TEST_F(TwoMountpaths, UnmountedDiskIsNoticed) {
    close_store();
    std::filesystem::remove_all(folder_ / "disk2");
    kv_ = *state::Kv::open(database(), state::target_families(), {});
    const auto opened = LocalStore::open(options(), *kv_);
    EXPECT_EQ(code_of(opened), Code::conflict);
    EXPECT_TRUE(mentions(opened, "is its disk mounted?"));
}

TEST_F(TwoMountpaths, FolderOfAnotherStoreIsRefused) {
    auto other = *state::Kv::open(folder_ / "other", state::target_families(), {});
    const auto opened = LocalStore::open(options(), *other);
    EXPECT_EQ(code_of(opened), Code::conflict);
    EXPECT_TRUE(mentions(opened, "belongs to another target"));
}

TEST_F(TwoMountpaths, GivingOneTwiceIsRefused) {
    close_store();
    kv_ = *state::Kv::open(database(), state::target_families(), {});
    LocalStoreOptions twice = options();
    twice.mountpaths[1] = folder_ / "disk1/../disk1";
    EXPECT_EQ(code_of(LocalStore::open(twice, *kv_)), Code::invalid_argument);
}

class LocalStoreCopy : public StoreFixture {
protected:
    // As a copy job does.
    Result<ObjectInfo> copy(const std::string& from, const std::string& to, const std::string& file) {
        MILLRACE_TRY_ASSIGN(auto reader, store_->open("photos", from));
        WriteOptions options;
        options.size = reader->info().size;
        options.expected_checksum = reader->info().checksum;
        options.copy_of = file;
        MILLRACE_TRY_ASSIGN(const std::string text, read(*reader));
        return put(to, text, std::move(options));
    }
};

TEST_F(LocalStoreCopy, SharesTheFileUntilEitherChanges) {
    ASSERT_TRUE(put("original", content(300'000)));
    ASSERT_TRUE(copy("original", "copy", file_of("original")));
    EXPECT_TRUE(std::filesystem::equivalent(file_of("original"), file_of("copy")));
    EXPECT_EQ(*get("copy"), content(300'000));
    ASSERT_TRUE(put("original", content(5000, 2)));
    ASSERT_TRUE(store_->sync());  // removes the file that was replaced
    EXPECT_EQ(*get("copy"), content(300'000));
    ASSERT_TRUE(copy("copy", "second", file_of("copy")));
    ASSERT_TRUE(store_->erase("photos", "copy"));
    open_store();
    EXPECT_EQ(*get("second"), content(300'000));
    EXPECT_EQ(*get("original"), content(5000, 2));
    EXPECT_TRUE(verify("second"));
    EXPECT_EQ(files_on_disk(), 2u);
    EXPECT_EQ(notes(), 0u);
}

TEST_F(LocalStoreCopy, OfADamagedObjectIsRefused) {
    ASSERT_TRUE(put("original", content(5000)));
    const std::string file = file_of("original");
    std::ofstream(file, std::ios::in | std::ios::out) << "damage";
    EXPECT_EQ(code_of(copy("original", "copy", file)), Code::corrupt);
    EXPECT_EQ(code_of(get("copy")), Code::not_found);
    EXPECT_EQ(files_on_disk(), 1u);
}

TEST_F(LocalStoreCopy, IsWrittenWhereItCannotShare) {
    ASSERT_TRUE(put("original", content(5000)));
    for (const std::string& file : {std::string("/proc/self/status"), folder_ / "nowhere"}) {
        ASSERT_TRUE(copy("original", "copy", file)) << file;
        EXPECT_EQ(*get("copy"), content(5000));
        EXPECT_FALSE(std::filesystem::equivalent(file_of("original"), file_of("copy")));
    }
}

}  // namespace
}  // namespace millrace::store
