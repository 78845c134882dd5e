#include <fstream>

#include "core/file_parts.h"
#include "tests/unit/store/store_fixture.h"

namespace millrace::store {
namespace {

class LocalStoreDamage : public StoreFixture {
protected:
    void overwrite_record(const std::string& name, std::string_view bytes) {
        state::Batch batch;
        batch.put(state::target_family::objects, object_key("photos", name), bytes);
        ASSERT_TRUE(kv_->write(std::move(batch), false));
    }
};

TEST_F(LocalStoreDamage, DamagedRecordNamesItself) {
    ASSERT_TRUE(put("name", content(10)));
    std::string good = *kv_->get(state::target_family::objects, object_key("photos", "name")).value_or(std::nullopt);
    for (const std::string& bytes : {std::string(), std::string("garbage"), good.substr(0, good.size() / 2), good + "x", std::string("\x80")}) {
        overwrite_record("name", bytes);
        EXPECT_EQ(code_of(get("name")), Code::corrupt);
        EXPECT_TRUE(mentions(get("name"), "ais://photos/name"));
        EXPECT_TRUE(mentions(store_->stat("photos", "name"), "ais://photos/name"));
    }
}

TEST_F(LocalStoreDamage, DamagedRecordCanBeOverwrittenAndErased) {
    for (const std::size_t bytes : {10ul, 5000ul}) {
        ASSERT_TRUE(put("name", content(bytes)));
        overwrite_record("name", "garbage");
        ASSERT_TRUE(put("name", content(bytes, 2)));
        EXPECT_EQ(*get("name"), content(bytes, 2));
        overwrite_record("name", "garbage");
        ASSERT_TRUE(store_->erase("photos", "name"));
        EXPECT_EQ(code_of(get("name")), Code::not_found);
    }
}

TEST_F(LocalStoreDamage, MissingFileIsDamageAndNamed) {
    ASSERT_TRUE(put("name", content(5000)));
    const std::string file = file_of("name");
    std::filesystem::remove(file);
    EXPECT_EQ(code_of(get("name")), Code::corrupt);
    EXPECT_TRUE(mentions(get("name"), "ais://photos/name"));
    EXPECT_TRUE(mentions(get("name"), file));
    EXPECT_EQ(code_of(verify("name")), Code::corrupt);
    EXPECT_TRUE(store_->stat("photos", "name"));
    ASSERT_TRUE(put("name", content(5000, 2)));
    EXPECT_EQ(*get("name"), content(5000, 2));
}

TEST_F(LocalStoreDamage, FileOfAnotherLengthIsDamage) {
    for (const std::size_t size : {5'000, 500'000}) {  // small ones are read when they are opened
        ASSERT_TRUE(put("name", content(size)));
        const auto opened = store_->open("photos", "name");
        ASSERT_TRUE(opened);
        std::filesystem::resize_file(file_of("name"), size - 1);
        EXPECT_EQ(code_of(get("name")), Code::corrupt);
        EXPECT_EQ(code_of(get_range("name", 0, 1)), Code::corrupt);
        if ((*opened)->whole()) {
            EXPECT_EQ(*read(**opened), content(size));
        } else {
            EXPECT_EQ(code_of(read(**opened)), Code::corrupt) << "it shrank while it was read";
        }
    }
}

TEST_F(LocalStoreDamage, OtherBytesOfTheSameLengthAreFoundByVerify) {
    ASSERT_TRUE(put("large", content(5000)));
    std::fstream(file_of("large"), std::ios::in | std::ios::out).seekp(2500) << "damage";
    EXPECT_EQ(code_of(get("large")), Code::corrupt);
    EXPECT_TRUE(get_range("large", 0, 100)) << "of a part nobody can tell";
    EXPECT_EQ(code_of(verify("large")), Code::corrupt);

    ASSERT_TRUE(put("small", content(100)));
    std::string body = *kv_->get(state::target_family::bodies, object_key("photos", "small")).value_or(std::nullopt);
    body[50] = static_cast<char>(body[50] ^ 1);
    state::Batch batch;
    batch.put(state::target_family::bodies, object_key("photos", "small"), body);
    ASSERT_TRUE(kv_->write(std::move(batch), false));
    EXPECT_EQ(code_of(get("small")), Code::corrupt);
    EXPECT_EQ(code_of(get_range("small", 0, 10)), Code::corrupt);
    EXPECT_EQ(code_of(verify("small")), Code::corrupt);
    EXPECT_TRUE(mentions(verify("small"), "ais://photos/small"));
}

// Too large for memory: what was read before the end was handed out, the end is not, and whoever stops before it can ask.
TEST_F(LocalStoreDamage, EndOfADamagedContentIsNotHandedOut) {
    ASSERT_TRUE(put("large", content(900'000)));
    std::fstream(file_of("large"), std::ios::in | std::ios::out).seekp(400'000) << "damage";
    const auto reader = store_->open("photos", "large");
    ASSERT_TRUE(reader);
    std::vector<std::byte> buffer(100'000);
    for (int i = 0; i < 8; ++i) EXPECT_EQ(run_blocking(loop_, (*reader)->read(buffer)).value_or(0), buffer.size());
    EXPECT_EQ(code_of(run_blocking(loop_, (*reader)->read(buffer))), Code::corrupt);
    EXPECT_EQ(code_of(run_blocking(loop_, (*reader)->read(buffer))), Code::corrupt) << "nor later";
    EXPECT_EQ(code_of(run_blocking(loop_, (*reader)->verify())), Code::corrupt);

    const auto stopped = store_->open("photos", "large");
    ASSERT_TRUE(stopped);
    EXPECT_TRUE(run_blocking(loop_, (*stopped)->read(buffer)));
    EXPECT_EQ(code_of(run_blocking(loop_, (*stopped)->verify())), Code::corrupt);
    ASSERT_TRUE(put("whole", content(900'000)));
    const auto whole = store_->open("photos", "whole");
    ASSERT_TRUE(whole);
    EXPECT_TRUE(run_blocking(loop_, (*whole)->read(buffer)));
    EXPECT_TRUE(run_blocking(loop_, (*whole)->verify()));
}

// What has no sum of its own may go out from where it lies, and is as long as it was.
TEST_F(LocalStoreDamage, OnlyLargePartsOfAFileAreToldOf) {
    static constexpr std::uint64_t kMiB = 1 << 20;
    ASSERT_TRUE(put("large", content(6 * kMiB)));
    const auto whole = store_->open("photos", "large");
    ASSERT_TRUE(whole);
    EXPECT_FALSE(dynamic_cast<PartSource&>(**whole).gives_parts());
    const auto small = store_->open_part("photos", "large", [](const ObjectInfo&) { return Part{1000, kMiB}; });
    ASSERT_TRUE(small);
    EXPECT_FALSE(dynamic_cast<PartSource&>(**small).gives_parts());

    const auto part = store_->open_part("photos", "large", [](const ObjectInfo&) { return Part{1000, 5 * kMiB}; });
    ASSERT_TRUE(part);
    auto& file = dynamic_cast<PartSource&>(**part);
    ASSERT_TRUE(file.gives_parts());
    const auto first = file.next_part(3 * kMiB);
    ASSERT_TRUE(first);
    EXPECT_EQ(first->offset, 1000u);
    EXPECT_EQ(first->length, 3 * kMiB);
    const std::string path = file_of("large");
    std::filesystem::resize_file(path, 5 * kMiB + 999);
    EXPECT_EQ(code_of(file.next_part(3 * kMiB)), Code::corrupt);
    EXPECT_TRUE(mentions(file.next_part(3 * kMiB), path));
    std::filesystem::resize_file(path, 6 * kMiB);
    EXPECT_EQ(file.next_part(3 * kMiB).value_or(FilePart{}).length, 2 * kMiB);
    EXPECT_EQ(file.next_part(3 * kMiB).value_or(FilePart{9, 9, 9}).length, 0u);
}

TEST_F(LocalStoreDamage, MissingSmallContentIsDamage) {
    ASSERT_TRUE(put("name", content(100)));
    for (const char* body : {"", "short", "an old version's content"}) {
        state::Batch batch;
        batch.put(state::target_family::bodies, object_key("photos", "name"), body);
        ASSERT_TRUE(kv_->write(std::move(batch), false));
        EXPECT_EQ(code_of(get("name")), Code::corrupt);
    }
    state::Batch batch;
    batch.erase(state::target_family::bodies, object_key("photos", "name"));
    ASSERT_TRUE(kv_->write(std::move(batch), false));
    EXPECT_EQ(code_of(get("name")), Code::corrupt);
}

TEST_F(LocalStoreDamage, DamagedBucketRecordStopsTheStart) {
    state::Batch batch;
    batch.put(state::target_family::buckets, "photos", "garbage");
    ASSERT_TRUE(kv_->write(std::move(batch), false));
    store_.reset();
    const auto opened = LocalStore::open(options(), *kv_);
    EXPECT_EQ(code_of(opened), Code::corrupt);
    EXPECT_TRUE(mentions(opened, "bucket 'photos'"));
}

TEST_F(LocalStoreDamage, DamagedCounterStopsTheStart) {
    state::Batch batch;
    batch.put(state::target_family::meta, "created_seq", "12x");
    ASSERT_TRUE(kv_->write(std::move(batch), false));
    store_.reset();
    EXPECT_EQ(code_of(LocalStore::open(options(), *kv_)), Code::corrupt);
}

TEST_F(LocalStoreDamage, NoteThatLeadsOutOfTheStoreStopsTheStart) {
    const std::string victim = folder_ / "victim";
    std::ofstream(victim) << "precious";
    state::Batch batch;
    batch.put(state::target_family::meta, "pending-file/mp-1/../../victim", "photos");
    ASSERT_TRUE(kv_->write(std::move(batch), false));
    store_.reset();
    EXPECT_EQ(code_of(LocalStore::open(options(), *kv_)), Code::corrupt);
    EXPECT_TRUE(std::filesystem::exists(victim));
}

}  // namespace
}  // namespace millrace::store
