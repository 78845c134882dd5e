// AIStore's actions on many objects, as the request of a Millrace job. Pure.
//
// etl-bck, copy-bck: whole buckets, into the bucket of the query (`bck_to`). etl-listrange, copy-listrange, delete-listrange:
// a list or a template of names, into the bucket `tobck` of the value. The action becomes the job's `kind`.
#pragma once
#include <string>

#include "aistore/message.h"

namespace millrace::aistore {

bool is_bulk_action(const std::string& action);

// The transforms that the action needs, in order.
Result<std::vector<std::string>> transforms_of(const ActionMessage& message);

// The JSON that scheduler::parse_job_request() takes. What Millrace cannot do is refused rather than left out; what makes no
// difference where there are no remote buckets (`latest-ver`, `force`) is ignored.
Result<std::string> native_job_request(const ActionMessage& message, const std::string& source, const std::string& bucket_to);

}  // namespace millrace::aistore
