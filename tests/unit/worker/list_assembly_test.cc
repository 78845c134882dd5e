#include "worker/list_assembly.h"

#include <gtest/gtest.h>

namespace millrace::worker {
namespace {

wire::Directive part(std::uint32_t number, std::vector<std::string> objects, const std::string& job = "job-1", std::uint32_t parts = 3) {
    wire::Directive directive{.job = job, .has_spec = true, .part = number, .parts = parts};
    directive.spec.has_list = true;
    directive.spec.objects = std::move(objects);
    return directive;
}

TEST(ListAssembly, PartsMakeAListAgain) {
    ListAssembly assembly;
    EXPECT_EQ(assembly.missing("job-1"), 0u);
    auto first = part(0, {"b", "a"});
    EXPECT_EQ(assembly.add(first), 1u);
    auto doubled = part(0, {"b", "a"});
    EXPECT_EQ(assembly.add(doubled), 1u);
    auto early = part(2, {"e"});
    EXPECT_EQ(assembly.add(early), 1u);
    auto second = part(1, {"d", "c"});
    EXPECT_EQ(assembly.add(second), 2u);
    EXPECT_EQ(assembly.missing("job-1"), 2u);
    auto third = part(2, {"e"});
    EXPECT_EQ(assembly.add(third), std::nullopt);
    EXPECT_EQ(third.spec.objects, (std::vector<std::string>{"a", "b", "c", "d", "e"}));
    EXPECT_EQ(third.parts, 1u);
    EXPECT_EQ(assembly.missing("job-1"), 0u);
}

TEST(ListAssembly, PartsOfDifferentListsAreNotOne) {
    ListAssembly assembly;
    auto first = part(0, {"d", "c"});
    EXPECT_EQ(assembly.add(first), 1u);
    auto other = part(1, {"c", "b"});
    EXPECT_EQ(assembly.add(other), 0u);
    EXPECT_EQ(assembly.missing("job-1"), 0u);
}

TEST(ListAssembly, AShortListIsWholeAtOnce) {
    ListAssembly assembly;
    auto whole = part(0, {"a", "b"}, "job-1", 1);
    EXPECT_EQ(assembly.add(whole), std::nullopt);
    EXPECT_EQ(whole.spec.objects, (std::vector<std::string>{"a", "b"}));
}

TEST(ListAssembly, OnlyAFewAreKept) {
    ListAssembly assembly;
    for (int job = 0; job < 20; ++job) {
        auto first = part(0, {"a"}, "job-" + std::to_string(job));
        EXPECT_EQ(assembly.add(first), 1u);
    }
    EXPECT_EQ(assembly.missing("job-19"), 1u);
    EXPECT_EQ(assembly.missing("job-0"), 0u) << "it begins again";
    assembly.forget("job-19");
    EXPECT_EQ(assembly.missing("job-19"), 0u);
}

}  // namespace
}  // namespace millrace::worker
