#include "wire/messages.h"

#include <gtest/gtest.h>

#include <functional>

namespace millrace::wire {
namespace {

JobSpec good() { return {.transform = "to-wav", .source = "in", .destination = "out"}; }

void expect_bad(const std::string& what, const std::function<void(JobSpec&)>& change) {
    JobSpec spec = good();
    change(spec);
    const auto valid = spec.validate();
    ASSERT_FALSE(valid) << what;
    EXPECT_EQ(valid.error().code, Code::invalid_argument) << what;
}

TEST(JobSpec, TheDefaultsAreValid) { EXPECT_TRUE(good().validate()); }

TEST(JobSpec, NamesAreChecked) {
    expect_bad("transform", [](JobSpec& spec) { spec.transform = "x"; });
    expect_bad("source", [](JobSpec& spec) { spec.source = "../in"; });
    expect_bad("destination", [](JobSpec& spec) { spec.destination = ""; });
    expect_bad("object", [](JobSpec& spec) {
        spec.has_list = true;
        spec.objects = {"a/../b"};
    });
    expect_bad("prefix", [](JobSpec& spec) { spec.prefix = "\xff"; });
    expect_bad("prepend", [](JobSpec& spec) { spec.prepend = std::string(1025, 'x'); });
}

TEST(JobSpec, OnlyOneWayToSelect) {
    expect_bad("prefix and template", [](JobSpec& spec) {
        spec.prefix = "a";
        spec.name_template = "b{0..1}";
    });
    expect_bad("list and prefix", [](JobSpec& spec) {
        spec.has_list = true;
        spec.prefix = "a";
    });
}

TEST(JobSpec, AListIsSortedAndNamesEachObjectOnce) {
    expect_bad("twice", [](JobSpec& spec) {
        spec.has_list = true;
        spec.objects = {"a", "a"};
    });
    expect_bad("unsorted", [](JobSpec& spec) {
        spec.has_list = true;
        spec.objects = {"b", "a"};
    });
}

TEST(JobSpec, ExtensionsAndPrefixesCanGiveNames) {
    for (const char* bad : {".wav", "a/b", "tar..gz", "0001"}) {
        expect_bad(bad, [&](JobSpec& spec) { spec.ext = {{"flac", bad}}; });
        expect_bad(bad, [&](JobSpec& spec) { spec.ext = {{bad, "wav"}}; });
    }
    expect_bad("nothing to nothing", [](JobSpec& spec) { spec.ext = {{"", ""}}; });
    expect_bad("a prefix that leaves the bucket", [](JobSpec& spec) { spec.prepend = "../"; });
    expect_bad("a policy that is not known", [](JobSpec& spec) { spec.empty_output = static_cast<EmptyOutput>(3); });
}

TEST(JobSpec, ACopyHasNoTransforms) {
    JobSpec copy{.source = "in", .destination = "out", .ext = {{"flac", "wav"}}, .prepend = "x/", .operation = Operation::copy};
    EXPECT_TRUE(copy.validate());
    EXPECT_TRUE(copy.transforms().empty());
    expect_bad("transform", [](JobSpec& spec) { spec.operation = Operation::copy; });
    for (const auto& change : {+[](JobSpec& spec) { spec.pipeline = {"to-wav"}; }, +[](JobSpec& spec) { spec.args = "-v"; },
                               +[](JobSpec& spec) { spec.destination = ""; }}) {
        JobSpec spec = copy;
        change(spec);
        EXPECT_FALSE(spec.validate());
    }
}

TEST(JobSpec, ARemovalHasNoDestination) {
    const JobSpec removal{.source = "in", .prefix = "old/", .operation = Operation::remove};
    EXPECT_TRUE(removal.validate());
    EXPECT_TRUE(removal.transforms().empty());
    for (const auto& change : {+[](JobSpec& spec) { spec.destination = "out"; }, +[](JobSpec& spec) { spec.prepend = "x/"; },
                               +[](JobSpec& spec) { spec.ext = {{"a", "b"}}; }, +[](JobSpec& spec) { spec.transform = "to-wav"; }}) {
        JobSpec spec = removal;
        change(spec);
        EXPECT_FALSE(spec.validate());
    }
}

TEST(JobSpec, AnUnknownOperationAndALongKindAreRefused) {
    expect_bad("operation", [](JobSpec& spec) { spec.operation = static_cast<Operation>(3); });
    expect_bad("kind", [](JobSpec& spec) { spec.kind = std::string(65, 'k'); });
    expect_bad("kind", [](JobSpec& spec) { spec.kind = "\xff"; });
}

TEST(JobSpec, TheTransformsOfAChainAreInOrder) {
    JobSpec chain = good();
    chain.pipeline = {"squeeze"};
    EXPECT_EQ(chain.transforms(), (std::vector<std::string>{"to-wav", "squeeze"}));
}

TEST(JobSpec, NumbersAreBounded) {
    expect_bad("no attempt", [](JobSpec& spec) { spec.attempts = 0; });
    expect_bad("attempts", [](JobSpec& spec) { spec.attempts = 101; });
    expect_bad("workers", [](JobSpec& spec) { spec.num_workers = 1025; });
    expect_bad("percent", [](JobSpec& spec) {
        spec.on_error = OnError::abort_after_percent;
        spec.on_error_limit = 101;
    });
    expect_bad("overwrite", [](JobSpec& spec) { spec.overwrite = static_cast<Overwrite>(3); });
    expect_bad("dry_run", [](JobSpec& spec) { spec.dry_run = static_cast<DryRun>(-1); });
    expect_bad("on_error", [](JobSpec& spec) { spec.on_error = static_cast<OnError>(3); });
}

TEST(Messages, IdsAreShortTextThatIsThere) {
    EXPECT_TRUE((Goodbye{.boot_id = "b"}).validate());
    EXPECT_FALSE((Goodbye{.boot_id = ""}).validate());
    EXPECT_FALSE((Goodbye{.boot_id = std::string(129, 'b')}).validate());
    EXPECT_FALSE((Goodbye{.boot_id = "\xff"}).validate());
    EXPECT_FALSE((Hello{.target_id = "t", .boot_id = "b", .endpoint = ""}).validate());
}

TEST(Messages, AMapWithoutKeysKeepsThoseThatAreKnownOrIsNotTaken) {
    const ClusterMap known{.version = 1, .targets = {{"a", "", true, "key-a"}, {"b", "", true, "key-b"}}};
    ClusterMap map{.version = 2, .targets = {{"a", "", true}, {"b", "", false}}};
    EXPECT_TRUE(keep_keys(map, known));
    EXPECT_EQ(map.targets[1].key, "key-b");
    ClusterMap with_a_new_one{.version = 3, .targets = {{"a", "", true}, {"c", "", true}}};
    EXPECT_FALSE(keep_keys(with_a_new_one, known)) << "nobody could speak to c";
    ClusterMap fresh{.version = 4, .targets = {{"a", "", true, "other"}, {"c", "", true, "key-c"}}};
    EXPECT_TRUE(keep_keys(fresh, known));
    EXPECT_EQ(fresh.targets[0].key, "other") << "what it says itself";
    ClusterMap without{.version = 5, .targets = {{"a", "", true}}};
    EXPECT_TRUE(keep_keys(without, ClusterMap{})) << "where there are no keys at all";
}

TEST(Messages, AClusterMapIsSorted) {
    EXPECT_TRUE((ClusterMap{.version = 1, .targets = {{"a", "", false}, {"b", "", false}}}).validate());
    EXPECT_FALSE((ClusterMap{.version = 1, .targets = {{"b", "", false}, {"a", "", false}}}).validate());
    EXPECT_FALSE((ClusterMap{.version = 1, .targets = {{"a", "", false}, {"a", "", true}}}).validate());
    EXPECT_FALSE((ClusterMap{.version = 1, .targets = {{"", "", false}}}).validate());
}

TEST(Messages, ADirectiveWithoutASpecNeedsNone) {
    Directive directive{.job = "j", .revision = 1};
    EXPECT_TRUE(directive.validate());
    directive.has_spec = true;
    EXPECT_FALSE(directive.validate()) << "an empty specification is not one";
}

}  // namespace
}  // namespace millrace::wire
