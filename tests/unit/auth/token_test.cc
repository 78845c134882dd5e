#include "auth/token.h"

#include <gtest/gtest.h>
#include "core/base64.h"
#include "core/secrets.h"


namespace millrace::auth {
namespace {

constexpr std::int64_t kNow = 1'800'000'000;

class Tokens : public testing::Test {
protected:
    static Token token() { return {"t-1", "alice", kNow, kNow + 3600, Grants({{Right::read, "audio-*"}, {Right::run, "*"}})}; }
    VerifyingKeys keys() const { return *VerifyingKeys::parse(key_.public_pem()); }
    std::string refusal(const std::string& text, std::int64_t now = kNow) const {
        const auto verified = verify_token(text, keys(), now);
        if (verified) return "";
        EXPECT_EQ(verified.error().code, Code::permission);
        return verified.error().context;
    }

    const SigningKey key_ = SigningKey::generate();
};

TEST_F(Tokens, SayWhatWasSigned) {
    const auto verified = verify_token(*sign_token(token(), key_), keys(), kNow + 10);
    ASSERT_TRUE(verified) << verified.error().context;
    EXPECT_EQ(verified->id, "t-1");
    EXPECT_EQ(verified->subject, "alice");
    EXPECT_EQ(verified->expires_unix, kNow + 3600);
    EXPECT_TRUE(verified->grants.may(Right::read, "audio-1"));
    EXPECT_FALSE(verified->grants.may(Right::write, "audio-1"));
}

TEST_F(Tokens, AreGoodForTheirTimeOnly) {
    const std::string text = *sign_token(token(), key_);
    EXPECT_EQ(refusal(text, kNow + 3599), "");
    EXPECT_NE(refusal(text, kNow + 3600).find("expired at 2027-01-15"), std::string::npos) << refusal(text, kNow + 3600);
    EXPECT_EQ(refusal(text, kNow - kClockSecondsOff), "");
    EXPECT_NE(refusal(text, kNow - 24 * 3600).find("set the clocks right"), std::string::npos);
}

TEST_F(Tokens, EveryChangedByteIsNoticed) {
    const std::string text = *sign_token(token(), key_);
    for (std::size_t i = 0; i < text.size(); ++i) {
        std::string changed = text;
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        EXPECT_NE(refusal(changed), "") << i;
    }
    for (std::size_t i = 0; i < text.size(); ++i) EXPECT_NE(refusal(text.substr(0, i)), "") << i;
}

TEST_F(Tokens, OfAnotherKeyAreRefused) {
    const std::string text = *sign_token(token(), SigningKey::generate());
    EXPECT_NE(refusal(text).find("auth_key"), std::string::npos);
}

TEST_F(Tokens, WithoutASignatureAreRefused) {
    const std::string signed_text = *sign_token(token(), key_);
    const std::string claims = signed_text.substr(signed_text.find('.') + 1, signed_text.rfind('.') - signed_text.find('.') - 1);
    for (const char* header : {R"({"alg":"none"})", R"({"alg":"HS256"})", R"({"alg":"EdDSA"})", "{}", "[]", ""}) {
        const std::string head = base64url_encode(header) + "." + claims + ".";
        EXPECT_NE(refusal(head), "") << header;
        EXPECT_NE(refusal(head + base64url_encode(hmac_sha256(key_.public_pem(), head))), "") << header;
    }
}

TEST_F(Tokens, SeveralKeysAreBelievedWhileOneIsReplaced) {
    const SigningKey next = SigningKey::generate();
    const auto both = VerifyingKeys::parse(key_.public_pem() + next.public_pem());
    ASSERT_TRUE(both);
    EXPECT_TRUE(verify_token(*sign_token(token(), key_), *both, kNow));
    EXPECT_TRUE(verify_token(*sign_token(token(), next), *both, kNow));
}

TEST_F(Tokens, ThatMakeNoSenseAreNotMade) {
    Token wrong = token();
    wrong.expires_unix = kNow + kTokenSecondsMax + 1;
    EXPECT_FALSE(sign_token(wrong, key_));
    wrong = token();
    wrong.expires_unix = kNow;
    EXPECT_FALSE(sign_token(wrong, key_));
    for (const char* subject : {"", "a b", "a\n"}) {
        wrong = token();
        wrong.subject = subject;
        EXPECT_FALSE(sign_token(wrong, key_)) << subject;
    }
    wrong = token();
    wrong.grants = {};
    EXPECT_FALSE(sign_token(wrong, key_));
}

TEST(SigningKeys, AreReadBack) {
    const SigningKey key = SigningKey::generate();
    const auto again = SigningKey::parse(key.pem());
    ASSERT_TRUE(again) << again.error().context;
    EXPECT_EQ(again->public_pem(), key.public_pem());
    EXPECT_EQ(again->sign("x"), key.sign("x")) << "Ed25519 has no chance in it";
    EXPECT_FALSE(SigningKey::parse(key.public_pem()));
    EXPECT_FALSE(VerifyingKeys::parse(key.pem()));
    EXPECT_FALSE(VerifyingKeys::parse(""));
}

}  // namespace
}  // namespace millrace::auth
