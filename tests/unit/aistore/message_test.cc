#include "aistore/message.h"

#include <gtest/gtest.h>

namespace millrace::aistore {
namespace {

using nlohmann::json;

TEST(Message, MembersAreFoundWhateverTheirCase) {
    const json object{{"ID", "job-1"}, {"Kind", "etl-bck"}, {"active", true}, {"Count", 7}};
    const Fields fields(object);
    EXPECT_EQ(*fields.text("id"), "job-1");
    EXPECT_EQ(*fields.text("kind"), "etl-bck");
    EXPECT_TRUE(*fields.flag("Active"));
    EXPECT_EQ(*fields.number("count"), 7);
}

TEST(Message, TheExactKeyWinsOverOneOfAnotherCase) {
    const json object{{"ID", "other"}, {"id", "this"}};
    EXPECT_EQ(*Fields(object).text("id"), "this");
}

TEST(Message, AbsentAndNullAreEmpty) {
    const json object{{"text", nullptr}};
    const Fields fields(object);
    EXPECT_EQ(fields.find("text"), nullptr);
    EXPECT_EQ(*fields.text("text"), "");
    EXPECT_EQ(*fields.text("absent"), "");
    EXPECT_FALSE(*fields.flag("absent"));
    EXPECT_EQ(*fields.number("absent"), 0);
    const json nothing;
    EXPECT_EQ(*Fields(nothing).text("text"), "");
}

TEST(Message, AnotherTypeIsAnErrorThatNamesTheMember) {
    const json object{{"prefix", 7}, {"coer", "yes"}, {"flags", "many"}, {"half", 1.5}, {"empty", ""}};
    const Fields fields(object);
    EXPECT_EQ(fields.text("prefix").error().context, "'prefix' must be a text");
    EXPECT_EQ(fields.flag("coer").error().context, "'coer' must be true or false");
    EXPECT_EQ(fields.number("flags").error().context, "'flags' must be a whole number");
    EXPECT_FALSE(fields.number("half"));
    EXPECT_FALSE(fields.number("empty"));
}

TEST(Message, NumbersMayBeWrittenAsText) {
    const json object{{"flags", "2048"}, {"workers", "-1"}};
    EXPECT_EQ(*Fields(object).number("flags"), 2048);
    EXPECT_EQ(*Fields(object).number("workers"), -1);
}

TEST(Message, AnActionHasAValueOfAnyKind) {
    const auto message = parse_action(R"({"Action":"list","name":"","value":{"prefix":"a"},"more":1})");
    ASSERT_TRUE(message);
    EXPECT_EQ(message->action, "list");
    EXPECT_EQ(message->value, (json{{"prefix", "a"}}));
    EXPECT_TRUE(parse_action(R"({"action":"list","value":null})")->value.is_null());
    EXPECT_EQ(parse_action("")->action, "");
}

TEST(Message, WhatIsNoActionIsRefused) {
    for (const char* body : {"[]", "{", "7", R"({"action":7})", R"({"action":"x","name":[]})"}) {
        EXPECT_EQ(parse_action(body).error().code, Code::invalid_argument) << body;
    }
}

}  // namespace
}  // namespace millrace::aistore
