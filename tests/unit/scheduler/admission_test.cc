#include "scheduler/admission.h"

#include <gtest/gtest.h>

#include "scheduler/proxy_records.h"

namespace millrace::scheduler {
namespace {

constexpr std::int64_t kNow = 1'000'000;
constexpr std::int64_t kLater = 2'000'000;
const std::string kFirstKey(40, '1');
const std::string kSecondKey(40, '2');
const std::string kToken(32, 't');
const std::string kOtherToken(32, 'u');

Code code_of(const Result<void>& result) { return result ? Code::internal : result.error().code; }

TEST(NodeAdmission, AnInvitationLetsOneNodeIn) {
    Admission admission;
    ASSERT_TRUE(admission.invite(kToken, kLater, kNow));
    EXPECT_TRUE(admission.keys().empty());
    ASSERT_TRUE(admission.join(kToken, "t1", kFirstKey, kNow));
    EXPECT_EQ(admission.keys(), (std::map<std::string, std::string>{{"t1", kFirstKey}}));
    EXPECT_EQ(code_of(admission.join(kToken, "t2", kSecondKey, kNow)), Code::permission);
    EXPECT_EQ(admission.keys().size(), 1u);
}

TEST(NodeAdmission, TheNodeWhoseAnswerWasLostMayShowItsInvitationAgain) {
    Admission admission;
    ASSERT_TRUE(admission.invite(kToken, kLater, kNow));
    ASSERT_TRUE(admission.join(kToken, "t1", kFirstKey, kNow));
    EXPECT_TRUE(admission.join(kToken, "t1", kFirstKey, kNow + 1));
    EXPECT_EQ(code_of(admission.join(kToken, "t1", kSecondKey, kNow)), Code::permission);
    EXPECT_EQ(code_of(admission.join(kToken, "t2", kFirstKey, kNow)), Code::permission);
}

TEST(NodeAdmission, AnInvitationThatHasExpiredOrNeverWasIsRefused) {
    Admission admission;
    ASSERT_TRUE(admission.invite(kToken, kLater, kNow));
    EXPECT_EQ(code_of(admission.join(kOtherToken, "t1", kFirstKey, kNow)), Code::permission);
    EXPECT_EQ(code_of(admission.join("", "t1", kFirstKey, kNow)), Code::permission);
    EXPECT_EQ(code_of(admission.join(kToken, "t1", kFirstKey, kLater)), Code::permission);
    EXPECT_TRUE(admission.keys().empty());
    EXPECT_TRUE(admission.join(kToken, "t1", kFirstKey, kLater - 1));
}

TEST(NodeAdmission, NoInvitationTakesTheIdOfANodeThatIsIn) {
    Admission admission;
    ASSERT_TRUE(admission.invite(kToken, kLater, kNow));
    ASSERT_TRUE(admission.invite(kOtherToken, kLater, kNow));
    ASSERT_TRUE(admission.join(kToken, "t1", kFirstKey, kNow));
    EXPECT_EQ(code_of(admission.join(kOtherToken, "t1", kSecondKey, kNow)), Code::conflict);
    EXPECT_EQ(code_of(admission.join(kOtherToken, "t2", kFirstKey, kNow)), Code::conflict) << "a copied folder";
    EXPECT_TRUE(admission.join(kOtherToken, "t2", kSecondKey, kNow)) << "it was not used up by what was refused";
}

TEST(NodeAdmission, ARevokedNodeComesBackByAnotherInvitationOnly) {
    Admission admission;
    ASSERT_TRUE(admission.invite(kToken, kLater, kNow));
    ASSERT_TRUE(admission.join(kToken, "t1", kFirstKey, kNow));
    ASSERT_TRUE(admission.revoke("t1"));
    EXPECT_TRUE(admission.keys().empty());
    EXPECT_EQ(code_of(admission.revoke("t1")), Code::not_found);
    EXPECT_EQ(code_of(admission.join(kToken, "t1", kFirstKey, kNow)), Code::permission);
    ASSERT_TRUE(admission.invite(kOtherToken, kLater, kNow));
    EXPECT_TRUE(admission.join(kOtherToken, "t1", kSecondKey, kNow)) << "with a new key, too";
}

TEST(NodeAdmission, WhatIsNoIdOrNoKeyIsRefused) {
    Admission admission;
    ASSERT_TRUE(admission.invite(kToken, kLater, kNow));
    for (const std::string& id : {std::string(), std::string(129, 'x'), std::string("a\0b", 3), std::string("\xff")}) {
        EXPECT_EQ(code_of(admission.join(kToken, id, kFirstKey, kNow)), Code::invalid_argument);
    }
    EXPECT_EQ(code_of(admission.join(kToken, "t1", "short", kNow)), Code::invalid_argument);
    EXPECT_TRUE(admission.join(kToken, "t1", kFirstKey, kNow));
}

TEST(NodeAdmission, InvitationsAreBoundedAndExpiredOnesMakeRoom) {
    Admission admission;
    for (std::size_t i = 0; i < Admission::kInvitationsMax; ++i) ASSERT_TRUE(admission.invite("token " + std::to_string(i), kLater, kNow));
    EXPECT_EQ(code_of(admission.invite(kToken, kLater, kNow)), Code::overloaded);
    EXPECT_TRUE(admission.invite(kToken, kLater + 10, kLater));
    EXPECT_EQ(admission.record().invitations.size(), 1u);
}

TEST(NodeAdmission, TheRecordHoldsNoSecret) {
    Admission admission;
    ASSERT_TRUE(admission.invite(kToken, kLater, kNow));
    const std::string bytes = encode(admission.record());
    EXPECT_EQ(bytes.find(kToken), std::string::npos);
    Admission again(decode<AdmissionRecord>(kAdmissionKey, bytes).value());
    EXPECT_TRUE(again.join(kToken, "t1", kFirstKey, kNow));
}

}  // namespace
}  // namespace millrace::scheduler
