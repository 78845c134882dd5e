#include "aistore/bucket_identity.h"

#include "aistore/message.h"
#include "core/names.h"

namespace millrace::aistore {

using nlohmann::json;

namespace {

Result<void> check_identity(const std::string& provider, const std::string& space, const std::string& bucket) {
    if (provider != "ais" && !provider.empty()) {
        return fail(Code::not_found, "bucket \"" + provider + "://" + bucket + "\" does not exist: only buckets of the provider 'ais' are kept here");
    }
    if (!space.empty() && space != "@#") {
        return fail(Code::not_found, "bucket \"ais://" + bucket + "\" of namespace " + space + " does not exist: there are no namespaces here");
    }
    return {};
}

}  // namespace

Result<void> check_provider(const Query& query, const std::string& bucket) {
    return check_identity(query.get("provider"), query.get("namespace"), bucket);
}

Result<std::string> bucket_of_path(std::string_view path) {
    if (path.ends_with('/')) path.remove_suffix(1);
    if (!path.empty() && path.find('/') == std::string_view::npos) {
        MILLRACE_TRY(validate_bucket_name(path));
        return std::string(path);
    }
    const std::size_t first = path.find('/');
    const std::size_t last = path.rfind('/');
    if (first == std::string_view::npos || first == last) {
        return fail(Code::invalid_argument, "'" + std::string(path) + "' does not name a bucket as ais/@#/NAME/");
    }
    std::string bucket(path.substr(last + 1));
    MILLRACE_TRY(check_identity(std::string(path.substr(0, first)), std::string(path.substr(first + 1, last - first - 1)), bucket));
    MILLRACE_TRY(validate_bucket_name(bucket));
    return bucket;
}

Result<std::string> bucket_of_model(const json& model) {
    const Fields fields(model);
    MILLRACE_TRY_ASSIGN(std::string bucket, fields.text("name"));
    MILLRACE_TRY_ASSIGN(const std::string provider, fields.text("provider"));
    const json* space = fields.find("namespace");
    const json nowhere = json::object();
    const Fields parts(space == nullptr ? nowhere : *space);
    MILLRACE_TRY_ASSIGN(const std::string uuid, parts.text("uuid"));
    MILLRACE_TRY_ASSIGN(const std::string name, parts.text("name"));
    MILLRACE_TRY(check_identity(provider, "@" + uuid + "#" + name, bucket));
    MILLRACE_TRY(validate_bucket_name(bucket));
    return bucket;
}

json bucket_model(const std::string& bucket) {
    return {{"name", bucket}, {"provider", bucket.empty() ? "" : "ais"}, {"namespace", {{"uuid", ""}, {"name", ""}}}};
}

}  // namespace millrace::aistore
