#include "state/format.h"

#include <gtest/gtest.h>

#include "state/families.h"
#include "tests/unit/state/temp_folder.h"

namespace millrace::state {
namespace {

class Format : public testing::Test {
protected:
    void SetUp() override { open(target_families()); }

    void open(const std::vector<FamilyOptions>& families) {
        kv_.reset();
        auto opened = Kv::open(folder_ / "db", families, {});
        ASSERT_TRUE(opened) << opened.error().context;
        kv_ = std::move(*opened);
    }
    void put(std::string_view key, std::string_view value) {
        Batch batch;
        batch.put(0, key, value);
        ASSERT_TRUE(kv_->write(std::move(batch), false));
    }
    Error refusal(std::string_view kind) {
        const auto checked = check_format(*kv_, 0, kind);
        EXPECT_FALSE(checked);
        return checked ? Error{} : checked.error();
    }

    TempFolder folder_;
    std::unique_ptr<Kv> kv_;
};

TEST_F(Format, ClaimsANewStoreAndKnowsItAgain) {
    ASSERT_TRUE(check_format(*kv_, 0, "target"));
    EXPECT_EQ(*kv_->get(0, "format"), "target 2");
    open(target_families());
    EXPECT_TRUE(check_format(*kv_, 0, "target"));
}

TEST_F(Format, RefusesTheFolderOfAnotherKindOfNode) {
    ASSERT_TRUE(check_format(*kv_, 0, "target"));
    open(proxy_families());
    const Error error = refusal("proxy");
    EXPECT_EQ(error.code, Code::conflict);
    EXPECT_NE(error.context.find("belongs to a target"), std::string::npos) << error.context;
}

TEST_F(Format, RefusesANewerStore) {
    put("format", "target 7");
    const Error error = refusal("target");
    EXPECT_EQ(error.code, Code::unsupported_version);
    EXPECT_EQ(error.context,
              "store format 7 is newer than this millrace understands (2); use a newer millrace or another folder");
    EXPECT_EQ(*kv_->get(0, "format"), "target 7");
}

TEST_F(Format, RefusesAStoreWhoseObjectsHaveOtherPlaces) {
    put("format", "target 1");
    const Error error = refusal("target");
    EXPECT_EQ(error.code, Code::unsupported_version);
    EXPECT_NE(error.context.find("store format 1 is older"), std::string::npos) << error.context;
    EXPECT_EQ(*kv_->get(0, "format"), "target 1");
}

TEST_F(Format, NamesTheKeyThatCannotBeRead) {
    for (const char* text : {"", "target", "target ", "target x", "target 1x", "target 0", "target -1", "gopher 1", " 1"}) {
        put("format", text);
        const Error error = refusal("target");
        EXPECT_EQ(error.code, Code::corrupt) << text;
        EXPECT_NE(error.context.find("'format'"), std::string::npos);
    }
}

TEST_F(Format, DoesNotClaimAStoreThatHasData) {
    put("something", "else");
    EXPECT_EQ(refusal("target").code, Code::corrupt);
}

}  // namespace
}  // namespace millrace::state
