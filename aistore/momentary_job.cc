#include "aistore/momentary_job.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "aistore/bucket_identity.h"
#include "aistore/job_view.h"
#include "core/clock.h"

namespace millrace::aistore {
namespace {

using nlohmann::json;

constexpr const char* kMoveKind = "move-bck";
constexpr std::string_view kMove = "move-";
constexpr std::string_view kBucketUid = "bck-";  // how a bucket's uid begins; left out in an id
constexpr std::array<std::string_view, 4> kIdleKinds{"lru", "rebalance", "resilver", "cleanup-store"};
constexpr std::string_view kDigits = "0123456789abcdefghijklmnopqrstuvwxyz";
constexpr std::size_t kTimeDigits = 12;  // of nanoseconds, until the year 2120

std::string time_text(std::int64_t at_unix_ns) {
    std::string text(kTimeDigits, '0');
    for (std::size_t i = kTimeDigits; i-- > 0; at_unix_ns /= 36) text[i] = kDigits[static_cast<std::size_t>(at_unix_ns % 36)];
    return text;
}

std::optional<std::int64_t> parse_time(std::string_view text) {
    if (text.size() != kTimeDigits) return std::nullopt;
    std::int64_t at_unix_ns = 0;
    for (const char c : text) {
        const std::size_t digit = kDigits.find(c);
        if (digit == kDigits.npos) return std::nullopt;
        at_unix_ns = at_unix_ns * 36 + static_cast<std::int64_t>(digit);
    }
    return at_unix_ns;
}

}  // namespace

bool has_nothing_to_do(const std::string& kind) { return std::ranges::find(kIdleKinds, kind) != kIdleKinds.end(); }

std::string momentary_id(const MomentaryJob& job) {
    if (job.kind != kMoveKind) return job.kind + "-" + time_text(job.at_unix_ns);
    const std::size_t known = job.bucket_uid.starts_with(kBucketUid) ? kBucketUid.size() : 0;
    return std::string(kMove) + job.bucket_uid.substr(known) + "-" + time_text(job.at_unix_ns);
}

std::optional<MomentaryJob> parse_momentary_id(const std::string& id) {
    const std::size_t dash = id.rfind('-');
    if (dash == id.npos) return std::nullopt;
    const auto at_unix_ns = parse_time(std::string_view(id).substr(dash + 1));
    const std::string kind = id.substr(0, dash);
    if (!at_unix_ns) return std::nullopt;
    if (has_nothing_to_do(kind)) return MomentaryJob{kind, "", *at_unix_ns};
    if (!kind.starts_with(kMove) || kind.size() == kMove.size()) return std::nullopt;
    return MomentaryJob{kMoveKind, std::string(kBucketUid) + kind.substr(kMove.size()), *at_unix_ns};
}

json momentary_status(const std::string& id, const MomentaryJob& job) {
    return {{"kind", job.kind}, {"uuid", id}, {"err", ""}, {"end_time", job.at_unix_ns}, {"aborted", false}};
}

json momentary_snapshot(const std::string& id, const MomentaryJob& job, const std::string& bucket) {
    json snap = empty_snapshot(id, job.kind);
    snap["start-time"] = snap["end-time"] = rfc3339(job.at_unix_ns);
    if (!bucket.empty()) snap["bck"] = snap["dst-bck"] = bucket_model(bucket);
    return snap;
}

}  // namespace millrace::aistore
