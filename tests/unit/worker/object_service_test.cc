// What a target does with objects, without the words of any dialect: on a real store, beside a target that does not answer.
#include "worker/object_service.h"

#include <gmock/gmock.h>

#include "worker/change_condition.h"
#include "tests/unit/store/store_fixture.h"

namespace millrace::worker {
namespace {

using store::code_of;
using store::content;
using testing::HasSubstr;
using What = Opened::What;

class Service : public store::StoreFixture {
protected:
    void SetUp() override {
        StoreFixture::SetUp();
        ASSERT_TRUE(store_->create_bucket("pinned", store::kSmallMax, "u1"));
        auto spool = SpoolFolder::open(folder_ / "spool");
        ASSERT_TRUE(spool);
        spool_.emplace(std::move(*spool));
        slices_.emplace(*kv_);
        fences_.emplace(*slices_);
        inline_.emplace(*store_, *spool_, transforms_, config_);
        service_.emplace(*store_, store_->drafts(), cluster_, *fences_, *inline_, config_);
        cluster_.update({.version = 1, .targets = {{"t1", "http://127.0.0.1:1", true}, {"t2", "", false}}});
        for (int i = 0; foreign_.empty() || ours_.size() < 3; ++i) {
            const std::string name = "object-" + std::to_string(i);
            (*cluster_.placement()->owner(name) == cluster_.self() ? ours_ : foreign_).push_back(name);
        }
        cluster_.set_joined();
    }
    void TearDown() override {
        run_blocking(lane_.loop, transforms_.stop());
        service_.reset();
        StoreFixture::TearDown();
    }

    const std::string& name() const { return ours_[0]; }
    Result<store::ObjectInfo> put(const std::string& text, PutOptions options = {}, const std::string& bucket = "photos") {
        return put_as(bucket, name(), text, std::move(options));
    }
    Result<store::ObjectInfo> put_as(const std::string& bucket, const std::string& object, const std::string& text, PutOptions options = {}) {
        MemorySource body(text);
        return run_blocking(lane_.loop, service_->put(bucket, object, body, std::move(options)));
    }
    Result<Opened> get(const GetOptions& options = {}) { return run_blocking(lane_.loop, service_->get("photos", name(), options)); }
    static GetOptions part(std::uint64_t offset, std::uint64_t length) {
        GetOptions options;
        options.range = [offset, length](std::uint64_t size) -> Result<std::optional<ByteSpan>> {
            if (offset + length > size) return fail(Code::range, "there are " + std::to_string(size) + " bytes");
            return ByteSpan{offset, length};
        };
        return options;
    }
    JobPut output(std::uint64_t fence) const {
        JobPut put{JobId("job-1"), TargetId("t2"), fence, {.job = "job-1", .epoch = 1, .source_name = "x"}};
        put.custom = {{"colour", "green"}};
        return put;
    }
    Result<std::uint64_t> put_part(const store::DraftName& upload, std::uint32_t number, const std::string& text, ObjectUploads::PartOptions options = {}) {
        MemorySource body(text);
        return run_blocking(lane_.loop, service_->uploads().put_part(upload, number, body, options));
    }
    Result<ObjectUploads::Appended> append(const std::optional<ObjectUploads::Appended>& to, const std::string& text) {
        MemorySource body(text);
        return run_blocking(lane_.loop, service_->uploads().append("photos", name(), to, body, std::nullopt));
    }
    Result<store::ObjectInfo> flush(const std::optional<ObjectUploads::Appended>& to, const std::string& text) {
        MemorySource body(text);
        return run_blocking(lane_.loop, service_->uploads().flush("photos", name(), to, body, std::nullopt));
    }

    Lanes lanes_{"lane", 0, 1};
    Lane& lane_ = lanes_.at(0);
    TargetConfig config_;
    ClusterView cluster_{TargetId("t1")};
    TransformTable transforms_{{lane_.loop.executor(), {lane_.loop.executor()}, folder_ / "run"}, [] {}};
    std::optional<SpoolFolder> spool_;
    std::optional<state::SliceStore> slices_;
    std::optional<Fences> fences_;
    std::optional<InlineTransform> inline_;
    std::optional<ObjectService> service_;
    std::vector<std::string> ours_;
    std::vector<std::string> foreign_;
};

TEST_F(Service, WhatIsPutIsThereWithItsMetadata) {
    for (const std::size_t bytes : {0ul, 10ul, 900'000ul}) {
        const std::string text = content(bytes);
        const auto stored = put(text, {.expected_checksum = xxh64(text), .custom = {{"colour", "green"}}});
        ASSERT_TRUE(stored) << stored.error().context;
        const auto opened = get();
        ASSERT_TRUE(opened) << opened.error().context;
        EXPECT_EQ(opened->what, What::whole);
        EXPECT_EQ(*read(*opened->reader), text);
        const auto info = service_->head("photos", name());
        ASSERT_TRUE(info);
        EXPECT_EQ(info->size, bytes);
        EXPECT_EQ(info->custom.at("colour"), "green");
        EXPECT_FALSE(info->provenance);
    }
}

// As much as there is of a body, at most so much at once; of a length that is announced or not.
class Dribble final : public Source {
public:
    Dribble(std::string bytes, std::size_t piece_bytes, bool announce) : bytes_(std::move(bytes)), piece_bytes_(piece_bytes), announce_(announce) {}
    std::optional<std::uint64_t> size() const override { return announce_ ? std::optional<std::uint64_t>(bytes_.size()) : std::nullopt; }
    Task<Result<std::size_t>> read(std::span<std::byte> buffer) override {
        if (breaks_at && offset_ >= *breaks_at) co_return fail(Code::incomplete_body, "it broke off");
        const std::size_t count = std::min({piece_bytes_, buffer.size(), bytes_.size() - offset_});
        std::ranges::copy(as_bytes(std::string_view(bytes_).substr(offset_, count)), buffer.begin());
        offset_ += count;
        co_return count;
    }
    std::optional<std::size_t> breaks_at;

private:
    std::string bytes_;
    std::size_t piece_bytes_;
    bool announce_;
    std::size_t offset_ = 0;
};

TEST_F(Service, ABodyMayComeInAnyPieces) {
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{store::kSmallMax} + 1, kBodyChunkBytes, 2 * kBodyChunkBytes + 1}) {
        for (const bool announce : {true, false}) {
            Dribble body(content(size), 10'007, announce);
            const auto stored = run_blocking(lane_.loop, service_->put("photos", name(), body, {}));
            ASSERT_TRUE(stored) << stored.error().context;
            EXPECT_EQ(stored->size, size);
            const auto opened = get();
            ASSERT_TRUE(opened);
            EXPECT_EQ(read(*opened->reader).value_or("an error"), content(size)) << size;
        }
    }
}

TEST_F(Service, ABodyThatBreaksOffLeavesWhatWasThere) {
    ASSERT_TRUE(put("before"));
    Dribble body(content(2 * kBodyChunkBytes), 10'007, true);
    body.breaks_at = kBodyChunkBytes + 20'000;
    EXPECT_EQ(code_of(run_blocking(lane_.loop, service_->put("photos", name(), body, {}))), Code::incomplete_body);
    const auto opened = get();
    ASSERT_TRUE(opened);
    EXPECT_EQ(read(*opened->reader).value_or("an error"), "before");
}

TEST_F(Service, AnotherTargetsNameIsNotAnsweredFor) {
    const std::string& other = foreign_[0];
    EXPECT_EQ(*service_->gate().elsewhere(other), TargetId("t2"));
    EXPECT_EQ(*service_->gate().elsewhere(name()), std::nullopt);
    EXPECT_EQ(code_of(put_as("photos", other, "x")), Code::unavailable);
    EXPECT_EQ(code_of(run_blocking(lane_.loop, service_->get("photos", other, {}))), Code::unavailable);
    EXPECT_EQ(code_of(service_->head("photos", other)), Code::unavailable);
    EXPECT_EQ(code_of(service_->erase("photos", other)), Code::unavailable);
    EXPECT_EQ(code_of(service_->set_custom("photos", other, {}, true)), Code::unavailable);
    EXPECT_EQ(code_of(service_->uploads().begin("photos", other)), Code::unavailable);
    EXPECT_EQ(code_of(run_blocking(lane_.loop, service_->copy("photos", other, {"photos", name()}, std::nullopt))), Code::unavailable);
    EXPECT_EQ(code_of(service_->gate().elsewhere("../x")), Code::invalid_argument);
    // An instance gets what is here, and hears what is not.
    EXPECT_EQ(code_of(run_blocking(lane_.loop, service_->get("photos", other, {.whoever_owns = true}))), Code::not_found);
}

TEST_F(Service, UntilTheTargetsAreKnownNothingIsPlacedByGuess) {
    ClusterView nobody(TargetId("t1"));
    const ObjectService alone(*store_, store_->drafts(), nobody, *fences_, *inline_, config_);
    EXPECT_EQ(code_of(alone.head("photos", name())), Code::unavailable);
}

TEST_F(Service, WhileTheProxyRefusesItItTakesNoChanges) {
    ASSERT_TRUE(put("before"));
    cluster_.set_refused("this is another folder");
    EXPECT_EQ(code_of(put("x")), Code::conflict) << "not by waiting";
    EXPECT_EQ(code_of(put("x", {.job = output(make_fence(1, 1))})), Code::unavailable) << "a job waits all the same";
    EXPECT_EQ(code_of(service_->erase("photos", name())), Code::conflict);
    EXPECT_EQ(code_of(service_->uploads().begin("photos", name())), Code::conflict);
    EXPECT_TRUE(get());
}

TEST_F(Service, AnUnknownBucketIsNotFoundAndAPinnedOneIsWaitedFor) {
    EXPECT_EQ(code_of(put("x", {}, "nowhere")), Code::not_found);
    EXPECT_EQ(code_of(service_->head("nowhere", name())), Code::not_found);
    EXPECT_EQ(code_of(service_->check("nowhere", name())), Code::not_found);
    EXPECT_EQ(code_of(service_->uploads().begin("nowhere", name())), Code::not_found);
    EXPECT_THAT(service_->erase("nowhere", name()).error().context, HasSubstr("bucket \"ais://nowhere\" does not exist"));
    JobPut job = output(make_fence(1, 1));
    for (const auto& [uid, expected] : {std::pair("u1", Code{}), std::pair("u2", Code::unavailable)}) {
        job.bucket_uid = uid;
        EXPECT_EQ(code_of(put("x", {.job = job}, "pinned")), expected) << uid;
        EXPECT_EQ(code_of(service_->head({"pinned", uid}, name())), expected) << uid;
    }
}

TEST_F(Service, AWrongChecksumLeavesWhatWasThere) {
    ASSERT_TRUE(put("before"));
    EXPECT_EQ(code_of(put("after", {.expected_checksum = 1})), Code::checksum_mismatch);
    EXPECT_EQ(*read(*get()->reader), "before");
}

TEST_F(Service, APartIsOfTheContentThatWasAskedFor) {
    const std::string text = content(900'000);
    ASSERT_TRUE(put(text));
    const auto opened = get(part(500'000, 1000));
    ASSERT_TRUE(opened) << opened.error().context;
    EXPECT_EQ(opened->what, What::part);
    EXPECT_EQ(opened->part.offset, 500'000u);
    EXPECT_EQ(opened->reader->info().size, text.size()) << "of the whole object";
    EXPECT_EQ(*read(*opened->reader), text.substr(500'000, 1000));
    const auto outside = get(part(900'000, 1));
    ASSERT_TRUE(outside);
    EXPECT_EQ(outside->what, What::outside);
    EXPECT_EQ(outside->refusal.context, "there are 900000 bytes");
    EXPECT_EQ(outside->reader->info().size, text.size());
}

TEST_F(Service, ConditionsAreAboutTheContent) {
    ASSERT_TRUE(put("one"));
    const std::string before = entity_tag(*service_->head("photos", name()));
    ASSERT_TRUE(put("two"));
    const std::string now = entity_tag(*service_->head("photos", name()));
    const auto part_if = [](const char* header, const std::string& tags) {
        GetOptions options = part(0, 2);
        options.conditions = http::Conditions(http::Headers{{header, tags}}, 0);
        return options;
    };
    EXPECT_EQ(get(part_if("If-Match", before))->what, What::other);
    EXPECT_EQ(get(part_if("If-Match", before + ", " + now))->what, What::part);
    EXPECT_EQ(get(part_if("If-Match", "*"))->what, What::part);
    EXPECT_EQ(get(part_if("If-None-Match", now))->what, What::unchanged);
    EXPECT_EQ(get(part_if("If-Range", before))->what, What::whole) << "a part is of no use to who has the rest of another content";
    EXPECT_EQ(get(part_if("If-Range", now))->what, What::part);
}

TEST_F(Service, ATagIsOfOneContentForAsLongAsItStays) {
    const auto tag = [this] { return entity_tag(*service_->head("photos", name())); };
    ASSERT_TRUE(put("one"));
    const std::string first = tag();
    ASSERT_TRUE(service_->set_custom("photos", name(), {{"a", "1"}}, false));
    EXPECT_EQ(tag(), first) << "the content is the same";
    ASSERT_TRUE(put("two"));
    EXPECT_NE(tag(), first);
    ASSERT_TRUE(put("one"));
    EXPECT_NE(tag(), first) << "it was another one in between";
    store::ObjectInfo info{.checksum = 1, .version = 2};
    EXPECT_EQ(entity_tag(info), "\"2-0000000000000001\"");
}

TEST_F(Service, AChangeIsMadeOnlyOfWhatIsDemanded) {
    const auto condition = [](const char* header, const std::string& tags) {
        return ChangeCondition(http::Conditions(http::Headers{{header, tags}}, 0));
    };
    const auto tag = [this] { return entity_tag(*service_->head("photos", name())); };
    ChangeCondition if_new = condition("If-None-Match", "*");
    ASSERT_TRUE(put("one", {.condition = if_new.if_any()}));
    EXPECT_FALSE(if_new.has_refused());
    EXPECT_EQ(code_of(put("two", {.condition = if_new.if_any()})), Code::conflict);
    EXPECT_TRUE(if_new.has_refused());
    ChangeCondition if_other = condition("If-Match", "\"other\"");
    EXPECT_EQ(code_of(put("two", {.condition = if_other.if_any()})), Code::conflict);
    EXPECT_EQ(code_of(service_->erase("photos", name(), if_other.if_any())), Code::conflict);
    EXPECT_EQ(code_of(service_->set_custom("photos", name(), {{"a", "1"}}, true, if_other.if_any())), Code::conflict);
    EXPECT_EQ(code_of(run_blocking(lane_.loop, service_->copy("photos", name(), {"photos", ours_[1]}, std::nullopt, if_other.if_any()))), Code::conflict);
    EXPECT_FALSE(service_->head("photos", ours_[1]));
    EXPECT_EQ(code_of(run_blocking(lane_.loop, service_->copy("photos", name(), {"photos", name()}, std::nullopt, if_other.if_any()))), Code::conflict);
    const auto appended = append(std::nullopt, " two");
    ASSERT_TRUE(appended);
    MemorySource nothing("");
    const auto flushed = run_blocking(lane_.loop, service_->uploads().flush("photos", name(), *appended, nothing, std::nullopt, if_other.if_any()));
    EXPECT_EQ(code_of(flushed), Code::conflict);
    EXPECT_EQ(*read(*get()->reader), "one");
    ChangeCondition if_this = condition("If-Match", tag());
    EXPECT_TRUE(run_blocking(lane_.loop, service_->uploads().flush("photos", name(), *appended, nothing, std::nullopt, if_this.if_any())));
    EXPECT_EQ(*read(*get()->reader), "one two") << "what was appended was still there";
    ChangeCondition if_that = condition("If-Match", tag());
    EXPECT_TRUE(service_->erase("photos", name(), if_that.if_any()));
    EXPECT_EQ(code_of(service_->erase("photos", name(), if_that.if_any())), Code::not_found) << "there is nothing to make conditions about";
    EXPECT_EQ(code_of(put("x", {.condition = if_that.if_any()}, "nowhere")), Code::not_found);
}

TEST_F(Service, WhatIsErasedIsGone) {
    ASSERT_TRUE(put("x"));
    EXPECT_TRUE(service_->erase("photos", name()));
    EXPECT_EQ(code_of(get()), Code::not_found);
    EXPECT_EQ(code_of(service_->erase("photos", name())), Code::not_found);
}

TEST_F(Service, CustomMetadataIsAddedOrReplaced) {
    ASSERT_TRUE(put("x", {.custom = {{"a", "1"}}}));
    EXPECT_EQ(service_->set_custom("photos", name(), {{"b", "2"}}, false)->custom.size(), 2u);
    EXPECT_EQ(service_->set_custom("photos", name(), {{"c", "3"}}, true)->custom, (CustomMetadata{{"c", "3"}}));
}

TEST_F(Service, ACopyIsWholeAndKeepsTheMetadata) {
    const std::string text = content(900'000);
    ASSERT_TRUE(put(text, {.custom = {{"a", "1"}}}));
    const auto copy = [this](const ObjectUri& to) { return run_blocking(lane_.loop, service_->copy("photos", name(), to, std::nullopt)); };
    ASSERT_TRUE(copy({"pinned", ours_[1]}));
    const auto made = service_->head("pinned", ours_[1]);
    ASSERT_TRUE(made);
    EXPECT_EQ(made->checksum, xxh64(text));
    EXPECT_EQ(made->custom.at("a"), "1");
    const auto before = service_->head("photos", name());
    EXPECT_TRUE(copy({"photos", name()})) << "onto itself";
    EXPECT_EQ(service_->head("photos", name())->version, before->version);
    const auto onto_itself = run_blocking(lane_.loop, service_->copy("photos", name(), {"photos", name()}, TransformCall{"some", {}, ""}));
    EXPECT_EQ(code_of(onto_itself), Code::invalid_argument) << "it would transform its own result when it is repeated";
    EXPECT_EQ(code_of(run_blocking(lane_.loop, service_->copy("photos", ours_[2], {"photos", ours_[2]}, std::nullopt))), Code::not_found);
    EXPECT_EQ(code_of(copy({"nowhere", "x"})), Code::not_found);
    EXPECT_EQ(code_of(copy({"photos", "../x"})), Code::invalid_argument);
    EXPECT_EQ(code_of(copy({"photos", foreign_[0]})), Code::unavailable) << "its owner does not answer";
    const auto through = run_blocking(lane_.loop, service_->copy("photos", name(), {"photos", ours_[1]}, TransformCall{"no-such", {}, ""}));
    EXPECT_EQ(code_of(through), Code::not_found);
    EXPECT_FALSE(service_->head("photos", ours_[1]));
}

TEST_F(Service, ARenamedObjectIsUnderItsNewNameOnly) {
    const std::string text = content(900'000);
    ASSERT_TRUE(put(text, {.custom = {{"colour", "green"}}}));
    ASSERT_TRUE(put_as("photos", ours_[1], "in the way"));
    const auto renamed = [this](const std::string& from, const std::string& to) { return run_blocking(lane_.loop, service_->rename("photos", from, to)); };
    ASSERT_TRUE(renamed(name(), ours_[1]));
    EXPECT_EQ(code_of(service_->head("photos", name())), Code::not_found);
    const auto info = service_->head("photos", ours_[1]);
    ASSERT_TRUE(info);
    EXPECT_EQ(info->checksum, xxh64(text));
    EXPECT_EQ(info->custom.at("colour"), "green");
    EXPECT_EQ(code_of(renamed(name(), ours_[2])), Code::not_found);
    EXPECT_EQ(code_of(renamed(ours_[1], ours_[1])), Code::invalid_argument);
    EXPECT_EQ(code_of(renamed(ours_[1], "../x")), Code::invalid_argument);
    EXPECT_FALSE(renamed(ours_[1], foreign_[0])) << "its target does not answer";
    EXPECT_TRUE(service_->head("photos", ours_[1])) << "it keeps its name until it has the other";
}

TEST_F(Service, PartsBecomeAnObjectWhenTheyAreComplete) {
    const auto id = service_->uploads().begin("photos", name());
    ASSERT_TRUE(id);
    const store::DraftName upload{*id, "photos", name()};
    const std::string large = content(900'000);
    EXPECT_EQ(*put_part(upload, 2, " end"), 4u);
    EXPECT_EQ(*put_part(upload, 1, large), large.size());
    EXPECT_EQ(code_of(put_part(upload, 3, "x", {.expected_checksum = 1, .extend_at = {}})), Code::checksum_mismatch);
    EXPECT_EQ(code_of(put_part({*id, "photos", ours_[1]}, 1, "x")), Code::not_found) << "the upload is of another object";
    EXPECT_EQ(code_of(get()), Code::not_found) << "nobody sees it yet";
    const auto complete = [&] { return run_blocking(lane_.loop, service_->uploads().complete(upload, {1, 2})); };
    const auto made = complete();
    ASSERT_TRUE(made) << made.error().context;
    EXPECT_EQ(*read(*get()->reader), large + " end");
    const auto again = complete();
    ASSERT_TRUE(again) << again.error().context;
    EXPECT_EQ(again->version, made->version) << "nothing is made twice";
    EXPECT_EQ(made->parts, (store::Parts{2, large.size()}));
    service_->uploads().note_answered(upload);
    EXPECT_EQ(code_of(complete()), Code::not_found);
    EXPECT_THAT(complete().error().context, HasSubstr("does not exist"));
    EXPECT_EQ(code_of(service_->uploads().abort(upload)), Code::conflict) << "the object stays";
}

TEST_F(Service, ACompletionThatIsAskedForMeanwhileHearsHowItEnds) {
    const store::DraftName upload{*service_->uploads().begin("photos", name()), "photos", name()};
    ASSERT_TRUE(put_part(upload, 1, content(9'000'000)));  // so much that others get a turn
    std::future<Result<store::ObjectInfo>> first;
    std::future<Result<store::ObjectInfo>> second;
    const auto start_both = [&] {
        first = boost::asio::co_spawn(lane_.loop.executor(), service_->uploads().complete(upload, {1}), boost::asio::use_future);
        second = boost::asio::co_spawn(lane_.loop.executor(), service_->uploads().complete(upload, {1}), boost::asio::use_future);
    };
    boost::asio::post(lane_.loop.executor(), boost::asio::use_future(start_both)).get();
    const auto made = first.get();
    ASSERT_TRUE(made) << made.error().context;
    service_->uploads().note_answered(upload);
    const auto heard = second.get();
    ASSERT_TRUE(heard) << heard.error().context;
    EXPECT_EQ(heard->version, made->version);
}

TEST_F(Service, AnUploadThatIsNotThereIsAsGoodAsAborted) {
    const store::DraftName upload{*service_->uploads().begin("photos", name()), "photos", name()};
    ASSERT_TRUE(put_part(upload, 1, "x"));
    EXPECT_TRUE(service_->uploads().abort(upload));
    EXPECT_TRUE(service_->uploads().abort(upload)) << "again: its answer was lost";
    EXPECT_EQ(code_of(service_->uploads().abort({"no-id", "photos", name()})), Code::invalid_argument);
    const auto completed = run_blocking(lane_.loop, service_->uploads().complete(upload, {1}));
    EXPECT_EQ(code_of(completed), Code::not_found);
    EXPECT_THAT(completed.error().context, HasSubstr("does not exist"));
}

TEST_F(Service, APartHasAtLeastOneByteUnlessItIsExtended) {
    const store::DraftName upload{*service_->uploads().begin("photos", name()), "photos", name()};
    ASSERT_TRUE(put_part(upload, 1, "kept"));
    EXPECT_EQ(code_of(put_part(upload, 1, "")), Code::invalid_argument);
    EXPECT_THAT(put_part(upload, 2, "").error().context, HasSubstr("invalid size (0)"));
    EXPECT_EQ(*put_part(upload, 1, "", {.expected_checksum = {}, .extend_at = 4, .may_be_empty = true}), 4u) << "a flush";
    ASSERT_TRUE(run_blocking(lane_.loop, service_->uploads().complete(upload, {1})));
    EXPECT_EQ(*read(*get()->reader), "kept");
}

TEST_F(Service, AnObjectCountsItsContents) {
    EXPECT_EQ(put("one")->edition, 1u);
    EXPECT_EQ(put("two")->edition, 2u);
    EXPECT_EQ(service_->set_custom("photos", name(), {{"a", "1"}}, false)->edition, 2u) << "the content is the same";
    EXPECT_EQ(flush(std::nullopt, " more")->edition, 3u);
    EXPECT_EQ(put_as("photos", ours_[1], "of another")->edition, 1u);
    ASSERT_TRUE(service_->erase("photos", name()));
    EXPECT_EQ(put("again")->edition, 1u);
}

TEST_F(Service, AnAppendWhoseAnswerWasLostDoesNotDoubleItsBytes) {
    ASSERT_TRUE(put("zero "));
    const auto first = append(std::nullopt, "one ");
    ASSERT_TRUE(first) << first.error().context;
    EXPECT_EQ(first->length, 9u) << "it begins with what the object has";
    ASSERT_TRUE(append(*first, "two "));
    const auto second = append(*first, "two ");
    ASSERT_TRUE(second);
    EXPECT_EQ(*read(*get()->reader), "zero ") << "nobody sees it yet";
    ASSERT_TRUE(flush(*second, "three"));
    ASSERT_TRUE(flush(*second, "three")) << "again: its answer was lost";
    EXPECT_EQ(*read(*get()->reader), "zero one two three");
    EXPECT_EQ(code_of(append(*second, "late")), Code::not_found);
    EXPECT_EQ(code_of(flush(ObjectUploads::Appended{"draft-0123456789", 3}, "")), Code::not_found);
}

TEST_F(Service, AnOutputOfAJobIsMadeUnderItsFence) {
    ASSERT_TRUE(put("x", {.custom = {{"not", "this"}}, .job = output(make_fence(1, 2))}));
    const auto made = service_->head("photos", name());
    ASSERT_TRUE(made && made->provenance);
    EXPECT_EQ(made->provenance->job, "job-1");
    EXPECT_EQ(made->custom, (CustomMetadata{{"colour", "green"}}));
    EXPECT_EQ(code_of(put("older", {.job = output(make_fence(1, 1))})), Code::stale_epoch);
    EXPECT_TRUE(put("newer", {.job = output(make_fence(1, 3))}));
    ASSERT_TRUE(fences_->stop(JobId("job-1"), 1));
    EXPECT_EQ(code_of(put("late", {.job = output(make_fence(1, 3))})), Code::stale_epoch);
    EXPECT_EQ(*read(*get()->reader), "newer");
}

TEST_F(Service, OutputsOfJobsWaitUntilThisTargetHasJoined) {
    ClusterView joining(TargetId("t1"));
    joining.update({.version = 1, .targets = {{"t1", "", true}}});
    ObjectService early(*store_, store_->drafts(), joining, *fences_, *inline_, config_);
    MemorySource body("x");
    EXPECT_EQ(code_of(run_blocking(lane_.loop, early.put("photos", name(), body, {.job = output(1)}))), Code::unavailable);
    EXPECT_TRUE(run_blocking(lane_.loop, early.put("photos", name(), body, {})));
}

}  // namespace
}  // namespace millrace::worker
