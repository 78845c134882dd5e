#include "aistore/node_view.h"

#include <gtest/gtest.h>

#include "aistore/configuration.h"

namespace millrace::aistore {
namespace {

using nlohmann::json;

const ProxyView kProxy{"p-1", "c-1", "http://10.0.0.1:8080", 7, 3};

json vitals() {
    return json::parse(R"({"running_ns": 2000000000, "processors": 2, "load": [0.5, 0.25, 0.125],
        "memory": {"total": 1000, "free": 300, "available": 600, "buffers_and_cache": 250, "swap_total": 50, "swap_free": 20},
        "process": {"virtual": 400, "resident": 100, "shared": 30, "user_ms": 60, "system_ms": 40},
        "disks": [{"folder": "/a", "device": "/dev/vda", "filesystem": "ext4", "disk": "vda", "id": [1, 2], "used": 30, "available": 70, "used_percent": 30},
                  {"folder": "/b", "device": "/dev/vda", "filesystem": "ext4", "disk": "vda", "id": [1, 2], "used": 30, "available": 70, "used_percent": 30}],
        "rates": {"vda": {"read": 5, "read_average": 1, "write": 7, "write_average": 2, "busy": 9}},
        "requests": {"get": {"ok": 4, "failed": 1, "ns": 99}, "put": {"ok": 2, "failed": 0, "ns": 50}, "sent_bytes": 400, "stored_bytes": 200}})");
}

NodeReport target() { return {"t1", "http://127.0.0.1:4001", false, true, vitals()}; }
NodeReport offline() { return {"t2", "http://127.0.0.1:4002", false, false, nullptr}; }
NodeReport proxy() { return {"p-1", kProxy.url, true, true, vitals()}; }

TEST(NodeView, AnOnlineNodeHasStartedAndMemory) {
    scheduler::Member member;
    member.transforms.push_back({.name = "upper-1", .state = "running", .runs = 3});
    const json status = node_status(target(), kProxy, &member);
    EXPECT_EQ(status["status"], "online");
    EXPECT_EQ(status["ais_version"], kLikeVersion);
    EXPECT_EQ(status["snode"]["daemon_id"], "t1");
    EXPECT_EQ(status["smap_version"], "7");
    EXPECT_EQ(status["Cluster"]["flags"], 6);
    EXPECT_EQ(status["Cluster"]["smap"]["primary"]["id"], "p-1");
    EXPECT_EQ(status["sys_info"]["mem_avail"], 600);
    EXPECT_DOUBLE_EQ(status["sys_info"]["pct_mem_used"].get<double>(), 10);
    EXPECT_DOUBLE_EQ(status["sys_info"]["pct_cpu_used"].get<double>(), 5);
    EXPECT_EQ(status["sys_info"]["load_avg"], json::parse(R"({"One":0.5,"Five":0.25,"Fifteen":0.125})"));
    EXPECT_EQ(status["sys_info"]["mem"]["Used"], 700);
    EXPECT_EQ(status["sys_info"]["proc"]["Mem"]["Resident"], 100);
    EXPECT_EQ(status["transforms"][0]["objects"], 3);
}

TEST(NodeView, AnOfflineNodeSaysSoAndNothingElse) {
    const json status = node_status(offline(), kProxy, nullptr);
    EXPECT_EQ(status["status"], "offline");
    EXPECT_EQ(status["Cluster"]["flags"], 0);
    EXPECT_EQ(status["capacity"]["total_used"], "0");
    EXPECT_EQ(status["snode"]["flags"], 4);
}

TEST(NodeView, CountersHaveAistoresNamesAndAreTexts) {
    const json tracker = node_stats(target())["tracker"];
    EXPECT_EQ(tracker["get.n"], json::parse(R"({"v":"4"})"));
    EXPECT_EQ(tracker["err.get.n"]["v"], "1");
    EXPECT_EQ(tracker["get.size"]["v"], "400");
    EXPECT_EQ(tracker["put.bps"]["v"], "200");
    EXPECT_EQ(tracker["put.ns.total"]["v"], "50");
    EXPECT_EQ(tracker["up.ns.time"]["v"], "2000000000");
    EXPECT_EQ(tracker["disk.vda.util"]["v"], "9");
    EXPECT_FALSE(node_stats(proxy())["tracker"].contains("get.n")) << "no object passes the proxy";
}

TEST(NodeView, EveryCounterHasAKind) {
    const json kinds = metric_kinds(target());
    for (const auto& [name, value] : node_stats(target())["tracker"].items()) EXPECT_TRUE(kinds.contains(name)) << name;
    EXPECT_EQ(kinds["get.n"], "counter");
    EXPECT_EQ(kinds["get.size"], "size");
    EXPECT_EQ(kinds["get.bps"], "bw");
    EXPECT_EQ(kinds["get.ns.total"], "total");
    EXPECT_EQ(kinds["disk.vda.read.bps"], "compbw");
}

TEST(NodeView, FoldersOfOneDiskCountItOnce) {
    const json disks = disk_stats(target());
    EXPECT_EQ(disks["total_used"], "30");
    EXPECT_EQ(disks["total_avail"], "70");
    EXPECT_EQ(disks["pct_avg"], 30);
    EXPECT_EQ(disks["Mountpaths"].size(), 2u);
    EXPECT_EQ(disks["Mountpaths"]["/a"]["disks"], json::array({"vda"}));
    EXPECT_EQ(disks["AllDiskStats"]["vda"], json::parse(R"({"RBps":5,"Ravg":1,"WBps":7,"Wavg":2,"Util":9})"));
    EXPECT_EQ(mountpaths(target())["available"], json::array({"/a", "/b"}));
}

TEST(NodeView, NodesThatShareADiskCountItOnce) {
    json other = vitals();
    other["disks"][0]["id"] = {3, 4};
    EXPECT_EQ(disk_bytes({vitals(), vitals()}), 100u);
    EXPECT_EQ(disk_bytes({vitals(), other}), 200u);
    EXPECT_EQ(disk_bytes({nullptr}), 0u);
}

TEST(NodeView, AllNodesTogether) {
    const json info = system_info({proxy(), target()});
    EXPECT_EQ(info["proxy"]["p-1"]["mem_used"], 100);
    EXPECT_EQ(info["target"]["t1"]["fs_capacity"], "100");
    EXPECT_EQ(info["target"]["t1"]["pct_fs_used"], 30.0);
    EXPECT_EQ(cluster_stats({proxy(), target()})["target"]["t1"]["tracker"]["put.n"]["v"], "2");
}

TEST(Configuration, NothingIsSetThatIsNotSo) {
    const json all = cluster_configuration("http://10.0.0.1:8080", "c-1");
    for (const char* section : {"lru", "chunks", "write_policy", "rate_limit", "rebalance", "space", "net", "timeout", "auth"}) {
        EXPECT_TRUE(all.contains(section)) << section;
    }
    EXPECT_EQ(all["auth"]["enabled"], false);
    EXPECT_TRUE(check_settings(*Query::parse("log.level=3&rebalance.enabled=false&transient=true"), all));
    const Result<void> refused = check_settings(*Query::parse("log.level=5"), all);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::invalid_argument);
    EXPECT_NE(refused.error().context.find("docs/CONFIGURATION.md"), std::string::npos);
    EXPECT_FALSE(check_settings(*Query::parse("no.such=1"), all));
    EXPECT_FALSE(check_settings(json{{"mirror", {{"enabled", true}}}}, all));
}

TEST(Configuration, ANodeHasItsAddressAndItsFolders) {
    const json node = node_configuration(cluster_configuration("http://p:1", "c-1"), "http://127.0.0.1:4001", {"/a"});
    EXPECT_EQ(node["host_net"]["port"], "4001");
    EXPECT_EQ(node["fspaths"], json::parse(R"({"/a":""})"));
}

}  // namespace
}  // namespace millrace::aistore
