#include "cli/object_fetch.h"

#include <vector>

namespace millrace::cli {
namespace {

constexpr auto kTransformTimeMax = std::chrono::hours(24);  // a transform may be silent for long
constexpr milliseconds kFetchFirstPause{250};
constexpr milliseconds kPauseMax{4000};
constexpr int kVainTriesMax = 10;  // half a minute

Error broke_off(std::uint64_t moved, const std::string& why, bool is_result) {
    return fail(Code::incomplete_body, std::string(is_result ? "the result" : "the object") + " broke off after " + std::to_string(moved) + " bytes: " + why +
        (is_result ? "; if its transform failed, 'millrace etl errors' says how" : ""));
}

}  // namespace

ObjectFetch::ObjectFetch(Session& session, Call call, bool may_continue, Sink& sink)
    : session_(session), call_(std::move(call)), may_continue_(may_continue), sink_(sink),
      silence_(may_continue ? Duration(kSilenceMax) : Duration(kTransformTimeMax)) {}

Task<Result<std::uint64_t>> ObjectFetch::run() {
    Duration pause = kFetchFirstPause;
    for (int vain_tries = 0;;) {
        const std::uint64_t before = moved_;
        const auto fetched = co_await fetch_rest();
        if (fetched) break;
        if (fetched.error().is_final || !may_continue_ || tag_.empty()) co_return fetched.error().error;
        if (moved_ > before) {
            vain_tries = 0;
            pause = kFetchFirstPause;
        }
        if (++vain_tries > kVainTriesMax) co_return fetched.error().error;
        co_await sleep_for(pause);
        pause = std::min<Duration>(2 * pause, kPauseMax);
    }
    MILLRACE_CO_TRY(verify());
    co_return moved_;
}

Task<std::expected<void, ObjectFetch::Failure>> ObjectFetch::fetch_rest() {
    Call call = call_;
    silence_.begin_anew();
    call.time_max = silence_.max();
    call.due = silence_.due();
    if (moved_ > 0) {
        call.headers.set("Range", "bytes=" + std::to_string(moved_) + "-");
        call.headers.set("If-Match", tag_);
    }
    auto open = co_await session_.open(std::move(call));
    // Before anything has come, the first answer counts, whatever it is.
    if (!open) co_return std::unexpected(Failure{moved_ == 0 ? open.error() : broke_off(moved_, open.error().context, !may_continue_), moved_ == 0});
    if (const auto begun = check_begin(*open->exchange); !begun) co_return begun;
    if (const auto accepted = co_await check_status(*open->exchange); !accepted) {
        co_return std::unexpected(Failure{accepted.error(), moved_ == 0 || !retryable(accepted.error().code)});
    }
    co_return co_await read_rest(*open->exchange);
}

std::expected<void, ObjectFetch::Failure> ObjectFetch::check_begin(const http::Exchange& exchange) {
    const std::string tag(exchange.headers.find("ETag").value_or(""));
    if (moved_ == 0) {
        tag_ = tag;
        size_ = exchange.size();
        expected_ = exchange.headers.find("Ais-Checksum-Type") == "xxhash2" ? exchange.headers.find("Ais-Checksum-Value").value_or("") : "";
        return {};
    }
    if (exchange.status >= 400 && exchange.status != 412) return {};
    const std::string from = "bytes " + std::to_string(moved_) + "-";
    if (exchange.status == 206 && tag == tag_ && exchange.headers.find("Content-Range").value_or("").starts_with(from)) return {};
    return std::unexpected(Failure{fail(Code::incomplete_body, "it was overwritten after " + std::to_string(moved_) + " bytes of it had come; get it again")});
}

Task<std::expected<void, ObjectFetch::Failure>> ObjectFetch::read_rest(http::Exchange& exchange) {
    std::vector<std::byte> chunk(kBodyChunkBytes);
    for (;;) {
        const auto count = co_await exchange.read(chunk);
        if (!count) co_return std::unexpected(Failure{broke_off(moved_, count.error().context, !may_continue_), false});
        if (*count == 0) break;
        const auto bytes = std::span<const std::byte>(chunk).first(*count);
        checksum_.update(bytes);
        moved_ += *count;
        silence_.is_ours();
        const auto written = co_await sink_.write(bytes);
        silence_.begin_anew();
        if (!written) co_return std::unexpected(Failure{written.error()});
    }
    if (!size_ || *size_ == moved_) co_return std::expected<void, Failure>();
    const Error error = fail(Code::incomplete_body, "only " + std::to_string(moved_) + " of " + std::to_string(*size_) + " bytes arrived");
    co_return std::unexpected(Failure{error, false});
}

// Compares what arrived with what the node says it sent, where it says so.
Result<void> ObjectFetch::verify() const {
    if (expected_.empty() || expected_ == checksum_text(checksum_.value())) return {};
    return fail(Code::checksum_mismatch, "the bytes that arrived do not have the object's checksum; get it again");
}

}  // namespace millrace::cli
