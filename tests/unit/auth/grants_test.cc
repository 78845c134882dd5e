#include "auth/grants.h"

#include <gtest/gtest.h>

namespace millrace::auth {
namespace {

Grants grants(std::initializer_list<const char*> texts) {
    std::vector<Grant> parsed;
    for (const char* text : texts) parsed.push_back(*Grant::parse(text));
    return Grants(std::move(parsed));
}

TEST(Grants, AreAboutBucketsByPattern) {
    const Grants held = grants({"read:audio-*", "write:out", "read:*-2026-*"});
    EXPECT_TRUE(held.may(Right::read, "audio-1"));
    EXPECT_TRUE(held.may(Right::read, "audio-"));
    EXPECT_FALSE(held.may(Right::read, "audio"));
    EXPECT_FALSE(held.may(Right::read, "my-audio-1"));
    EXPECT_TRUE(held.may(Right::read, "logs-2026-01"));
    EXPECT_FALSE(held.may(Right::read, "logs-2025-01"));
    EXPECT_TRUE(held.may(Right::write, "out"));
    EXPECT_FALSE(held.may(Right::write, "out2"));
    EXPECT_FALSE(held.may(Right::write, "audio-1"));
    EXPECT_FALSE(held.may(Right::write, ""));
}

TEST(Grants, SomeIncludeOthers) {
    EXPECT_TRUE(grants({"write:out"}).may(Right::read, "out"));
    EXPECT_FALSE(grants({"read:out"}).may(Right::write, "out"));
    for (const Right right : {Right::read, Right::write, Right::run, Right::command, Right::unconfined, Right::admin}) {
        EXPECT_TRUE(grants({"admin"}).may_everywhere(right)) << right_name(right);
        EXPECT_FALSE(Grants().may_somewhere(right)) << right_name(right);
    }
    EXPECT_FALSE(grants({"run", "write"}).may_somewhere(Right::command)) << "to run is not to bring programs";
}

TEST(Grants, SomewhereIsNotEverywhere) {
    EXPECT_TRUE(grants({"run:a"}).may_somewhere(Right::run));
    EXPECT_FALSE(grants({"run:a*"}).may_everywhere(Right::run));
    EXPECT_TRUE(grants({"run"}).may_everywhere(Right::run));
    EXPECT_TRUE(grants({"run:*"}).may_everywhere(Right::run));
}

TEST(Grants, ManyStarsTakeNoTime) {
    const Grants held = grants({"read:*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b"});
    EXPECT_FALSE(held.may(Right::read, std::string(200, 'a')));
    EXPECT_TRUE(held.may(Right::read, std::string(200, 'a') + "b"));
}

TEST(Grants, SayThemselves) {
    for (const char* text : {"read", "write:out", "run:a*", "admin"}) EXPECT_EQ(Grant::parse(text)->text(), text);
    EXPECT_EQ(Grant::parse("read:*")->text(), "read");
    for (const char* text : {"", "reads", "read:", "READ", "read:a b", "read:a,b", ":a", "read:a\nb"}) EXPECT_FALSE(Grant::parse(text)) << text;
}

}  // namespace
}  // namespace millrace::auth
