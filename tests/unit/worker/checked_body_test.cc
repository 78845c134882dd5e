#include "worker/checked_body.h"

#include <gtest/gtest.h>

#include "core/loop.h"

namespace millrace::worker {
namespace {

class Checked : public testing::Test {
protected:
    // The body as it was read, in pieces.
    Result<std::string> read(const std::string& text, const std::optional<ExpectedContent::Digest>& digest) {
        MemorySource source(text);
        CheckedBody body(source, digest);
        EXPECT_EQ(body.size(), text.size());
        EXPECT_EQ(body.whole().has_value(), !digest) << "who takes all of it at once would not hear of its end";
        std::string found;
        std::array<std::byte, 2> buffer{};
        for (;;) {
            MILLRACE_TRY_ASSIGN(const std::size_t count, run_blocking(loop_, body.read(buffer)));
            if (count == 0) return found;
            found.append(reinterpret_cast<const char*>(buffer.data()), count);
        }
    }

    Loop loop_{"test"};
};

TEST_F(Checked, TheRightDigestLetsABodyPass) {
    const std::string text = "123456789";
    for (const auto& [kind, hex] : std::vector<std::pair<std::string, std::string>>{
             {"crc32c", "e3069283"},
             {"md5", "25f9e794323b453885f5181f1b624d0b"},
             {"sha256", "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"},
             {"sha512", "d9e6762dd1c8eaf6d61b3c6192fc408d4d6d5f1176d0c29169bc24e71c3f274ad27fcd5811b313d681f7e55ec02d73d499c95455b6b5bb503acf574fba8ffe85"}}) {
        EXPECT_EQ(read(text, ExpectedContent::Digest{kind, hex}), text) << kind;
        const auto other = read("12345678", ExpectedContent::Digest{kind, hex});
        ASSERT_FALSE(other) << kind;
        EXPECT_EQ(other.error().code, Code::checksum_mismatch);
        EXPECT_NE(other.error().context.find(kind), std::string::npos);
        EXPECT_FALSE(read("", ExpectedContent::Digest{kind, hex})) << kind;
    }
    EXPECT_EQ(read("", ExpectedContent::Digest{"crc32c", "00000000"}), "");
    EXPECT_EQ(read(text, std::nullopt), text);
}

}  // namespace
}  // namespace millrace::worker
