#include "cli/endpoint.h"

#include <gmock/gmock.h>

#include "fake_cluster.h"

namespace millrace::cli {
namespace {

using ::testing::HasSubstr;

std::string found(const std::string& flag, const Environment& environment) {
    std::istringstream in;
    std::ostringstream out;
    Console console{in, out, out, [&](const std::string& name) -> std::optional<std::string> {
                        const auto at = environment.find(name);
                        return at == environment.end() ? std::nullopt : std::optional(at->second);
                    }};
    const auto proxy = find_proxy(flag, console);
    return proxy ? proxy->endpoint.text() : proxy.error().context;
}

TEST(Endpoint, FlagThenEnvironmentThenFileThenDefault) {
    TemporaryFolder home;
    home.write(".config/millrace/config.yaml", "# mine\nendpoint: \"http://file:4\"  # lab\n");
    Environment environment{
        {"HOME", home.path()}, {"AIS_ENDPOINT", "http://ais:3/"}, {"MILLRACE_ENDPOINT", "http://millrace:2"}};
    EXPECT_EQ(found("http://flag:1", environment), "http://flag:1");
    EXPECT_EQ(found("", environment), "http://millrace:2");
    environment["MILLRACE_ENDPOINT"] = "";
    EXPECT_EQ(found("", environment), "http://ais:3");
    environment.erase("AIS_ENDPOINT");
    EXPECT_EQ(found("", environment), "http://file:4");
    environment["XDG_CONFIG_HOME"] = home.path("elsewhere");
    EXPECT_EQ(found("", environment), "http://127.0.0.1:8080");
    home.write("elsewhere/millrace/config.yaml", "endpoint: http://xdg:5\n");
    EXPECT_EQ(found("", environment), "http://xdg:5");
    EXPECT_EQ(found("", {}), "http://127.0.0.1:8080");
}

TEST(Endpoint, AnUnreadableAddressNamesWhereItCameFrom) {
    EXPECT_THAT(found("", {{"AIS_ENDPOINT", "http://a:b:c"}}), HasSubstr("AIS_ENDPOINT"));
    const Outcome outcome = run_command({"job", "ls", "--endpoint", "http://a:b:c"});
    EXPECT_EQ(outcome.status, kExitUsage);
    EXPECT_THAT(outcome.err, HasSubstr("--endpoint"));
}

TEST(Endpoint, AnAuthorityThatCannotBeReadIsNamedBeforeAnybodyIsAsked) {
    for (const char* variable : {"MILLRACE_CA", "AIS_CLIENT_CA"}) {
        const Outcome outcome = run_command({"job", "ls"}, {{"MILLRACE_ENDPOINT", "https://node-1"}, {variable, "/nowhere/ca.pem"}});
        EXPECT_EQ(outcome.status, kExitUsage);
        EXPECT_THAT(outcome.err, HasSubstr("/nowhere/ca.pem"));
    }
}

}  // namespace
}  // namespace millrace::cli
