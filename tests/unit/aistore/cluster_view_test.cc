#include "aistore/cluster_view.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace millrace::aistore {
namespace {

using nlohmann::json;

const ProxyView kProxy{"p-1", "c-1", "http://10.0.0.1:8080", 7};

std::map<std::string, scheduler::Member> members() {
    std::map<std::string, scheduler::Member> found;
    found["t1"].endpoint = "http://127.0.0.1:4001";
    found["t1"].online = true;
    found["t2"].endpoint = "http://127.0.0.1:4002";
    return found;
}

// Computed with Python's xxhash and the seed that AIStore's SDK has.
TEST(ClusterView, TheDigestOfAnIdIsAistores) {
    EXPECT_EQ(id_digest("t1"), 14214570646889990061u);
    EXPECT_EQ(id_digest("t-7k2m0q9xw4"), 5005925824561390761u);
}

TEST(ClusterView, TheMapHasItsVersionAsTextAndEveryNode) {
    const json map = json::parse(cluster_map(kProxy, members()));
    EXPECT_EQ(map["version"], "7");
    EXPECT_EQ(map["uuid"], "c-1");
    EXPECT_EQ(map["pmap"]["p-1"], map["proxy_si"]);
    EXPECT_EQ(map["proxy_si"]["public_net"]["direct_url"], "http://10.0.0.1:8080");
    const json& target = map["tmap"]["t1"];
    EXPECT_EQ(target["daemon_type"], "target");
    EXPECT_EQ(target["flags"], 0);
    EXPECT_EQ(map["proxy_si"]["flags"], 2) << "it is the one to ask about jobs";
    EXPECT_EQ(target["id_digest"].get<std::uint64_t>(), id_digest("t1"));
    EXPECT_EQ(target["public_net"]["node_hostname"], "127.0.0.1");
    EXPECT_EQ(target["public_net"]["daemon_port"], "4001");
}

TEST(ClusterView, ATargetThatIsOfflineIsInMaintenance) {
    EXPECT_EQ(json::parse(cluster_map(kProxy, members()))["tmap"]["t2"]["flags"], 4);
}

TEST(ClusterView, AnAddressWithoutAPortStaysWhole) {
    const json map = json::parse(cluster_map({"p-1", "c-1", "http://proxy", 1}, {}));
    EXPECT_EQ(map["proxy_si"]["public_net"]["node_hostname"], "proxy");
    EXPECT_EQ(map["proxy_si"]["public_net"]["daemon_port"], "");
    EXPECT_EQ(map["tmap"], json::object());
}

}  // namespace
}  // namespace millrace::aistore
