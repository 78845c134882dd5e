#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "core/ids.h"
#include "core/names.h"
#include "scheduler/proxy_api.h"
#include "scheduler/target_calls.h"

namespace millrace::scheduler {
namespace {

using nlohmann::json;
constexpr std::size_t kPageDefault = 1000;
constexpr std::size_t kPageMax = 10'000;
constexpr std::uint64_t kSmallObjectDefault = 64 << 10;
constexpr std::uint64_t kSmallObjectMax = 16 << 20;
constexpr std::size_t kBodyMax = 1 << 20;

json parse_or_null(const std::string& text) {
    json document = json::parse(text, nullptr, false);
    return document.is_object() ? document : json();
}

std::string text_field(const json& document, const char* key) {
    const auto found = document.is_object() ? document.find(key) : document.end();
    return document.is_object() && found != document.end() && found->is_string() ? found->get<std::string>() : "";
}

struct ListRequest {
    std::string prefix;
    std::string after;
    std::string uuid;
    std::size_t page = kPageDefault;
};

ListRequest list_request(const http::Request& request, const std::string& body_text) {
    const json body = parse_or_null(body_text);
    const json value = body.is_object() && body.contains("value") ? body["value"] : json();
    ListRequest list;
    list.prefix = value.is_object() ? text_field(value, "prefix") : request.query.get("prefix");
    list.after = value.is_object() ? text_field(value, "continuation_token") : request.query.get("continuation_token");
    list.uuid = value.is_object() ? text_field(value, "uuid") : "";
    std::uint64_t page = 0;
    if (value.is_object() && value.contains("pagesize") && value["pagesize"].is_number_unsigned()) page = value["pagesize"].get<std::uint64_t>();
    const std::string text = request.query.get("pagesize");
    (void)std::from_chars(text.data(), text.data() + text.size(), page);
    if (page == 0) page = value.is_object() ? kPageMax : kPageDefault;
    list.page = std::min<std::uint64_t>(page, kPageMax);
    return list;
}

// The name in "ais/@#/NAME/", as AIStore writes a bucket of the default namespace; anything else as it is.
std::string bucket_of_uname(std::string uname) {
    constexpr std::string_view kDefaultNamespace = "ais/@#/";
    if (uname.starts_with(kDefaultNamespace)) uname.erase(0, kDefaultNamespace.size());
    if (uname.ends_with('/')) uname.pop_back();
    return uname;
}

// AIStore's form of a page (its Python SDK reads no other): single-letter keys, zero values left out.
std::string msgpack_page(const json& entries, const std::string& uuid, const std::string& token) {
    json packed = json::array();
    for (const json& entry : entries) {
        packed.push_back({{"n", entry["name"]}, {"s", entry["size"]}, {"cs", entry["checksum"]}, {"v", std::to_string(entry["version"].get<std::uint64_t>())},
                          {"f", 64}});
    }
    const std::vector<std::uint8_t> bytes = json::to_msgpack({{"UUID", uuid}, {"ContinuationToken", token}, {"Entries", packed}, {"Flags", 0}});
    return {bytes.begin(), bytes.end()};
}

}  // namespace

void BucketApi::add_routes(http::Router& router) {
    using Parameters = http::PathParameters;
    const auto bucket = [](const Parameters& path) -> const std::string& { return path.find("bucket")->second; };
    router.add("GET", "/v1/buckets", [this](http::Request&, http::Response& response, const Parameters&) { return list_buckets(response); });
    router.add("POST", "/v1/buckets/{bucket}", [this, bucket](http::Request& request, http::Response& response, const Parameters& path) {
        return change(request, response, bucket(path));
    });
    router.add("DELETE", "/v1/buckets/{bucket}", [this, bucket](http::Request& request, http::Response& response, const Parameters& path) {
        return destroy(request, response, bucket(path));
    });
    router.add("HEAD", "/v1/buckets/{bucket}", [this, bucket](http::Request&, http::Response& response, const Parameters& path) {
        return head(response, bucket(path));
    });
    router.add("GET", "/v1/buckets/{bucket}", [this, bucket](http::Request& request, http::Response& response, const Parameters& path) {
        return list_objects(request, response, bucket(path));
    });
}

Task<void> BucketApi::change(http::Request& request, http::Response& response, const std::string& bucket) {
    Result<void> outcome;
    const auto body_text = co_await request.read_all(kBodyMax);
    const json body = body_text ? parse_or_null(*body_text) : json();
    std::uint64_t small_max = kSmallObjectDefault;
    const json value = body.is_object() && body.contains("value") ? body["value"] : json();
    if (value.is_object() && value.contains("small_object_max") && value["small_object_max"].is_number_unsigned()) {
        small_max = value["small_object_max"].get<std::uint64_t>();
    }
    if (!body_text) {
        outcome = body_text.error();
    } else if (text_field(body, "action") == "move-bck") {
        outcome = co_await core_.rename_bucket(bucket, bucket_of_uname(request.query.get("bck_to")));
    } else if (text_field(body, "action") != "create-bck") {
        outcome = fail(Code::invalid_argument, "the body must be {\"action\":\"create-bck\"} or {\"action\":\"move-bck\"}; "
                                               "other actions are not supported");
    } else if (small_max > kSmallObjectMax) {
        outcome = fail(Code::invalid_argument, "'small_object_max' must be at most 16777216");
    } else if (auto valid = validate_bucket_name(bucket); !valid) {
        outcome = valid;
    } else {
        outcome = co_await core_.create_bucket(bucket, small_max);
    }
    if (!outcome) {
        (void)co_await response.send_error(outcome.error());
        co_return;
    }
    (void)co_await response.send(200, {}, "");
}

Task<void> BucketApi::destroy(http::Request& request, http::Response& response, const std::string& bucket) {
    const auto body_text = co_await request.read_all(kBodyMax);
    const std::string action = body_text ? text_field(parse_or_null(*body_text), "action") : "";
    Result<void> outcome;
    if (action == "destroy-bck") {
        outcome = co_await core_.destroy_bucket(bucket);
    } else {
        outcome = fail(Code::invalid_argument, "the body must be {\"action\":\"destroy-bck\"}; other actions are not supported");
    }
    if (!outcome) {
        (void)co_await response.send_error(outcome.error());
        co_return;
    }
    (void)co_await response.send(200, {}, "");
}

Task<void> BucketApi::head(http::Response& response, const std::string& bucket) {
    const wire::BucketEntry* entry = core_.catalog().bucket(bucket);
    if (entry == nullptr) {
        (void)co_await response.send_error(unknown_bucket(bucket));
        co_return;
    }
    const json properties{{"provider", "ais"}, {"small_object_max", entry->small_object_bytes_max}, {"created_at", rfc3339(entry->created_unix_ns)}};
    http::Headers headers{{"Ais-Bucket-Props", text_of(properties)}};
    (void)co_await response.send(200, std::move(headers), "");
}

Task<void> BucketApi::list_buckets(http::Response& response) {
    json names = json::array();
    for (const wire::BucketEntry& bucket : core_.catalog().wire().buckets) {
        names.push_back({{"name", bucket.name}, {"provider", "ais"}, {"namespace", {{"uuid", ""}, {"name", ""}}}});
    }
    std::sort(names.begin(), names.end(), [](const json& a, const json& b) { return a["name"] < b["name"]; });
    (void)co_await response.send_json(200, text_of(names));
}

Task<void> BucketApi::list_objects(http::Request& request, http::Response& response, const std::string& bucket) {
    const auto body_text = co_await request.read_all(kBodyMax);
    if (!body_text || core_.catalog().bucket(bucket) == nullptr) {
        (void)co_await response.send_error(body_text ? unknown_bucket(bucket) : body_text.error());
        co_return;
    }
    const ListRequest list = list_request(request, *body_text);
    std::vector<json> entries;
    bool more = false;
    for (const TargetId& target : core_.target_ids()) {
        Query query;
        query.add("bucket", bucket);
        query.add("prefix", list.prefix);
        query.add("after", list.after);
        query.add("limit", std::to_string(list.page));
        auto page = co_await ask_target(core_, target.str(), "/v1/worker/objects", query);
        if (!page) {  // a listing without one target's objects would be a lie
            (void)co_await response.send_error(page.error());
            co_return;
        }
        more = more || !page->value("at_end", true);
        for (json& entry : (*page)["entries"]) {
            entry["target"] = target.str();
            entries.push_back(std::move(entry));
        }
    }
    std::ranges::sort(entries, [](const json& a, const json& b) { return a["name"] < b["name"]; });
    if (entries.size() > list.page) {
        entries.resize(list.page);
        more = true;
    }
    const std::string token = more && !entries.empty() ? entries.back()["name"].get<std::string>() : "";
    const std::string uuid = list.uuid.empty() ? random_id("list-") : list.uuid;
    if (request.headers.find("Accept").value_or("").find("application/msgpack") != std::string_view::npos) {
        http::Headers headers{{"Content-Type", "application/msgpack"}};
        const std::string bytes = msgpack_page(entries, uuid, token);
        (void)co_await response.send(200, std::move(headers), bytes);
        co_return;
    }
    (void)co_await response.send_json(200, text_of({{"uuid", uuid}, {"entries", entries}, {"continuation_token", token}}));
}

}  // namespace millrace::scheduler
