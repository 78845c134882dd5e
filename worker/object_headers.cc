#include "worker/object_headers.h"

#include <algorithm>
#include <array>
#include <set>

#include "core/hash.h"
#include "core/uri.h"
#include "core/whole_number.h"
#include "http/date.h"
#include "worker/job_headers.h"

namespace millrace::worker {
namespace {

std::int64_t modified_seconds(const store::ObjectInfo& info) { return info.written_unix_ns / 1'000'000'000; }

// What every client reads out of a header as it was put in.
bool is_plain(std::string_view text) {
    return !text.starts_with(' ') && !text.ends_with(' ') && std::ranges::all_of(text, [](unsigned char c) { return c >= ' ' && c < 127; });
}

std::string_view trimmed(std::string_view text) {
    while (text.starts_with(' ')) text.remove_prefix(1);
    while (text.ends_with(' ')) text.remove_suffix(1);
    return text;
}

// "k=v, k=v"
Result<void> add_custom(std::string_view text, CustomMetadata& custom) {
    while (!text.empty()) {
        const std::size_t comma = std::min(text.find(','), text.size());
        const std::string_view entry = trimmed(text.substr(0, comma));
        text.remove_prefix(std::min(comma + 1, text.size()));
        const std::size_t equals = entry.find('=');
        if (equals == entry.npos) return fail(Code::invalid_argument, "Ais-Custom-Md must be KEY=VALUE, KEY=VALUE; '" + std::string(entry) + "' has no '='");
        custom.insert_or_assign(std::string(entry.substr(0, equals)), std::string(entry.substr(equals + 1)));
    }
    return {};
}

}  // namespace

std::string entity_tag(const store::ObjectInfo& info) { return '"' + std::to_string(info.version) + '-' + checksum_text(info.checksum) + '"'; }

http::Validators validators_of(const store::ObjectInfo& info) { return {entity_tag(info), modified_seconds(info)}; }

http::Headers validator_headers(const store::ObjectInfo& info) {
    return {{"Accept-Ranges", "bytes"}, {"ETag", entity_tag(info)}, {"Last-Modified", http::date_text(modified_seconds(info))}};
}

Error unfulfilled(std::string_view header) {
    return fail(Code::conflict, "the object is not in the state that " + std::string(header) + " demands; look at what it is by now, with a HEAD");
}

http::Headers object_headers(const store::ObjectInfo& info, const TargetId& self) {
    http::Headers headers = validator_headers(info);
    headers.add("Content-Type", "application/octet-stream");
    headers.add("Ais-Checksum-Type", "xxhash2");
    headers.add("Ais-Checksum-Value", checksum_text(info.checksum));
    headers.add("Ais-Version", std::to_string(info.edition));
    headers.add("Ais-Atime", std::to_string(info.written_unix_ns));
    for (const auto& [key, value] : info.custom) headers.add("Ais-Custom-Md", key + "=" + value);  // one each: clients in Go read no other form
    if (info.parts) {
        headers.add("Ais-Chunks-Count", std::to_string(info.parts->count));
        headers.add("Ais-Chunks-Max-Chunk-Size", std::to_string(info.parts->size_max));
    }
    if (info.provenance) {
        add_job_headers(headers, {JobId(info.provenance->job), self, 0, *info.provenance});
        headers.set("Millrace-Source", "ais://" + info.provenance->source_bucket + "/" + std::string(*headers.find("Millrace-Source-Name")));
    }
    return headers;
}

void add_place_headers(http::Headers& headers, const TargetId& self, const std::string& bucket, const std::string& name) {
    if (is_plain(name)) headers.add("Ais-Name", name);
    headers.add("Ais-Bucket-Name", bucket);
    headers.add("Ais-Bucket-Provider", "ais");
    headers.add("Ais-Location", "t[" + self.str() + "]");
    headers.add("Ais-Mirror-Copies", "1");
    headers.add("Ais-Present", "true");
}

Result<void> keep_properties(http::Headers& headers, std::string_view list) {
    // Names and sizes are always said, and of erasure coding there is nothing to say.
    constexpr std::array<std::pair<std::string_view, std::string_view>, 16> kHeaders{
        {{"name", ""}, {"size", ""}, {"ec", ""}, {"cached", ""}, {"status", ""},
         {"checksum", "Ais-Checksum-Type"}, {"checksum", "Ais-Checksum-Value"}, {"atime", "Ais-Atime"},
         {"version", "Ais-Version"}, {"custom", "Ais-Custom-Md"}, {"last-modified", "Last-Modified"}, {"etag", "ETag"}, {"location", "Ais-Location"},
         {"copies", "Ais-Mirror-Copies"}, {"chunked", "Ais-Chunks-Count"}, {"chunked", "Ais-Chunks-Max-Chunk-Size"}}};
    std::set<std::string_view> wanted;
    for (std::string_view rest = list; !rest.empty();) {
        const std::size_t comma = std::min(rest.find(','), rest.size());
        const std::string_view property = trimmed(rest.substr(0, comma));
        rest.remove_prefix(std::min(comma + 1, rest.size()));
        if (property.empty()) continue;
        if (std::ranges::find(kHeaders, property, &std::pair<std::string_view, std::string_view>::first) == kHeaders.end()) {
            return fail(Code::invalid_argument, "'" + std::string(property) + "' is no property of an object; known: name, size, checksum, atime, version, "
                                                "custom, cached, status, last-modified, etag, location, copies, chunked, ec");
        }
        wanted.insert(property);
    }
    if (wanted.empty()) return {};
    http::Headers kept;
    for (const auto& [header, value] : headers) {
        const auto property = std::ranges::find(kHeaders, header, &std::pair<std::string_view, std::string_view>::second);
        if (property == kHeaders.end() || wanted.contains(property->first)) kept.add(header, value);
    }
    headers = std::move(kept);
    return {};
}

Result<ExpectedContent> expected_content(const http::Headers& headers) {
    constexpr std::array<std::pair<std::string_view, std::size_t>, 6> kHexDigits{
        {{"xxhash2", 16}, {"xxhash", 16}, {"crc32c", 8}, {"md5", 32}, {"sha256", 64}, {"sha512", 128}}};
    const std::string kind(headers.find("Ais-Checksum-Type").value_or("xxhash2"));
    std::string hex(headers.find("Ais-Checksum-Value").value_or(""));
    if (kind == "none") return ExpectedContent{};
    const auto known = std::ranges::find(kHexDigits, kind, &std::pair<std::string_view, std::size_t>::first);
    if (known == kHexDigits.end()) {
        return fail(Code::invalid_argument, "checksum type '" + kind + "' is not known; send xxhash2, xxhash, crc32c, md5, sha256, sha512 or none");
    }
    if (hex.empty()) return ExpectedContent{};
    for (char& c : hex) c = c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
    if (hex.size() != known->second || hex.find_first_not_of("0123456789abcdef") != std::string::npos) {
        return fail(Code::invalid_argument, "Ais-Checksum-Value of type " + kind + " must be " + std::to_string(known->second) + " hex digits");
    }
    ExpectedContent expected;
    if (kind.starts_with("xxhash")) expected.checksum = parse_whole<std::uint64_t>(hex, 16);
    else expected.digest = ExpectedContent::Digest{kind, std::move(hex)};
    return expected;
}

Result<CustomMetadata> custom_metadata(const http::Headers& headers) {
    CustomMetadata custom;
    if (const auto exact = headers.find("Millrace-Custom-Md")) {
        MILLRACE_TRY_ASSIGN(const Query items, Query::parse(*exact));
        custom.insert(items.items().begin(), items.items().end());
        return custom;
    }
    for (const auto& [name, value] : headers) {
        if (http::equal_without_case(name, "Ais-Custom-Md")) MILLRACE_TRY(add_custom(value, custom));
    }
    return custom;
}

std::string exact_custom_text(const CustomMetadata& custom) {
    Query items;
    for (const auto& [key, value] : custom) items.add(key, value);
    return items.text();
}

}  // namespace millrace::worker
