#include "auth/node_proof.h"

#include <gtest/gtest.h>
#include "core/base64.h"
#include "core/secrets.h"


namespace millrace::auth {
namespace {

constexpr std::int64_t kNow = 1'800'000'000;

class NodeProofs : public testing::Test {
protected:
    NodeProofs() {
        for (KeysOfTarget* target : {&a_, &b_, &c_}) tell(*target, {"a", "b", "c"});
    }
    void tell(KeysOfTarget& target, const std::vector<std::string>& nodes) {
        std::map<std::string, std::string, std::less<>> others;
        for (const std::string& node : nodes) {
            if (node != target.self()) others.emplace(node, proxy_.told_to(target.self(), node));
        }
        target.set(proxy_.told_to(target.self(), target.self()), std::move(others));
    }
    static std::string refusal(const Result<std::string>& checked) { return checked ? "" : checked.error().context; }

    KeysOfProxy proxy_{random_bytes(kNodeKeyBytes)};
    KeysOfTarget a_{"a"}, b_{"b"}, c_{"c"};
};

TEST_F(NodeProofs, SayWhoAsks) {
    EXPECT_EQ(*check_proof(b_, make_proof(a_, "b", "PUT", "/x?y=z", kNow), "PUT", "/x?y=z", kNow), "a");
    EXPECT_EQ(*check_proof(b_, make_proof(proxy_, "b", "GET", "/x", kNow), "GET", "/x", kNow), "");
}

TEST_F(NodeProofs, AreForOneTargetAndOneRequest) {
    const std::string proof = make_proof(a_, "b", "PUT", "/x", kNow);
    EXPECT_FALSE(check_proof(c_, proof, "PUT", "/x", kNow)) << "another target, to which it was shown";
    EXPECT_FALSE(check_proof(a_, proof, "PUT", "/x", kNow)) << "itself";
    EXPECT_FALSE(check_proof(b_, proof, "GET", "/x", kNow));
    EXPECT_FALSE(check_proof(b_, proof, "PUT", "/x?", kNow));
    EXPECT_FALSE(check_proof(b_, "c" + proof.substr(1), "PUT", "/x", kNow)) << "in the name of another";
    EXPECT_FALSE(check_proof(b_, "proxy:" + proof.substr(1), "PUT", "/x", kNow));
    for (std::size_t i = 0; i < proof.size(); ++i) EXPECT_FALSE(check_proof(b_, proof.substr(0, i), "PUT", "/x", kNow)) << i;
}

TEST_F(NodeProofs, AreGoodForAMinute) {
    const std::string proof = make_proof(a_, "b", "PUT", "/x", kNow);
    EXPECT_TRUE(check_proof(b_, proof, "PUT", "/x", kNow + kProofSeconds));
    const auto late = check_proof(b_, proof, "PUT", "/x", kNow + kProofSeconds + 1);
    EXPECT_NE(refusal(late).find("clocks"), std::string::npos) << refusal(late);
    EXPECT_FALSE(check_proof(b_, proof, "PUT", "/x", kNow - 24 * 3600)) << "made by a clock that is a day ahead";
}

TEST_F(NodeProofs, OfATargetThatIsNotInTheMapAnyMoreAreRefused) {
    const std::string proof = make_proof(a_, "b", "PUT", "/x", kNow);
    tell(b_, {"b", "c"});
    const auto gone = check_proof(b_, proof, "PUT", "/x", kNow);
    EXPECT_NE(refusal(gone).find("none of this cluster"), std::string::npos) << refusal(gone);
    EXPECT_EQ(make_proof(b_, "a", "PUT", "/x", kNow), "") << "nor is it spoken to";
}

TEST_F(NodeProofs, OfAnotherClusterAreRefused) {
    const KeysOfProxy other(random_bytes(kNodeKeyBytes));
    EXPECT_FALSE(check_proof(b_, make_proof(other, "b", "GET", "/x", kNow), "GET", "/x", kNow));
}

TEST_F(NodeProofs, BeforeThereIsAMapNobodyIsBelieved) {
    const KeysOfTarget fresh("b");
    EXPECT_EQ(check_proof(fresh, make_proof(proxy_, "b", "GET", "/x", kNow), "GET", "/x", kNow).error().code, Code::unavailable);
    EXPECT_FALSE(check_proof(fresh, " 1800000000 " + base64url_encode(hmac_sha256("", "")), "GET", "/x", kNow));
}

TEST_F(NodeProofs, ATicketNamesItsUserAndOneRequest) {
    for (const char* target : {"/v1/objects/b/o", "/v1/objects/b/o?pid=p&utm=1"}) {
        const std::string with = with_ticket(proxy_, "b", "GET", target, "alice", kNow);
        EXPECT_EQ(*check_ticket(b_, "GET", with, kNow), "alice") << with;
        EXPECT_FALSE(check_ticket(b_, "HEAD", with, kNow));
        EXPECT_FALSE(check_ticket(c_, "GET", with, kNow));
        EXPECT_FALSE(check_ticket(b_, "GET", with + "&etl_name=x", kNow)) << "nothing is added behind it";
        EXPECT_FALSE(check_ticket(b_, "GET", with, kNow + kTicketSeconds + 1));
        std::string other = with;
        other[other.find("/o") + 1] = 'p';
        EXPECT_FALSE(check_ticket(b_, "GET", other, kNow)) << other;
    }
    EXPECT_EQ(*check_ticket(b_, "GET", "/v1/objects/b/o?x=1", kNow), std::nullopt);
    EXPECT_EQ(*check_ticket(b_, "GET", "/v1/objects/b/ticket=1", kNow), std::nullopt) << "a name";
    EXPECT_EQ(*check_ticket(b_, "GET", with_ticket(a_, "b", "GET", "/x", "bob", kNow), kNow), "bob") << "from target to target";
}

}  // namespace
}  // namespace millrace::auth
