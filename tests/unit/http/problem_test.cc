#include "http/problem.h"

#include <gtest/gtest.h>

#include "core/names.h"
#include "http/message.h"

namespace millrace::http {
namespace {

TEST(Problem, EveryCodeSurvivesTheRoundTrip) {
    for (int number = 1; code_name(static_cast<Code>(number)) != "unknown"; ++number) {
        const Error error = fail(static_cast<Code>(number), "object \"a/b\" of bucket 'c' — nothing there");
        const Error back = error_of_reply(status_of(error.code), problem_json(error));
        EXPECT_EQ(back.code, error.code);
        EXPECT_EQ(back.context, error.context);
        EXPECT_EQ(parse_code(code_name(error.code)), error.code);
    }
    EXPECT_EQ(parse_code("unknown"), std::nullopt);
    EXPECT_EQ(parse_code(""), std::nullopt);
}

TEST(Problem, IsOneFixedDocument) {
    EXPECT_EQ(problem_json(fail(Code::not_found, "no job 'x'")),
              R"({"type":"about:blank","title":"Not Found","status":404,"code":"not_found","detail":"no job 'x'","message":"no job 'x'"})");
    EXPECT_NE(problem_json(fail(Code::internal, "x"), 405).find(R"("status":405)"), std::string::npos);
}

TEST(Problem, OnAistoresPathsItHasAistoresMembersToo) {
    const ProblemPlace place{"GET", "/v1/buckets/x", "127.0.0.1:5", "p[p-1]"};
    EXPECT_EQ(problem_json(fail(Code::not_found, "bucket \"ais://x\" does not exist"), 404, place),
              R"({"type":"about:blank","title":"Not Found","status":404,"code":"not_found","detail":"bucket \"ais://x\" does not exist",)"
              R"("message":"bucket \"ais://x\" does not exist","tcode":"ErrBckNotFound","method":"GET","url_path":"/v1/buckets/x",)"
              R"("remote_addr":"127.0.0.1:5","caller":"","node":"p[p-1]"})");
    const auto type = [&place](Code code, const char* text) {
        const std::string document = problem_json(fail(code, text), status_of(code), place);
        const std::size_t at = document.find("\"tcode\":\"");
        return at == document.npos ? "" : document.substr(at + 9, document.find('"', at + 9) - at - 9);
    };
    EXPECT_EQ(type(Code::already_exists, "bucket \"ais://x\" already exists"), "ErrBucketAlreadyExists");
    EXPECT_EQ(type(Code::not_found, "job job-1 does not exist"), "ErrXactNotFound");
    EXPECT_EQ(type(Code::not_found, "object \"ais://x/y\" does not exist"), "ErrNotFound");
    EXPECT_EQ(type(Code::conflict, "job job-1 uses bucket \"ais://x\""), "ErrLimitedCoexistence");
    EXPECT_EQ(type(Code::internal, "x"), "");
    EXPECT_EQ(problem_json(fail(Code::not_found, "x"), 404, {"GET", "/v1/jobs/x", "127.0.0.1:5", "p[p-1]"}), problem_json(fail(Code::not_found, "x")));
}

TEST(Problem, BytesThatAreNotUtf8DoNotBreakTheDocument) {
    const std::string document = problem_json(fail(Code::invalid_argument, "bad name \xff\xfe"));
    EXPECT_TRUE(is_utf8(document));
    EXPECT_EQ(error_of_reply(400, document).code, Code::invalid_argument);
}

TEST(Problem, OtherRepliesAreShortenedAndCleaned) {
    const Error plain = error_of_reply(502, "<html>\r\n\x1b[31mbad\tgateway</html>\n");
    EXPECT_EQ(plain.code, Code::transient);
    EXPECT_EQ(plain.context, "status 502 Bad Gateway: <html> [31mbad gateway</html>");
    EXPECT_EQ(error_of_reply(404, "").context, "status 404 Not Found");
    const Error lengthy = error_of_reply(400, std::string(100'000, 'x'));
    EXPECT_EQ(lengthy.code, Code::rejected);
    EXPECT_LT(lengthy.context.size(), 450u);
    std::string umlauts;
    for (int i = 0; i < 1000; ++i) umlauts += "ü";
    EXPECT_TRUE(is_utf8(error_of_reply(400, "x" + umlauts).context));
}

TEST(Problem, ACodeOfANewerPeerFallsBackToTheStatus) {
    const Error error = error_of_reply(503, R"({"code":"from_the_future","detail":"come back"})");
    EXPECT_EQ(error.code, Code::unavailable);
    EXPECT_EQ(error.context, "come back");
    EXPECT_EQ(error_of_reply(500, R"({"code":7,"detail":[1]})").code, Code::transient);
    EXPECT_EQ(error_of_reply(500, R"({"message":"other"})").context, R"(status 500 Internal Server Error: {"message":"other"})");
}

}  // namespace
}  // namespace millrace::http
