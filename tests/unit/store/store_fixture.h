// A local store in a folder of its own, and verbs for tests to say what they do with it.
#pragma once
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>

#include "core/fault.h"
#include "core/hash.h"
#include "core/loop.h"
#include "state/families.h"
#include "state/kv.h"
#include "store/local_store.h"
#include "tests/unit/state/temp_folder.h"

namespace millrace::store {

inline constexpr std::uint64_t kSmallMax = 1024;

// The content of a length, different for each seed.
inline std::string content(std::size_t bytes, unsigned seed = 1) {
    std::string text(bytes, '\0');
    std::uint64_t state = seed * 0x9e3779b97f4a7c15ull + 1;
    for (char& c : text) {
        state = state * 6364136223846793005ull + 1442695040888963407ull;
        c = static_cast<char>(state >> 56);
    }
    return text;
}

class StoreFixture : public testing::Test {
protected:
    void SetUp() override {
        open_store();
        ASSERT_TRUE(store_->create_bucket("photos", kSmallMax));
    }
    void TearDown() override {
        close_store();  // first: its thread passes fault points
        fault::armed = false;
    }

    // Opens, or closes and opens again.
    void open_store() {
        close_store();
        auto kv = state::Kv::open(database(), state::target_families(), {});
        ASSERT_TRUE(kv) << kv.error().context;
        kv_ = std::move(*kv);
        auto store = LocalStore::open(options(), *kv_);
        ASSERT_TRUE(store) << store.error().context;
        store_ = std::move(*store);
    }
    void close_store() {
        store_.reset();
        kv_.reset();
    }
    virtual LocalStoreOptions options() const { return {.folder = folder_ / "target", .mountpaths = {}, .unlink_delay = std::chrono::hours(1)}; }
    virtual std::string database() const { return folder_ / "target/db"; }

    Result<ObjectInfo> put(const std::string& name, const std::string& text, WriteOptions options = {}) {
        MILLRACE_TRY_ASSIGN(auto writer, store_->begin_write("photos", name, std::move(options)));
        MILLRACE_TRY(write(*writer, text));
        return commit(*writer);
    }
    // In pieces, as a body arrives.
    Result<void> write(ObjectWriter& writer, const std::string& text) {
        constexpr std::size_t kPiece = 700;
        for (std::size_t at = 0; at < text.size(); at += kPiece) {
            MILLRACE_TRY(run_blocking(loop_, writer.write(as_bytes(std::string_view(text).substr(at, kPiece)))));
        }
        return {};
    }
    Result<ObjectInfo> commit(ObjectWriter& writer) { return run_blocking(loop_, writer.commit()); }

    Result<std::string> read(ObjectReader& reader) {
        std::string text;
        std::vector<std::byte> buffer(777);
        for (;;) {
            MILLRACE_TRY_ASSIGN(const std::size_t count, run_blocking(loop_, reader.read(buffer)));
            if (count == 0) return text;
            text.append(reinterpret_cast<const char*>(buffer.data()), count);
        }
    }
    Result<std::string> get(const std::string& name) {
        MILLRACE_TRY_ASSIGN(const auto reader, store_->open("photos", name));
        return read(*reader);
    }
    Result<std::unique_ptr<ObjectReader>> open_range(const std::string& name, std::uint64_t offset, std::uint64_t length) {
        return store_->open_part("photos", name, [=](const ObjectInfo&) { return Part{offset, length}; });
    }
    Result<std::string> get_range(const std::string& name, std::uint64_t offset, std::uint64_t length) {
        MILLRACE_TRY_ASSIGN(const auto reader, open_range(name, offset, length));
        return read(*reader);
    }
    Result<void> verify(const std::string& name) { return run_blocking(loop_, store_->verify("photos", name)); }
    std::string file_of(const std::string& name) {
        const auto reader = store_->open("photos", name);
        return reader ? (*reader)->file_path() : "no reader: " + reader.error().context;
    }

    // Regular files below, published and temporary, the database's and the identity's not counted.
    std::size_t files_on_disk(const std::string& mountpath = "target") const {
        std::size_t files = 0;
        for (const char* part : {"/objects", "/tmp"}) {
            for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_ / mountpath + part)) {
                files += entry.is_regular_file();
            }
        }
        return files;
    }
    // What the database remembers of files that may have to go.
    std::size_t notes() const {
        std::size_t count = 0;
        state::Cursor cursor = kv_->cursor(state::target_family::meta, state::prefix_end("pending-file/"));
        for (cursor.seek("pending-file/"); cursor.valid(); cursor.next()) ++count;
        return count;
    }
    void arm(const char* fault) {
        ::setenv("MILLRACE_FAULT", fault, 1);
        ASSERT_TRUE(fault::arm_from_environment());
    }

    TempFolder folder_;
    Loop loop_{"test"};
    std::unique_ptr<state::Kv> kv_;
    std::unique_ptr<LocalStore> store_;
};

template <class T>
Code code_of(const Result<T>& result) {
    return result ? Code{} : result.error().code;
}

template <class T>
bool mentions(const Result<T>& result, std::string_view text) {
    return !result && result.error().context.find(text) != std::string::npos;
}

}  // namespace millrace::store
