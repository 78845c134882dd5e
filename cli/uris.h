// ais:// addresses as the verbs take them. Pure.
#pragma once
#include "core/names.h"

namespace millrace::cli {

// "ais://BUCKET"; an object behind it is refused.
Result<std::string> bucket_of(const std::string& uri);
// "ais://BUCKET/OBJECT" with a valid name.
Result<ObjectUri> object_of(const std::string& uri);
// The path of an object or a bucket in the HTTP API.
std::string object_path(const ObjectUri& uri);
std::string bucket_path(const std::string& bucket);

}  // namespace millrace::cli
