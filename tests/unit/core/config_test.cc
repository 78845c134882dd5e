#include "core/config.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

namespace millrace {
namespace {

class Config : public testing::Test {
protected:
    void TearDown() override {
        ::unlink(path_.c_str());
        for (const std::string& name : set_) ::unsetenv(name.c_str());
    }

    std::string file(const std::string& text) {
        std::ofstream(path_) << text;
        return path_;
    }

    void environment(const std::string& name, const std::string& value) {
        ::setenv(name.c_str(), value.c_str(), 1);
        set_.push_back(name);
    }

    std::string refusal(const std::string& text) {
        const auto loaded = load_target_config(file(text));
        EXPECT_FALSE(loaded) << text;
        return loaded ? "" : loaded.error().context;
    }

private:
    std::string path_ = testing::TempDir() + "millrace-config-" + std::to_string(::getpid()) + ".yaml";
    std::vector<std::string> set_;
};

TEST_F(Config, FileReplacesDefaults) {
    const auto config = load_target_config(file("dir: /data\nproxy: tcp://p:7000\nmountpaths: [/disk1, /disk2]\nblock_cache: 1MiB\n"
                                                "checkpoint_interval: 250ms\nsync_puts: true\nfork_server: false\nsandbox: off\nbody_idle_max: 30m\n"));
    ASSERT_TRUE(config) << config.error().context;
    EXPECT_EQ(config->dir, "/data");
    EXPECT_EQ(config->mountpaths, (std::vector<std::string>{"/disk1", "/disk2"}));
    EXPECT_EQ(config->block_cache_bytes, 1u << 20);
    EXPECT_EQ(config->checkpoint_interval_ms, milliseconds(250));
    EXPECT_TRUE(config->sync_puts);
    EXPECT_EQ(config->body_idle_max_ms, std::chrono::minutes(30));
    EXPECT_FALSE(config->fork_server);
    EXPECT_FALSE(config->sandbox);
    EXPECT_EQ(config->window_objects_max, 1024u) << "a default";
}

TEST_F(Config, NoSandboxIsForTheLoopback) {
    const std::string text = "dir: /data\nproxy: tcp://p:7000\nadvertise: store1\n";
    EXPECT_TRUE(load_target_config(file(text + "host: 10.0.0.1\nsandbox: on\n")));
    EXPECT_NE(refusal(text + "host: 10.0.0.1\nsandbox: off\n").find("set 'host: 127.0.0.1'"), std::string::npos);
}

TEST(Exposure, IsAllButTheLoopback) {
    TargetConfig config;
    for (const char* host : {"127.0.0.1", "127.8.9.10", "::1", "localhost"}) {
        config.host = host;
        EXPECT_TRUE(is_loopback(host)) << host;
        EXPECT_EQ(exposure(config), "") << host;
        EXPECT_TRUE(check_exposure(config)) << host;
    }
    for (const char* host : {"0.0.0.0", "::", "*", "", "10.0.0.1", "128.0.0.1", "::ffff:127.0.0.1", "fe80::1", "store1.example", "127.0.0.1.example"}) {
        config = {};
        config.host = host;
        EXPECT_FALSE(is_loopback(host)) << host;
        EXPECT_NE(exposure(config).find("not asked who they are"), std::string::npos) << host;
        const auto refused = check_exposure(config);
        ASSERT_FALSE(refused) << host;
        EXPECT_EQ(refused.error().code, Code::permission);
        EXPECT_NE(refused.error().context.find("--insecure"), std::string::npos) << refused.error().context;
        config.insecure = true;
        EXPECT_TRUE(check_exposure(config)) << host;
    }
}

TEST(Exposure, NamesEachDoorThatIsLeftOpen) {
    ProxyConfig config;
    config.auth_key = "tokens.pem";
    EXPECT_NE(exposure(config).find("secure_control"), std::string::npos);
    EXPECT_EQ(exposure(config).find("tls_certificate"), std::string::npos) << "nobody but this machine reads what passes its loopback";
    config.host = "10.0.0.1";
    EXPECT_NE(exposure(config).find("secure_control: true'; and tokens and objects"), std::string::npos) << exposure(config);
    EXPECT_TRUE(check_exposure(config));
    config.secure_control = true;
    config.tls_certificate = "node.pem";
    EXPECT_EQ(exposure(config), "");
}

TEST_F(Config, EveryAddressIsNoneThatOthersReachItBy) {
    const std::string base = "dir: /data\nproxy: tcp://p:7000\n";
    for (const std::string host : {"0.0.0.0", "\"::\"", "\"0:0::0\""}) {
        EXPECT_NE(refusal(base + "host: " + host + "\n").find("add 'advertise: HOST'"), std::string::npos) << host;
        EXPECT_FALSE(load_proxy_config(file("dir: /data\nhost: " + host + "\n")));
        EXPECT_TRUE(load_proxy_config(file("dir: /data\nhost: " + host + "\nadvertise: store1\ninsecure: true\nhosts: [a, b]\n")));
    }
    for (const std::string advertise : {"0.0.0.0", "0.0.0.0:80", "http://store1", "\"store1:\"", "store1:99999", "\"[::]:80\""}) {
        EXPECT_NE(refusal(base + "advertise: " + advertise + "\n").find("is not the HOST or HOST:PORT"), std::string::npos) << advertise;
    }
    EXPECT_TRUE(load_target_config(file(base + "host: 0.0.0.0\nadvertise: 192.168.1.5:9000\n")));
}

TEST_F(Config, WhereANodeIsReachedIsSaidOrFollowsFromWhereItListens) {
    const auto place = [](const std::string& host, const std::string& advertise) {
        const ReachableAt at = reachable_at(host, advertise, 7);
        return at.host + " " + std::to_string(at.port);
    };
    EXPECT_EQ(place("10.0.0.1", ""), "10.0.0.1 7");
    EXPECT_EQ(place("::1", ""), "::1 7");
    EXPECT_EQ(place("0.0.0.0", "store1"), "store1 7");
    EXPECT_EQ(place("0.0.0.0", "store1:9000"), "store1 9000");
    EXPECT_EQ(place("0.0.0.0", "fe80::2"), "fe80::2 7");
    EXPECT_EQ(place("0.0.0.0", "[fe80::2]:9000"), "fe80::2 9000");
}

TEST_F(Config, AProtectedControlPlaneIsAskedForAndATargetThatJoinsNeedsNoProxy) {
    EXPECT_FALSE(load_proxy_config(file("dir: /data\n")).value().secure_control);
    EXPECT_TRUE(load_proxy_config(file("dir: /data\nsecure_control: true\n")).value().secure_control);
    EXPECT_EQ(load_target_config(file("dir: /data\n")).value().proxy, "");
    EXPECT_EQ(load_target_config(file("dir: /data\nproxy: tcp://p:7000\nproxy_key: \"a#b\"\n")).value().proxy_key, "a#b");
    EXPECT_NE(refusal("dir: /data\nproxy: http://p:7000\n").find("'proxy' must be"), std::string::npos);
}

TEST_F(Config, WithoutAFileTheEnvironmentSaysAll) {
    environment("MILLRACE_DIR", "/elsewhere");
    EXPECT_EQ(load_target_config("").value().dir, "/elsewhere");
}

TEST_F(Config, EnvironmentReplacesTheFile) {
    environment("MILLRACE_WINDOW_OBJECTS_MAX", "77");
    environment("MILLRACE_MOUNTPATHS", "/a,/b");
    const auto config = load_target_config(file("dir: /data\nproxy: tcp://p:7000\nwindow_objects_max: 5\n"));
    ASSERT_TRUE(config);
    EXPECT_EQ(config->window_objects_max, 77u);
    EXPECT_EQ(config->mountpaths, (std::vector<std::string>{"/a", "/b"}));
}

TEST_F(Config, UnknownKeyNamesLineAndSuggestion) {
    const std::string text = refusal("dir: /data\nproxy: tcp://p:7000\nwindow_object_max: 5\n");
    EXPECT_NE(text.find("line 3"), std::string::npos) << text;
    EXPECT_NE(text.find("did you mean 'window_objects_max'"), std::string::npos) << text;
}

TEST_F(Config, WrongValuesNameTheirKey) {
    EXPECT_NE(refusal("dir: /d\nproxy: tcp://p:1\nport: 99999\n").find("'port'"), std::string::npos);
    EXPECT_NE(refusal("dir: /d\nproxy: tcp://p:1\nsync_puts: yes\n").find("'sync_puts'"), std::string::npos);
    EXPECT_NE(refusal("dir: /d\nproxy: tcp://p:1\nbody_idle_max: 75ms\n").find("'body_idle_max'"), std::string::npos);
    EXPECT_NE(refusal("dir: /d\nproxy: tcp://p:1\ncheckpoint_interval: 5\n").find("'checkpoint_interval'"), std::string::npos);
    EXPECT_NE(refusal("dir: [a, b]\nproxy: tcp://p:1\n").find("wrong type"), std::string::npos);
    environment("MILLRACE_LANES", "many");
    EXPECT_NE(refusal("dir: /d\nproxy: tcp://p:1\n").find("MILLRACE_LANES"), std::string::npos);
}

TEST_F(Config, RelationsAreChecked) {
    EXPECT_NE(refusal("proxy: tcp://p:1\n").find("'dir' is missing"), std::string::npos);
    EXPECT_NE(refusal("dir: /d\nproxy: http://p:1\n").find("'proxy'"), std::string::npos);
    EXPECT_NE(refusal("dir: /d\nproxy: tcp://p:1\nwindow_objects_max: 0\n").find("window_objects_max"), std::string::npos);
    EXPECT_NE(refusal("dir: /d\nproxy: tcp://p:1\nlog_level: loud\n").find("loud"), std::string::npos);
}

TEST_F(Config, WhatIsNotAMapIsRefused) {
    refusal("just text");
    refusal("- a\n- b\n");
    refusal("a: [unclosed\n");
    const auto missing = load_target_config("/nonexistent/file.yaml");
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().code, Code::not_found);
}

TEST_F(Config, DumpReadsBack) {
    TargetConfig config;
    config.dir = "/data: with \"odd\" # name";
    config.proxy = "tcp://127.0.0.1:7000";
    config.mountpaths = {"/disk 1", "-disk2"};
    config.checkpoint_interval_ms = milliseconds(1500);
    config.sync_puts = true;
    const auto again = load_target_config(file(dump(config)));
    ASSERT_TRUE(again) << again.error().context << "\n" << dump(config);
    EXPECT_EQ(again->dir, config.dir);
    EXPECT_EQ(again->mountpaths, config.mountpaths);
    EXPECT_EQ(dump(*again), dump(config));
    ProxyConfig proxy;
    proxy.dir = "/proxy";
    const auto proxy_again = load_proxy_config(file(dump(proxy)));
    ASSERT_TRUE(proxy_again) << proxy_again.error().context;
    EXPECT_EQ(dump(*proxy_again), dump(proxy));
}

TEST(NearestWord, SuggestsOnlyWhatIsNear) {
    const std::vector<std::string> words{"port", "proxy", "window_objects_max"};
    EXPECT_EQ(nearest_word("prot", words), "port");
    EXPECT_EQ(nearest_word("windows_objects_max", words), "window_objects_max");
    EXPECT_EQ(nearest_word("elephant", words), "");
    EXPECT_EQ(nearest_word("x", {}), "");
}

}  // namespace
}  // namespace millrace
