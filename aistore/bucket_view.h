// Buckets as AIStore's clients read them: properties and summary, and the id under which a summary is asked for. Pure.
#pragma once
#include <string>

#include "scheduler/listing.h"
#include "wire/messages.h"

namespace millrace::aistore {

std::string bucket_properties(const wire::BucketEntry& bucket);
// All of them, or the one of the name, if there is one.
std::string bucket_list(const wire::Catalog& catalog, const std::string& name);
std::string bucket_summary(const std::string& bucket, const scheduler::BucketSummary& sum);

// AIStore's clients begin a summary, get an id, and ask again with the id alone. There is nothing to wait for here, so the id
// says all that the second request must know, and no state is kept.
std::string summary_id(const std::string& prefix);
// The prefix in a summary's id. Code::not_found for an id that is not one.
Result<std::string> summary_prefix(const std::string& id);

}  // namespace millrace::aistore
