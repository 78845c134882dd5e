#include "core/base64.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

TEST(Base64, VectorsOfTheRfc) {
    const std::pair<const char*, const char*> vectors[] = {
        {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
    for (const auto& [bytes, text] : vectors) {
        EXPECT_EQ(base64_encode(bytes), text);
        EXPECT_EQ(base64_decode(text).value_or("refused"), bytes);
    }
}

TEST(Base64, EveryByteIsReadBack) {
    std::string bytes;
    for (int byte = 0; byte < 256; ++byte) {
        bytes += static_cast<char>(byte);
        EXPECT_EQ(base64_decode(base64_encode(bytes)).value_or("refused"), bytes);
    }
}

TEST(Base64, AnythingElseIsRefused) {
    for (const char* text : {"Zg", "Zg=", "Z===", "====", "=", "Zg==Zg==", "Zm9v\n", "Zm-_", "Zm 9", "Zh==", "Zm9=", "Zm9vZ", "Zm\xc3\xa4"}) {
        EXPECT_FALSE(base64_decode(text).has_value()) << text;
    }
}

}  // namespace
}  // namespace millrace
