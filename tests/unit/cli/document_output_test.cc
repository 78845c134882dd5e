#include <gmock/gmock.h>

#include "cli/document.h"
#include "cli/output.h"
#include "fake_cluster.h"

namespace millrace::cli {
namespace {

using nlohmann::json;

TEST(Document, MissingAndMistypedMembersReadAsFallbacks) {
    const json doc = json::parse(R"({"s":1,"n":"x","neg":-5,"frac":2.9,"huge":1e30,"list":[1]})");
    EXPECT_EQ(text_of(doc, "s", "none"), "none");
    EXPECT_EQ(count_of(doc, "n"), 0u);
    EXPECT_EQ(count_of(doc, "neg"), 0u);
    EXPECT_EQ(count_of(doc, "frac"), 2u);
    EXPECT_EQ(count_of(doc, "huge"), ~std::uint64_t{0});
    EXPECT_EQ(number_of(doc, "s"), 1.0);
    EXPECT_FALSE(flag_of(doc, "s"));
    EXPECT_TRUE(member(doc, "absent").is_null());
    EXPECT_TRUE(member(member(doc, "list"), "x").is_null());
    EXPECT_EQ(text_of(json(3), "x", "f"), "f");
}

TEST(Document, OnlyWholeShallowJsonIsTaken) {
    EXPECT_TRUE(parse_json("")->is_null());
    EXPECT_EQ(parse_json("[1,2]")->size(), 2u);
    for (const std::string& bad : {std::string("{"), std::string("[1] x"), std::string("<html>"),
                                   std::string("\"\xff\""), std::string(200'000, '[')}) {
        const auto parsed = parse_json(bad);
        ASSERT_FALSE(parsed.has_value());
        EXPECT_EQ(parsed.error().code, Code::internal);
    }
}

TEST(Output, TextCannotSteerATerminal) {
    EXPECT_EQ(clean_text("a\x1b[31mred\r\n\tb"), "a\\x1b[31mred\\x0d\\x0a\\x09b");
    EXPECT_EQ(clean_text("\x7f"), "\\x7f");
    EXPECT_EQ(clean_text("\xc2\x9b" "31m"), "\\xc2\\x9b31m");
    EXPECT_EQ(clean_text("\xe2\x80\xae" "exe"), "\\xe2\\x80\\xae" "exe");
    EXPECT_EQ(clean_text("\xff\xfe"), "\\xff\\xfe");
    EXPECT_EQ(clean_text("grün 日本"), "grün 日本");
    EXPECT_EQ(clean_lines("a\n\tb\x1b"), "a\n\tb\\x1b");
}

TEST(Output, JsonEscapesWhatATerminalWouldObey) {
    std::ostringstream out;
    print_json(out, json{{"x", "\x1b\x7f\xc2\x9b"}});
    EXPECT_EQ(out.str(), "{\n  \"x\": \"\\u001b\\u007f\\u009b\"\n}\n");
    EXPECT_EQ(json::parse(out.str())["x"], "\x1b\x7f\xc2\x9b");
}

TEST(Output, TablesAlignByCharacters) {
    Table table({{"NAME"}, {"SIZE", true}, {"NOTE"}});
    table.add({"grün", "1 B", ""});
    table.add({"a", "12.5 MiB", "x\ny"});
    std::ostringstream out;
    table.print(out);
    EXPECT_EQ(out.str(),
              "NAME      SIZE  NOTE\n"
              "grün       1 B  \n"
              "a     12.5 MiB  x\\x0ay\n");
}

TEST(Output, FieldsWithoutAValueAreLeftOut) {
    std::ostringstream out;
    print_fields(out, {{"a", "1"}, {"longer", "2"}, {"absent", ""}});
    EXPECT_EQ(out.str(), "a:       1\nlonger:  2\n");
}

TEST(Output, AnArrayIsPrintedPieceByPiece) {
    std::ostringstream empty;
    JsonArrayPrinter(empty).end();
    EXPECT_EQ(json::parse(empty.str()), json::array());
    std::ostringstream two;
    JsonArrayPrinter printer(two);
    printer.add({{"a", 1}});
    printer.add("b");
    printer.end();
    EXPECT_EQ(json::parse(two.str()), json::parse(R"([{"a":1},"b"])"));
}

TEST(ExitStatus, FollowsTheCode) {
    EXPECT_EQ(exit_status(Code::invalid_argument), kExitUsage);
    EXPECT_EQ(exit_status(Code::conflict), kExitUsage);
    EXPECT_EQ(exit_status(Code::not_found), kExitNotFound);
    EXPECT_EQ(exit_status(Code::unavailable), kExitUnreachable);
    EXPECT_EQ(exit_status(Code::incomplete_body), kExitFailed);
    EXPECT_EQ(exit_status(Code::rejected), kExitFailed);
}

TEST(Report, IsOneCleanLineAndAHint) {
    std::istringstream in;
    std::ostringstream out;
    std::ostringstream err;
    Console console{in, out, err, {}};
    report(console, "put", "a\nb", "do this");
    EXPECT_EQ(err.str(), "millrace: put: a\\x0ab\n  do this\n");
}

}  // namespace
}  // namespace millrace::cli
