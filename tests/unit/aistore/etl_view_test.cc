#include "aistore/etl_view.h"

#include <gtest/gtest.h>

#include "core/base64.h"
#include "spec/transform_spec.h"

namespace millrace::aistore {
namespace {

using nlohmann::json;

scheduler::Standing standing() {
    scheduler::Standing sum;
    sum.state = "running";
    sum.per_target = json::parse(R"([{"target":"t1","state":"running","runs":3,"cpu_seconds":1.5,"memory_bytes":100},
                                     {"target":"t2","state":"aborted","runs":4,"cpu_seconds":0.5,"memory_bytes":0}])");
    return sum;
}

TEST(EtlView, EveryStateHasAStage) {
    EXPECT_EQ(etl_stage("running"), "Running");
    EXPECT_EQ(etl_stage("starting"), "Initializing");
    EXPECT_EQ(etl_stage("stopped"), "Aborted");
    EXPECT_EQ(etl_stage("aborted"), "Aborted");
    EXPECT_EQ(etl_stage("degraded"), "Unknown");
}

TEST(EtlView, ARowAddsUpItsTargets) {
    const json row = etl_row("upper-1", standing());
    EXPECT_EQ(row["id"], "upper-1");
    EXPECT_EQ(row["stage"], "Running");
    EXPECT_EQ(row["xaction_id"], etl_job_id("upper-1"));
    EXPECT_EQ(row["obj_count"], 7);
}

TEST(EtlView, AContainerComesBackAsItsInitMessage) {
    const auto parsed = spec::parse_spec(R"({"name":"hello-1","communication":"hpull://","init_timeout":"5m","obj_timeout":"45s",
        "support_direct_put":true,"runtime":{"image":"some/image:1","command":["run","it"],"env":[{"name":"KEY","value":"v"}]}})", "test");
    ASSERT_TRUE(parsed) << parsed.error().context;
    const auto message = etl_init_message("hello-1", spec::to_json(parsed->spec));
    ASSERT_TRUE(message);
    EXPECT_EQ(*message, json::parse(R"({"name":"hello-1","communication":"hpull://","init_timeout":"5m","obj_timeout":"45s",
        "support_direct_put":true,"runtime":{"image":"some/image:1","command":["run","it"],"env":[{"name":"KEY","value":"***"}]}})"));
}

TEST(EtlView, AFilterHasNoRuntime) {
    const auto filter = spec::filter_spec("upper-1", "tr a-z A-Z");
    ASSERT_TRUE(filter);
    const auto message = etl_init_message("upper-1", spec::to_json(*filter));
    ASSERT_TRUE(message);
    EXPECT_EQ((*message)["communication"], "hpush://");
    EXPECT_FALSE(message->contains("runtime"));
    EXPECT_FALSE(etl_init_message("upper-1", "{"));
}

TEST(EtlView, AnErrorHasTheStatusOfItsCode) {
    EXPECT_EQ(etl_object_error({{"object", "ais://b/o"}, {"code", "not_found"}, {"message", "gone"}}),
              json::parse(R"({"obj_name":"ais://b/o","msg":"gone","ecode":404})"));
    EXPECT_EQ(etl_object_error({{"code", "from-the-future"}})["ecode"], 500);
}

TEST(EtlView, LogsAreBase64) {
    const json logs = etl_logs(json::parse(R"([{"target":"t1","log":"ü\n","end":3}])"));
    ASSERT_EQ(logs.size(), 1u);
    EXPECT_EQ(logs[0]["target_id"], "t1");
    EXPECT_EQ(*base64_decode(logs[0]["logs"].get<std::string>()), "ü\n");
}

TEST(EtlView, HealthAndMetricsAreByTarget) {
    EXPECT_EQ(etl_health(standing())[1], json::parse(R"({"target_id":"t2","health_status":"Aborted"})"));
    EXPECT_EQ(etl_metrics(standing())[0], json::parse(R"({"target_id":"t1","cpu":1.5,"mem":100})"));
}

}  // namespace
}  // namespace millrace::aistore
