#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/document.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/session.h"
#include "cli/uris.h"
#include "cli/verbs.h"
#include "core/units.h"
#include "core/uri.h"

namespace millrace::cli {
namespace {

using nlohmann::json;

int say_done(Context& context, const std::string& bucket, std::string_view what) {
    if (context.json) {
        print_json(context.console.out, json{{"bucket", bucket}, {what, true}});
    } else {
        context.console.out << what << " ais://" << bucket << '\n';
    }
    return kExitDone;
}

// The answer comes when every online target has carried it out, which --timeout bounds.
int change_bucket(Context& context, const std::string& what, Call call, const Waiting& waiting) {
    if (!waiting.timeout.empty()) {
        const auto time_max = parse_duration(waiting.timeout);
        if (!time_max) return context.fail(what + ": --timeout", time_max.error());
        call.time_max = *time_max;
    }
    const Instant deadline = steady_now() + call.time_max;
    const auto done = run_blocking(context.session.loop(), context.session.fetch(std::move(call)));
    if (done) return kExitDone;
    if (waiting.timeout.empty() || steady_now() < deadline) return context.fail(what, done.error());
    report(context.console, what, "not done on every target after " + waiting.timeout + "; it goes on", "see: millrace cluster show");
    return kExitTimedOut;
}

Call bucket_call(std::string method, std::string target, const json& body) {
    Call call;
    call.method = std::move(method);
    call.target = std::move(target);
    call.headers = {{"Content-Type", "application/json"}};
    call.body = text_body(json_line(body));
    return call;
}

}  // namespace

int run(Context& context, const BucketCreate& verb) {
    const auto bucket = bucket_of(verb.bucket);
    if (!bucket) return context.fail("bucket create", bucket.error());
    json body{{"action", "create-bck"}};
    if (!verb.small_object_max.empty()) {
        const auto size = parse_size(verb.small_object_max);
        if (!size) return context.fail("bucket create: --small-object-max", size.error());
        body["value"] = {{"small_object_max", *size}};
    }
    const auto made = context.session.send("POST", bucket_path(*bucket), body);
    if (!made) return context.fail("bucket create " + verb.bucket, made.error());
    return say_done(context, *bucket, "created");
}

int run(Context& context, const BucketList&) {
    const auto buckets = context.session.list("/v1/buckets");
    if (!buckets) return context.fail("bucket ls", buckets.error());
    if (context.json) {
        print_json(context.console.out, *buckets);
        return kExitDone;
    }
    for (const json& bucket : *buckets) {
        context.console.out << text_of(bucket, "provider", "ais") << "://" << clean_text(text_of(bucket, "name")) << '\n';
    }
    return kExitDone;
}

int run(Context& context, const BucketRemove& verb) {
    const auto bucket = bucket_of(verb.bucket);
    if (!bucket) return context.fail("bucket rm", bucket.error());
    Call call = bucket_call("DELETE", bucket_path(*bucket), {{"action", "destroy-bck"}});
    const int status = change_bucket(context, "bucket rm " + verb.bucket, std::move(call), verb.waiting);
    return status == kExitDone ? say_done(context, *bucket, "removed") : status;
}

int run(Context& context, const BucketMove& verb) {
    const auto from = bucket_of(verb.from);
    const auto to = bucket_of(verb.to);
    if (!from || !to) return context.fail("bucket mv", from ? to.error() : from.error());
    Query query;
    query.add("bck_to", "ais/@#/" + *to + "/");
    Call call = bucket_call("POST", bucket_path(*from) + "?" + query.text(), {{"action", "move-bck"}});
    const int status = change_bucket(context, "bucket mv " + verb.from, std::move(call), verb.waiting);
    return status == kExitDone ? say_done(context, *to, "renamed") : status;
}

int run(Context& context, const BucketHead& verb) {
    const auto bucket = bucket_of(verb.bucket);
    if (!bucket) return context.fail("bucket head", bucket.error());
    Call call;
    call.method = "HEAD";
    call.target = bucket_path(*bucket);
    const auto reply = run_blocking(context.session.loop(), context.session.fetch(std::move(call)));
    if (!reply) {
        const bool missing = reply.error().code == Code::not_found;  // a HEAD reply cannot say what is
        return context.fail("bucket head", missing
                                               ? fail(Code::not_found, "bucket \"" + verb.bucket + "\" does not exist")
                                               : reply.error());
    }
    auto properties = parse_json(reply->headers.find("Ais-Bucket-Props").value_or(""));
    if (!properties) return context.fail("bucket head " + verb.bucket, properties.error());
    if (!properties->is_object()) *properties = json::object();
    const auto sum = context.session.get(bucket_path(*bucket) + "?summary");
    if (!sum) return context.fail("bucket head " + verb.bucket + ": counting its objects", sum.error());
    (*properties)["objects"] = count_of(*sum, "objects");
    (*properties)["bytes"] = count_of(*sum, "bytes");
    (*properties)["targets"] = member(*sum, "targets");
    if (context.json) {
        (*properties)["name"] = *bucket;
        print_json(context.console.out, *properties);
        return kExitDone;
    }
    std::vector<std::pair<std::string, std::string>> fields{{"name", *bucket}};
    for (const auto& [key, value] : properties->items()) {
        fields.emplace_back(clean_text(key), value.is_string() ? value.get<std::string>() : json_line(value));
    }
    print_fields(context.console.out, fields);
    std::map<std::string, std::uint64_t> shares;
    for (const auto& [target, objects] : member(*sum, "targets").items()) shares[target] = objects.is_number_unsigned() ? objects.get<std::uint64_t>() : 0;
    if (const std::string skewed = skew_of(shares); !skewed.empty()) context.console.out << "note: " << skewed << '\n';
    return kExitDone;
}

}  // namespace millrace::cli
