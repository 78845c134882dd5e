#include "scheduler/listed_objects.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace millrace::scheduler {
namespace {

TEST(ListedObjects, EachNameIsInOnePartOfItsOwner) {
    std::vector<std::string> names;
    for (int i = 100; i < 400; ++i) names.push_back("object-" + std::to_string(i));
    const std::vector<std::string> targets{"t1", "t2", "t3"};
    const Placement placement(1, {targets.begin(), targets.end()});
    const ListedObjects listed(names, placement, 100);
    std::vector<std::string> all;
    for (const std::string& target : targets) {
        std::vector<std::string> share;
        for (std::uint32_t number = 0; number < listed.parts(target); ++number) {
            std::size_t bytes = 0;
            for (const std::string& name : listed.part(target, number)) {
                bytes += name.size();
                EXPECT_EQ(placement.owner(name)->str(), target);
                share.push_back(name);
            }
            EXPECT_GT(bytes, 0u);
            EXPECT_LE(bytes, 100u);
        }
        EXPECT_GT(listed.parts(target), 3u);
        EXPECT_TRUE(std::ranges::is_sorted(share));
        EXPECT_TRUE(listed.part(target, listed.parts(target)).empty());
        all.insert(all.end(), share.begin(), share.end());
    }
    std::ranges::sort(all);
    EXPECT_EQ(all, names);
}

TEST(ListedObjects, ThereIsAlwaysAPart) {
    const Placement one_target(1, {TargetId("t1")});
    const ListedObjects none({}, one_target);
    EXPECT_EQ(none.parts("t1"), 1u);
    EXPECT_TRUE(none.part("t1", 0).empty());
    const ListedObjects large({std::string(500, 'a'), std::string(500, 'b')}, one_target, 100);  // a name longer than a part
    EXPECT_EQ(large.parts("t1"), 2u);
    EXPECT_EQ(large.part("t1", 1).size(), 1u);
}

}  // namespace
}  // namespace millrace::scheduler
