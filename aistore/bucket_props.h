// The properties of a bucket, as AIStore's clients read and set them. Pure.
//
// All of AIStore's are there, since its command reads them whatever it shows; what there is no choice of here has the one value that is true.
// Setting one to that value changes nothing; any other value is refused, so that nobody believes in a mirror that is not there.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "core/result.h"
#include "wire/messages.h"

namespace millrace::aistore {

nlohmann::json bucket_props(const wire::BucketEntry& bucket);
// Of all buckets: what=bmd.
std::string bucket_metadata(const wire::Catalog& catalog, const std::string& cluster_id);

// Whether every value that is wanted, an object of objects as in set-bprops, is what the document has anyway. Code::invalid_argument names
// the first that is not, or that nobody knows. What is null is not wanted.
Result<void> check_wanted(const nlohmann::json& wanted, const nlohmann::json& document);
// The same of one value that came as text, such as that of "log.level".
Result<void> check_wanted(const std::string& path, const std::string& wanted, const nlohmann::json& document);

}  // namespace millrace::aistore
