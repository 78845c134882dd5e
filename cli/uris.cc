#include "cli/uris.h"

#include "core/uri.h"

namespace millrace::cli {

Result<std::string> bucket_of(const std::string& uri) {
    MILLRACE_TRY_ASSIGN(const ObjectUri parsed, parse_object_uri(uri));
    if (!parsed.object.empty()) {
        return fail(Code::invalid_argument,
                    "'" + uri + "' names an object; give the bucket alone: ais://" + parsed.bucket);
    }
    return parsed.bucket;
}

Result<ObjectUri> object_of(const std::string& uri) {
    MILLRACE_TRY_ASSIGN(ObjectUri parsed, parse_object_uri(uri));
    if (parsed.object.empty()) return fail(Code::invalid_argument, "'" + uri + "' names a bucket, not an object");
    MILLRACE_TRY(validate_object_name(parsed.object));
    return parsed;
}

std::string object_path(const ObjectUri& uri) {
    return "/v1/objects/" + percent_encode(uri.bucket) + "/" + encode_object_path(uri.object);
}

std::string bucket_path(const std::string& bucket) { return "/v1/buckets/" + percent_encode(bucket); }

}  // namespace millrace::cli
