#include "scheduler/job_request.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace millrace::scheduler {
namespace {

using nlohmann::json;

Result<JobRequest> parse(const json& body) { return parse_job_request(body.dump()); }

const json kTransform{{"transform", "to-wav"}, {"source", "ais://in"}, {"destination", "ais://out"}};
const json kCopy{{"operation", "copy"}, {"source", "in"}, {"destination", "ais://out"}};
const json kDelete{{"operation", "delete"}, {"source", "ais://in"}};

json with(json body, const char* key, json value) {
    body[key] = std::move(value);
    return body;
}

void expect_refused(const json& body, const std::string& field) {
    const auto request = parse(body);
    ASSERT_FALSE(request) << body;
    EXPECT_EQ(request.error().code, Code::invalid_argument) << body;
    EXPECT_NE(request.error().context.find("'" + field + "'"), std::string::npos) << request.error().context;
}

TEST(JobRequest, WithoutAnOperationItIsATransform) {
    const auto request = parse(kTransform);
    ASSERT_TRUE(request) << request.error().context;
    EXPECT_EQ(request->spec.operation, wire::Operation::transform);
    EXPECT_EQ(request->spec.transform, "to-wav");
    EXPECT_EQ(json::parse(request->json)["operation"], "transform");
    expect_refused({{"source", "ais://in"}, {"destination", "ais://out"}}, "transform");
}

TEST(JobRequest, ACopyTakesSelectionNamesAndPoliciesButNoTransform) {
    const auto request = parse(kCopy);
    ASSERT_TRUE(request) << request.error().context;
    EXPECT_EQ(request->spec.operation, wire::Operation::copy);
    EXPECT_EQ(request->spec.source, "in");
    EXPECT_TRUE(request->spec.transform.empty());
    EXPECT_TRUE(parse(with(with(kCopy, "ext", {{"flac", "wav"}}), "prepend", "x/")));
    EXPECT_TRUE(parse(with(kCopy, "template", "a{0..9}")));
    EXPECT_TRUE(parse(with(with(kCopy, "pipeline", json::array()), "args", ""))) << "what says nothing is no contradiction";
    expect_refused(with(kCopy, "transform", "to-wav"), "transform");
    expect_refused(with(kCopy, "pipeline", {"to-wav"}), "pipeline");
    expect_refused(with(kCopy, "args", "-v"), "args");
    expect_refused({{"operation", "copy"}, {"source", "in"}}, "destination");
}

TEST(JobRequest, ACopyIntoItsOwnBucketIsRefusedAlsoUnderOtherNames) {
    expect_refused(with(kCopy, "destination", "ais://in"), "destination");
    expect_refused(with(with(kCopy, "destination", "ais://in"), "prepend", "x/"), "destination");
    EXPECT_TRUE(parse(with(with(kCopy, "destination", "ais://in"), "dry_run", "run")));
}

TEST(JobRequest, ExtensionsAreChangedPutOnAndTakenOff) {
    const auto request = parse(with(with(kTransform, "ext", {{".tar.gz", "tar.zst"}, {"gz", ""}, {"", "bz2"}}), "ext_any_case", true));
    ASSERT_TRUE(request) << request.error().context;
    EXPECT_EQ(request->spec.ext, (std::map<std::string, std::string>{{"tar.gz", "tar.zst"}, {"gz", ""}, {"", "bz2"}}));
    EXPECT_TRUE(request->spec.ext_any_case);
    EXPECT_EQ(json::parse(request->json)["ext_any_case"], true);
    expect_refused(with(kTransform, "ext", {{"", ""}}), "ext");
    expect_refused(with(kTransform, "ext", {{"a/b", "c"}}), "ext");
    expect_refused(with(kTransform, "ext", {{"gz", "x..y"}}), "ext");
    expect_refused(with(kTransform, "ext", {{"gz", "a"}, {".gz", "b"}}), "ext");
    expect_refused(with(kTransform, "ext", {{"0001", "exr"}}), "ext");
    expect_refused(with(kTransform, "ext_any_case", true), "ext_any_case");
    expect_refused(with(with(kTransform, "ext", {{"jpg", "png"}, {"JPG", "gif"}}), "ext_any_case", true), "ext");
    for (const char* never : {"/", "a//b", "../", "x\n"}) expect_refused(with(kTransform, "prepend", never), "prepend");
}

TEST(JobRequest, SaysWhatBecomesOfEmptyResults) {
    EXPECT_EQ(parse(kTransform)->spec.empty_output, wire::EmptyOutput::warn);
    EXPECT_EQ(parse(with(kTransform, "empty_output", "fail"))->spec.empty_output, wire::EmptyOutput::fail);
    EXPECT_EQ(json::parse(parse(with(kTransform, "empty_output", "keep"))->json)["empty_output"], "keep");
    expect_refused(with(kTransform, "empty_output", "drop"), "empty_output");
    expect_refused(with(kCopy, "empty_output", "fail"), "empty_output");
}

TEST(JobRequest, ADeleteHasASourceAndASelection) {
    const auto request = parse(with(kDelete, "objects", {"b", "a", "b"}));
    ASSERT_TRUE(request) << request.error().context;
    EXPECT_EQ(request->spec.operation, wire::Operation::remove);
    EXPECT_TRUE(request->spec.has_list);
    EXPECT_EQ(request->objects, (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(json::parse(request->json)["destination"], "");
    expect_refused(with(kDelete, "destination", "ais://out"), "destination");
    expect_refused(with(kDelete, "ext", {{"a", "b"}}), "ext");
    expect_refused(with(kDelete, "prepend", "x"), "prepend");
    expect_refused(with(kDelete, "overwrite", "never"), "overwrite");
    expect_refused(with(kDelete, "transform", "to-wav"), "transform");
}

TEST(JobRequest, AnEmptySelectionIsNotAll) {
    for (const json& base : {json(kDelete), json(kCopy), json(kTransform)}) {
        expect_refused(with(base, "prefix", ""), "prefix");
        expect_refused(with(base, "template", ""), "template");
        expect_refused(with(base, "objects", nullptr), "objects");
    }
}

TEST(JobRequest, KindIsTheSubmittersOwn) {
    EXPECT_EQ(parse(with(kDelete, "kind", "evict-listrange"))->spec.kind, "evict-listrange");
    EXPECT_EQ(json::parse(parse(with(kCopy, "kind", "copy-bck"))->json)["kind"], "copy-bck");
    expect_refused(with(kDelete, "kind", std::string(65, 'k')), "kind");
    expect_refused(with(kDelete, "kind", 7), "kind");
}

TEST(JobRequest, OperationsAndKeysMustBeKnown) {
    expect_refused(with(kCopy, "operation", "move"), "operation");
    expect_refused(with(kCopy, "operation", 1), "operation");
    expect_refused(with(kCopy, "operaton", "copy"), "operaton");
    EXPECT_FALSE(parse_job_request("[]"));
    EXPECT_FALSE(parse_job_request("{"));
}

TEST(JobRequest, ListsMayBeLong) {
    json names = json::array();
    for (int i = 0; i < 50'000; ++i) names.push_back("object-" + std::to_string(i));
    EXPECT_EQ(parse(with(kCopy, "objects", names))->objects.size(), 50'000u);
}

}  // namespace
}  // namespace millrace::scheduler
