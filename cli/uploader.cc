#include "cli/uploader.h"

#include <nlohmann/json.hpp>

#include "cli/document.h"
#include "cli/silence.h"
#include "cli/uris.h"

namespace millrace::cli {
namespace {

constexpr int kUploadTriesMax = 5;
constexpr milliseconds kUploadFirstPause{100};


// Long enough for a slow network, short enough that a hung target is noticed.
Duration time_max(const LocalBody& body) {
    constexpr std::uint64_t kSlowestBytesPerSecond = 128 << 10;
    return std::chrono::minutes(2) + std::chrono::seconds(body.bytes / kSlowestBytesPerSecond);
}

// A stream takes as long as it takes: the time is that of the target, between one piece of it and the next.
class PatientSource final : public Source {
public:
    PatientSource(std::unique_ptr<Source> source, Silence silence) : source_(std::move(source)), silence_(std::move(silence)) {}
    std::optional<std::uint64_t> size() const override { return source_->size(); }
    Task<Result<std::size_t>> read(std::span<std::byte> buffer) override {
        silence_.is_ours();
        const Result<std::size_t> count = co_await source_->read(buffer);
        silence_.begin_anew();
        co_return count;
    }

private:
    const std::unique_ptr<Source> source_;
    Silence silence_;
};

}  // namespace

Uploader::Uploader(Session& session, std::string bucket) : session_(session), bucket_(std::move(bucket)) {}

Task<Result<void>> Uploader::refresh_map() {
    Call call;
    call.target = "/v1/cluster";
    MILLRACE_CO_TRY_ASSIGN(const http::Reply reply, co_await session_.fetch(std::move(call)));
    MILLRACE_CO_TRY_ASSIGN(const nlohmann::json cluster, parse_json(reply.body));
    MILLRACE_CO_TRY_ASSIGN(OwnerMap map, OwnerMap::from(cluster));
    map_ = std::make_shared<const OwnerMap>(std::move(map));
    co_return Result<void>{};
}

Task<Result<void>> Uploader::put_once(const std::string& name, const LocalBody& body, TargetId& owner_id) {
    if (map_ == nullptr) {
        MILLRACE_CO_TRY(co_await refresh_map());
    }
    const OwnerMap::Owner owner = map_->owner(name);
    owner_id = owner.id;
    if (!owner.online) {
        const std::string reason = owner.reason.empty() ? "" : " (" + owner.reason + ")";
        co_return fail(Code::unavailable, "target " + owner.id.str() + ", which owns it, is offline" + reason);
    }
    Call call;
    call.method = "PUT";
    call.target = object_path({bucket_, name});
    call.headers = {{"Content-Type", "application/octet-stream"}};
    if (!body.checksum.empty()) {
        call.headers.set("Ais-Checksum-Type", "xxhash2");
        call.headers.set("Ais-Checksum-Value", body.checksum);
    }
    call.body = body.make;
    // Worth a round trip when much would be sent in vain, or could be sent only once.
    call.expect_continue = !body.size_known || body.bytes > (1 << 20);
    if (body.size_known) {
        call.time_max = time_max(body);
    } else {
        const Silence silence(kSilenceMax);
        call.time_max = silence.max();
        call.due = silence.due();
        call.body = [make = body.make, silence]() -> Result<std::unique_ptr<Source>> {
            MILLRACE_TRY_ASSIGN(std::unique_ptr<Source> source, make());
            return std::make_unique<PatientSource>(std::move(source), silence);
        };
    }
    MILLRACE_CO_TRY_ASSIGN(OpenExchange open, co_await session_.open_at(owner.endpoint, std::move(call)));
    MILLRACE_CO_TRY(co_await check_status(*open.exchange));
    MILLRACE_CO_TRY(co_await open.exchange->read_all(kReplyBytesMax));
    co_return Result<void>{};
}

Task<Result<void>> Uploader::put(std::string name, LocalBody body) {
    Duration pause = kUploadFirstPause;
    TargetId owner;
    for (int tried = 1;; ++tried) {
        Result<void> done = co_await put_once(name, body, owner);
        if (done) {
            given_up_.erase(owner);
            co_return done;
        }
        const bool last = tried == kUploadTriesMax || given_up_.contains(owner);
        if (last && retryable(done.error().code)) given_up_.insert(owner);
        if (last || !retryable(done.error().code)) co_return done;
        co_await sleep_for(pause);
        pause *= 2;
        // A failure leaves the old map: the next try says what is wrong.
        Result<void> refreshed = co_await refresh_map();
        (void)refreshed;
    }
}

}  // namespace millrace::cli
