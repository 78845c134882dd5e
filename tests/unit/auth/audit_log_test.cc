#include "auth/audit_log.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <sstream>

#include "auth/caller.h"
#include "core/file.h"
#include "core/json.h"
#include "core/json_members.h"
#include "tests/unit/http/bare_request.h"
#include "tests/unit/state/temp_folder.h"

namespace millrace::auth {
namespace {

using http::Access;

std::vector<nlohmann::json> lines_of(const std::string& path) {
    std::vector<nlohmann::json> lines;
    std::istringstream text(*read_file(path));
    for (std::string line; std::getline(text, line);) lines.push_back(json_or_null(line));
    return lines;
}

http::BareRequest request(const std::string& method, const std::string& path) {
    http::BareRequest made;
    made.method = method;
    made.path = path;
    made.peer = "10.0.0.7:51200";
    made.caller = std::make_shared<const Caller>(Caller::user("alice", Grants::all()));
    return made;
}

TEST(AuditLog, HasALineForEachChange) {
    const TempFolder folder;
    const auto log = AuditLog::open(folder / "audit.log");
    ASSERT_TRUE(log) << log.error().context;
    auto submit = request("POST", "/v1/jobs");
    submit.deed = "job-1";
    (*log)->note(submit, {"POST", "/v1/jobs", Access::run}, 202);
    (*log)->note(request("GET", "/v1/jobs"), {"GET", "/v1/jobs", Access::read}, 200);
    (*log)->note(request("GET", "/v1/transforms/x/logs"), {"GET", "/v1/transforms/{name}/logs", Access::run}, 200);
    (*log)->note(request("PUT", "/v1/objects/b/o\nx"), {"PUT", "/v1/objects/{bucket}/{name...}", Access::write}, 507);
    const auto lines = lines_of(folder / "audit.log");
    ASSERT_EQ(lines.size(), 2u);
    EXPECT_EQ(text_of(lines[0], "who"), "alice");
    EXPECT_EQ(text_of(lines[0], "from"), "10.0.0.7:51200");
    EXPECT_EQ(text_of(lines[0], "method"), "POST");
    EXPECT_EQ(text_of(lines[0], "path"), "/v1/jobs");
    EXPECT_EQ(text_of(lines[0], "what"), "job-1");
    EXPECT_EQ(count_of(lines[0], "status"), 202u);
    EXPECT_EQ(text_of(lines[1], "path"), "/v1/objects/b/o\nx") << "in one line nevertheless";
    EXPECT_EQ(count_of(lines[1], "status"), 507u);
    EXPECT_EQ(std::filesystem::status(folder / "audit.log").permissions(), std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST(AuditLog, LeavesOutWhatNodesDo) {
    const TempFolder folder;
    const auto log = AuditLog::open(folder / "audit.log");
    auto output = request("PUT", "/v1/objects/b/o");
    output.caller = std::make_shared<const Caller>(Caller::node("t-1"));
    (*log)->note(output, {"PUT", "/v1/objects/{bucket}/{name...}", Access::write}, 200);
    (*log)->note(request("POST", "/v1/worker/sync"), {"POST", "", Access::node}, 200);
    EXPECT_TRUE(lines_of(folder / "audit.log").empty());
    (*log)->note(request("POST", "/v1/cluster/join"), {"POST", "", Access::anyone}, 403);
    EXPECT_EQ(lines_of(folder / "audit.log").size(), 1u);
}

TEST(AuditLog, IsBounded) {
    const TempFolder folder;
    const std::string path = folder / "audit.log";
    for (int start = 0; start < 2; ++start) {
        const auto log = AuditLog::open(path, {.file_bytes_max = 1000, .files_max = 3});
        ASSERT_TRUE(log);
        for (int i = 0; i < 50; ++i) (*log)->note(request("DELETE", "/v1/jobs/" + std::to_string(i)), {"DELETE", "", Access::run}, 200);
    }
    std::size_t bytes = 0;
    for (const char* name : {"audit.log", "audit.log.1", "audit.log.2"}) bytes += std::filesystem::file_size(folder / name);
    EXPECT_LE(bytes, 3000u);
    EXPECT_FALSE(std::filesystem::exists(folder / "audit.log.3"));
    EXPECT_EQ(text_of(lines_of(path).back(), "path"), "/v1/jobs/49");
}

}  // namespace
}  // namespace millrace::auth
