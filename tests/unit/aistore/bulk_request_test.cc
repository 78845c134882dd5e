#include "aistore/bulk_request.h"

#include <gtest/gtest.h>

#include "scheduler/job_request.h"

namespace millrace::aistore {
namespace {

using nlohmann::json;
using scheduler::JobRequest;

constexpr const char* kTo = "ais/@#/dst/";

// As the SDK's Bucket.transform() sends it.
json transform_value(json more = json::object()) {
    json value{{"id", "upper-1"}, {"request_timeout", "5m"}, {"pipeline", nullptr}, {"prefix", ""}, {"prepend", ""},
               {"dry_run", false}, {"force", false}, {"latest-ver", false}, {"synchronize", false}};
    value.update(more);
    return value;
}

Result<JobRequest> request_of(const std::string& action, json value, const std::string& to = kTo) {
    MILLRACE_TRY_ASSIGN(const std::string native, native_job_request({action, "", std::move(value)}, "src", to));
    return scheduler::parse_job_request(native);
}

TEST(BulkRequest, ABucketIsTransformedIntoAnother) {
    const auto request = request_of("etl-bck", transform_value({{"prefix", "a*"}, {"prepend", "p-"}, {"ext", {{"jpg", "png"}}}, {"num-workers", 5},
                                                                {"coer", true}, {"pipeline", {"second-1", "third-1"}}}));
    ASSERT_TRUE(request) << request.error().context;
    const wire::JobSpec& spec = request->spec;
    EXPECT_EQ(spec.operation, wire::Operation::transform);
    EXPECT_EQ(spec.kind, "etl-bck");
    EXPECT_EQ(spec.transform, "upper-1");
    EXPECT_EQ(spec.pipeline, (std::vector<std::string>{"second-1", "third-1"}));
    EXPECT_EQ(spec.source, "src");
    EXPECT_EQ(spec.destination, "dst");
    EXPECT_EQ(spec.prefix, "a");
    EXPECT_EQ(spec.prepend, "p-");
    EXPECT_EQ(spec.ext, (std::map<std::string, std::string>{{"jpg", "png"}}));
    EXPECT_EQ(spec.num_workers, 5u);
    EXPECT_EQ(spec.on_error, wire::OnError::go_on);
}

TEST(BulkRequest, WithoutContinueOnErrorTheFirstFailureEndsTheJob) {
    const auto request = request_of("etl-bck", transform_value());
    ASSERT_TRUE(request) << request.error().context;
    EXPECT_EQ(request->spec.on_error, wire::OnError::abort_after_count);
    EXPECT_EQ(request->spec.on_error_limit, 0u);
}

TEST(BulkRequest, ADryRunMayBeInTheSameBucket) {
    const auto inspect = request_of("etl-bck", transform_value({{"dry_run", true}}), "ais/@#/src/");
    ASSERT_TRUE(inspect) << inspect.error().context;
    EXPECT_EQ(inspect->spec.dry_run, wire::DryRun::run);
    EXPECT_EQ(request_of("copy-bck", {{"dry_run", true}})->spec.dry_run, wire::DryRun::plan);
    EXPECT_EQ(request_of("etl-bck", transform_value(), "ais/@#/src/").error().code, Code::invalid_argument);
}

TEST(BulkRequest, AGroupIsAListOrATemplateOrAPrefix) {
    const json to{{"tobck", {{"name", "dst"}, {"provider", "ais"}, {"namespace", nullptr}}}, {"coer", false}};
    json value = transform_value(to);
    value["objnames"] = {"b", "a"};
    const auto listed = request_of("etl-listrange", value, "");
    ASSERT_TRUE(listed) << listed.error().context;
    EXPECT_EQ(listed->objects, (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(listed->spec.kind, "etl-listrange");
    value.erase("objnames");
    value["template"] = "a{0..9}";
    EXPECT_EQ(request_of("etl-listrange", value, "")->spec.name_template, "a{0..9}");
    value["template"] = "";
    EXPECT_FALSE(request_of("etl-listrange", value, "")->spec.has_list);
    value["template"] = "a{";
    EXPECT_FALSE(request_of("etl-listrange", value, ""));
}

TEST(BulkRequest, CopyingNeedsNoTransform) {
    const auto whole = request_of("copy-bck", {{"prefix", "x"}, {"prepend", ""}});
    ASSERT_TRUE(whole) << whole.error().context;
    EXPECT_EQ(whole->spec.operation, wire::Operation::copy);
    EXPECT_EQ(whole->spec.prefix, "x");
    const auto some = request_of("copy-listrange", {{"objnames", {"a"}}, {"tobck", {{"name", "dst"}, {"provider", "ais"}}}});
    ASSERT_TRUE(some) << some.error().context;
    EXPECT_EQ(some->spec.kind, "copy-listrange");
}

TEST(BulkRequest, DeletingGoesNowhere) {
    const auto request = request_of("delete-listrange", {{"objnames", {"a", "b"}}}, "");
    ASSERT_TRUE(request) << request.error().context;
    EXPECT_EQ(request->spec.operation, wire::Operation::remove);
    EXPECT_EQ(request->spec.destination, "");
    EXPECT_EQ(request->objects.size(), 2u);
    EXPECT_TRUE(request_of("delete-listrange", {{"template", ""}}, "")) << "all, as somebody said";
}

TEST(BulkRequest, AListThatCameOutEmptyIsNotAll) {
    const json nowhere = {{"name", "dst"}, {"provider", "ais"}};
    EXPECT_FALSE(request_of("delete-listrange", {{"objnames", json::array()}}, ""));
    EXPECT_FALSE(request_of("delete-listrange", json::object(), ""));
    EXPECT_FALSE(request_of("copy-listrange", {{"objnames", json::array()}, {"tobck", nowhere}}));
    EXPECT_TRUE(request_of("copy-listrange", {{"objnames", nullptr}, {"template", "a{0..9}"}, {"tobck", nowhere}}));
}

TEST(BulkRequest, NumbersOfWorkersAreBounded) {
    EXPECT_EQ(request_of("etl-bck", transform_value({{"num-workers", -1}}))->spec.num_workers, 1u);
    EXPECT_EQ(request_of("etl-bck", transform_value({{"num-workers", 9999}}))->spec.num_workers, 1024u);
    EXPECT_EQ(request_of("etl-bck", transform_value({{"num-workers", 0}}))->spec.num_workers, 0u);
}

TEST(BulkRequest, WhatCannotBeDoneIsRefusedAndNamed) {
    const auto why = [](const std::string& action, const json& value, const std::string& to = kTo) {
        const auto request = request_of(action, value, to);
        return request ? "accepted" : request.error().context;
    };
    EXPECT_TRUE(why("etl-bck", transform_value({{"synchronize", true}})).starts_with("'synchronize'"));
    EXPECT_TRUE(why("etl-bck", transform_value({{"non-recurs", true}})).starts_with("'non-recurs'"));
    EXPECT_TRUE(why("etl-bck", transform_value({{"id", ""}})).starts_with("'id' is missing"));
    EXPECT_TRUE(why("etl-bck", transform_value({{"pipeline", "x"}})).starts_with("'pipeline'"));
    EXPECT_TRUE(why("etl-bck", transform_value({{"pipeline", {1}}})).starts_with("'pipeline'"));
    EXPECT_TRUE(why("etl-bck", transform_value({{"prefix", 1}})).starts_with("'prefix'"));
    EXPECT_TRUE(why("etl-bck", transform_value({{"coer", 1}})).starts_with("'coer'"));
    EXPECT_TRUE(why("etl-bck", transform_value(), "").starts_with("'' does not name a bucket"));
    EXPECT_TRUE(why("etl-listrange", transform_value()).starts_with("'tobck' is missing"));
    EXPECT_TRUE(why("etl-listrange", transform_value({{"tobck", {{"name", "b"}, {"provider", "aws"}}}})).starts_with("bucket \"aws://b\""));
    EXPECT_TRUE(why("archive", json::object()).starts_with("'archive' is not"));
    EXPECT_FALSE(is_bulk_action("archive"));
    EXPECT_TRUE(is_bulk_action("delete-listrange"));
}

TEST(BulkRequest, TheTransformsAreKnownBeforeTheJobIs) {
    EXPECT_EQ(*transforms_of({"etl-bck", "", transform_value({{"pipeline", {"second-1"}}})}), (std::vector<std::string>{"upper-1", "second-1"}));
    EXPECT_TRUE(transforms_of({"copy-bck", "", json::object()})->empty());
    EXPECT_FALSE(transforms_of({"etl-bck", "", json::object()}));
}

}  // namespace
}  // namespace millrace::aistore
