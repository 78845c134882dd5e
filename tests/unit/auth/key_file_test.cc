#include "auth/key_file.h"

#include <gtest/gtest.h>

#include "core/file.h"
#include "tests/unit/state/temp_folder.h"

namespace millrace::auth {
namespace {

TEST(KeyFile, IsReadAgainWhenItHasChanged) {
    const TempFolder folder;
    const std::string path = folder / "auth.pem";
    const SigningKey first = SigningKey::generate();
    const SigningKey second = SigningKey::generate();
    ASSERT_TRUE(write_file(path, first.public_pem()));
    const auto file = KeyFile::open(path);
    ASSERT_TRUE(file) << file.error().context;
    EXPECT_TRUE((*file)->keys()->verify("x", first.sign("x")));
    ASSERT_TRUE(write_file(path, second.public_pem()));
    EXPECT_TRUE((*file)->refresh());
    EXPECT_FALSE((*file)->keys()->verify("x", first.sign("x")));
    EXPECT_TRUE((*file)->keys()->verify("x", second.sign("x")));
}

TEST(KeyFile, ThatCannotBeReadAnyMoreChangesNothing) {
    const TempFolder folder;
    const std::string path = folder / "auth.pem";
    const SigningKey key = SigningKey::generate();
    ASSERT_TRUE(write_file(path, key.public_pem()));
    const auto file = KeyFile::open(path);
    ASSERT_TRUE(file);
    ASSERT_TRUE(write_file(path, "no key"));
    EXPECT_FALSE((*file)->refresh());
    EXPECT_TRUE((*file)->keys()->verify("x", key.sign("x")));
}

TEST(KeyFile, ErrorsNameIt) {
    const TempFolder folder;
    const auto none = KeyFile::open(folder / "none.pem");
    ASSERT_FALSE(none);
    EXPECT_NE(none.error().context.find("none.pem"), std::string::npos);
    ASSERT_TRUE(write_file(folder / "bad.pem", "no key"));
    const auto bad = KeyFile::open(folder / "bad.pem");
    ASSERT_FALSE(bad);
    EXPECT_NE(bad.error().context.find("bad.pem"), std::string::npos);
    EXPECT_NE(bad.error().context.find("millrace auth init"), std::string::npos);
}

}  // namespace
}  // namespace millrace::auth
