#include "wire/join_code.h"

#include <gtest/gtest.h>

namespace millrace::wire {
namespace {

const JoinCode kCode{"http://127.0.0.1:8080", "tcp://127.0.0.1:7000", std::string(40, 'k'), std::string(kTokenBytes, '\xff')};

TEST(CodeToJoin, ComesBackAsItWasMadeAndNeedsNoQuotes) {
    const std::string text = to_text(kCode);
    EXPECT_EQ(text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), std::string::npos);
    for (const std::string& given : {text, text + "\n", text + "\r\n"}) {
        const auto code = parse_join_code(given);
        ASSERT_TRUE(code);
        EXPECT_EQ(code->http, kCode.http);
        EXPECT_EQ(code->control, kCode.control);
        EXPECT_EQ(code->proxy_key, kCode.proxy_key);
        EXPECT_EQ(code->token, kCode.token);
    }
}

TEST(CodeToJoin, HalfACodeIsRefusedAndNotRepeated) {
    const std::string text = to_text(kCode);
    for (std::size_t length = 0; length < text.size(); ++length) {
        const auto code = parse_join_code(text.substr(0, length));
        ASSERT_FALSE(code) << length;
        EXPECT_EQ(code.error().code, Code::invalid_argument);
        if (length > 8) EXPECT_EQ(code.error().context.find(text.substr(0, length)), std::string::npos);
    }
    EXPECT_FALSE(parse_join_code(std::string(kJoinCodeBytesMax + 1, 'A')));
    EXPECT_FALSE(parse_join_code("e30"));  // {}
}

}  // namespace
}  // namespace millrace::wire
