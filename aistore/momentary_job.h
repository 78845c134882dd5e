// Jobs of AIStore's that are over when the request for them is answered: the renaming of a bucket, and what AIStore starts by hand
// and which has nothing to do here. No state is kept: the id says which, of what, and when. Pure.
#pragma once
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace millrace::aistore {

struct MomentaryJob {
    std::string kind;
    std::string bucket_uid;  // of the bucket that was renamed
    std::int64_t at_unix_ns = 0;
};

// Whether a job of this kind may be started by hand, without anything that it is to work on: nothing is evicted or left over here, and objects
// do not move.
bool has_nothing_to_do(const std::string& kind);

// Letters, digits and '-' only, beginning with a letter, 9 to 31 of them: AIStore's clients take no other id.
std::string momentary_id(const MomentaryJob& job);
// nullopt for an id that is not of such a job.
std::optional<MomentaryJob> parse_momentary_id(const std::string& id);

nlohmann::json momentary_status(const std::string& id, const MomentaryJob& job);
// bucket: the name that it has now; empty of a job that is about none.
nlohmann::json momentary_snapshot(const std::string& id, const MomentaryJob& job, const std::string& bucket);

}  // namespace millrace::aistore
