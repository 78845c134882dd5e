#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "core/clock.h"
#include "state/kv.h"
#include "tests/unit/state/temp_folder.h"

namespace millrace::state {
namespace {

constexpr int kValues = 2000;
constexpr std::size_t kValueBytes = 4096;

std::uint64_t blob_bytes(const std::string& folder) {
    std::uint64_t bytes = 0;
    for (const auto& file : std::filesystem::directory_iterator(folder)) {
        std::error_code gone;
        if (file.path().extension() == ".blob") bytes += std::filesystem::file_size(file.path(), gone) * (gone ? 0 : 1);
    }
    return bytes;
}

void write_all(Kv& kv, int round) {
    for (int number = 0; number < kValues; ++number) {
        Batch batch;
        batch.put(1, "key" + std::to_string(number), std::string(kValueBytes, static_cast<char>('a' + round)));
        ASSERT_TRUE(kv.write(std::move(batch), false));
    }
    ASSERT_TRUE(kv.sync());
}

TEST(BlobCollection, TheSpaceOfOverwrittenValuesComesBack) {
    const TempFolder folder;
    auto kv = Kv::open(folder.path(), {{"default"}, {.name = "blobs", .blobs = true}}, {.write_buffer_bytes = 1 << 20});
    ASSERT_TRUE(kv) << kv.error().context;
    const Instant deadline = steady_now() + std::chrono::seconds(60);
    int round = 0;
    for (; round < 20; ++round) write_all(**kv, round);
    while (blob_bytes(folder.path()) > 8 * kValues * kValueBytes && steady_now() < deadline) {
        std::this_thread::sleep_for(milliseconds(10));  // it happens in threads of the database
        ASSERT_TRUE((*kv)->sync());
    }
    EXPECT_LE(blob_bytes(folder.path()), 8 * kValues * kValueBytes);
    EXPECT_EQ((*kv)->get(1, "key7")->value(), std::string(kValueBytes, static_cast<char>('a' + round - 1)));
}

}  // namespace
}  // namespace millrace::state
