#include <map>

#include "tests/unit/store/store_fixture.h"

namespace millrace::store {
namespace {

struct Refusal final : Precondition {
    Result<void> check(const ObjectInfo*) override { return fail(Code::conflict, "not now"); }
};

// Objects that are committed in one turn of their loop.
class PublishGroup : public StoreFixture {
protected:
    using Outcomes = std::vector<std::pair<std::string, Code>>;

    void begin(const std::string& bucket, const std::string& name, const std::string& text, WriteOptions options = {}) {
        auto writer = store_->begin_write(bucket, name, std::move(options));
        ASSERT_TRUE(writer);
        ASSERT_TRUE(write(**writer, text));
        writers_.emplace_back(name, std::move(*writer));
    }
    Outcomes commit_all() {
        Outcomes outcomes;
        run_blocking(loop_, commit_in_one_turn(loop_.executor(), writers_, outcomes));
        writers_.clear();
        return outcomes;
    }

private:
    using Writers = std::vector<std::pair<std::string, std::unique_ptr<ObjectWriter>>>;

    static Task<void> commit_in_one_turn(Executor loop, Writers& writers, Outcomes& outcomes) {
        TaskGroup tasks(loop);
        for (auto& [name, writer] : writers) tasks.spawn(commit_one(name, *writer, outcomes));
        co_await tasks.join();
    }
    static Task<void> commit_one(const std::string& name, ObjectWriter& writer, Outcomes& outcomes) {
        const Result<ObjectInfo> info = co_await writer.commit();
        outcomes.emplace_back(name, code_of(info));
    }

    Writers writers_;
};

constexpr Code kDone{};

TEST_F(PublishGroup, EachOfAGroupFailsForItself) {
    ASSERT_TRUE(store_->create_bucket("others", kSmallMax));
    Refusal refusal;
    begin("photos", "small", content(100, 1));
    begin("photos", "refused", content(100, 2), {.condition = &refusal});
    begin("photos", "refused-file", content(9000, 3), {.condition = &refusal});
    begin("others", "elsewhere", content(100, 4));
    begin("photos", "file", content(9000, 5));
    const Outcomes expected{{"small", kDone}, {"refused", Code::conflict}, {"refused-file", Code::conflict}, {"elsewhere", kDone}, {"file", kDone}};
    EXPECT_EQ(commit_all(), expected);
    EXPECT_EQ(get("small").value_or(""), content(100, 1));
    EXPECT_EQ(get("file").value_or(""), content(9000, 5));
    EXPECT_EQ(code_of(get("refused")), Code::not_found);
    EXPECT_TRUE(store_->stat("others", "elsewhere"));
    EXPECT_EQ(files_on_disk(), 1u);
}

TEST_F(PublishGroup, ContentsOfOneNameFollowOneAnother) {
    begin("photos", "name", content(100, 1));
    begin("photos", "name", content(9000, 2));
    begin("photos", "name", content(100, 3));
    const Outcomes expected{{"name", kDone}, {"name", kDone}, {"name", kDone}};
    EXPECT_EQ(commit_all(), expected);
    EXPECT_EQ(get("name").value_or(""), content(100, 3));
    const auto info = store_->stat("photos", "name");
    ASSERT_TRUE(info);
    EXPECT_EQ(info->edition, 3u);
}

TEST_F(PublishGroup, MoreThanAGroupTakesIsPublishedAllTheSame) {
    for (int i = 0; i < 200; ++i) begin("photos", "o" + std::to_string(i), content(i == 150 ? 5000 : 300, static_cast<unsigned>(i + 1)));
    const Outcomes outcomes = commit_all();
    EXPECT_EQ(std::ranges::count(outcomes, kDone, &Outcomes::value_type::second), 200);
    open_store();
    for (int i = 0; i < 200; ++i) {
        EXPECT_EQ(get("o" + std::to_string(i)).value_or(""), content(i == 150 ? 5000 : 300, static_cast<unsigned>(i + 1)));
    }
}

// The write to the database may have happened or not: the next start finds out, and no file is left over.
TEST_F(PublishGroup, AWriteThatFailsFailsItsWholeGroup) {
    begin("photos", "small", content(100, 1));
    begin("photos", "file", content(9000, 2));
    arm("kv.before_write:2:io");  // the first notes the file
    const Outcomes expected{{"small", Code::io}, {"file", Code::io}};
    EXPECT_EQ(commit_all(), expected);
    fault::armed = false;
    open_store();
    EXPECT_EQ(code_of(get("small")), Code::not_found);
    EXPECT_EQ(code_of(get("file")), Code::not_found);
    EXPECT_EQ(files_on_disk(), 0u);
    EXPECT_EQ(notes(), 0u);
}

TEST_F(PublishGroup, AFileThatCannotBeMovedFailsAlone) {
    begin("photos", "small", content(100, 1));
    begin("photos", "file", content(9000, 2));
    arm("store.before_rename:1:io");
    const Outcomes expected{{"small", kDone}, {"file", Code::io}};
    EXPECT_EQ(commit_all(), expected);
    EXPECT_EQ(get("small").value_or(""), content(100, 1));
    EXPECT_EQ(files_on_disk(), 0u);
    EXPECT_EQ(notes(), 0u);
}

// Objects that are opened in one turn of their loop.
class OpenGroup : public StoreFixture {
protected:
    using Readers = std::map<std::string, Result<std::unique_ptr<ObjectReader>>>;

    Readers open_all(const std::vector<std::string>& names) {
        Readers readers;
        run_blocking(loop_, open_in_one_turn(loop_.executor(), *store_, names, readers));
        return readers;
    }

private:
    static Task<void> open_in_one_turn(Executor loop, LocalStore& store, const std::vector<std::string>& names, Readers& readers) {
        TaskGroup tasks(loop);
        for (const std::string& name : names) tasks.spawn(open_one(store, name, readers));
        co_await tasks.join();
    }
    static Task<void> open_one(LocalStore& store, const std::string& name, Readers& readers) {
        auto reader = co_await store.open_gathered("photos", name);
        readers.emplace(name, std::move(reader));
    }
};

TEST_F(OpenGroup, EachIsWhatItIsByItself) {
    ASSERT_TRUE(put("small", content(100, 1)));
    ASSERT_TRUE(put("file", content(9000, 2)));
    ASSERT_TRUE(put("large", content(300'000, 3)));
    ASSERT_TRUE(put("lost", content(9000, 4)));
    std::filesystem::remove(file_of("lost"));
    Readers readers = open_all({"small", "file", "large", "lost", "missing", "not/../valid"});
    for (const auto& [name, text] : {std::pair("small", content(100, 1)), {"file", content(9000, 2)}, {"large", content(300'000, 3)}}) {
        ASSERT_TRUE(readers.at(name)) << name;
        EXPECT_EQ((*readers.at(name))->file_path(), file_of(name));
        EXPECT_EQ(read(**readers.at(name)).value_or(""), text) << name;
    }
    for (const std::string name : {"lost", "missing", "not/../valid"}) {
        const auto alone = store_->open("photos", name);
        ASSERT_FALSE(alone);
        ASSERT_FALSE(readers.at(name));
        EXPECT_EQ(readers.at(name).error().code, alone.error().code) << name;
        EXPECT_EQ(readers.at(name).error().context, alone.error().context);
    }
}

}  // namespace
}  // namespace millrace::store
