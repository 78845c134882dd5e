// Buckets as AIStore's clients read them: their list and summary, and the id under which a summary is asked for. Pure.
#pragma once
#include <string>
#include <vector>

#include "scheduler/listing.h"
#include "wire/messages.h"

namespace millrace::aistore {

// name: of the only one that is wanted; empty: of all. In order of their names.
std::vector<std::string> bucket_names(const wire::Catalog& catalog, const std::string& name);
std::string bucket_list(const std::vector<std::string>& names);
// disk_bytes: of all disks of the cluster together; 0: not known.
std::string bucket_summary(const std::string& bucket, const scheduler::BucketSummary& sum, std::uint64_t disk_bytes);

// AIStore's clients begin a summary, get an id, and ask again with the id alone. There is nothing to wait for here, so the id
// says all that the second request must know, and no state is kept. Letters, digits and '-' only.
std::string summary_id(const std::string& prefix);
// The prefix in a summary's id. Code::not_found for an id that is not one.
Result<std::string> summary_prefix(const std::string& id);

}  // namespace millrace::aistore
