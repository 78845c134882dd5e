#include "aistore/object_page.h"

#include <algorithm>

#include "core/json_members.h"
#include "core/whole_number.h"

namespace millrace::aistore {
namespace {

using nlohmann::json;

constexpr std::size_t kPageDefault = 1000;  // of a request without a message; with one it is the most
constexpr std::size_t kPageMax = 10'000;

// Of a request: positions of bits.
constexpr int kArchiveFolders = 3, kNameOnly = 4, kNameAndSize = 5, kNotCached = 9, kNoRecursion = 11, kDifference = 12, kInventory = 15;
// Of an entry.
constexpr unsigned kCached = 1 << 6, kFolder = 1 << 8;

std::set<std::string> words(const std::string& list) {
    std::set<std::string> found;
    for (std::size_t from = 0; from <= list.size();) {
        const std::size_t comma = std::min(list.find(',', from), list.size());
        std::string word = list.substr(from, comma - from);
        std::erase(word, ' ');
        if (!word.empty()) found.insert(std::move(word));
        from = comma + 1;
    }
    return found;
}

Result<void> read_flags(std::int64_t flags, PageRequest& request) {
    const auto is_set = [flags](int bit) { return (flags >> bit & 1) != 0; };
    if (is_set(kArchiveFolders)) return fail(Code::invalid_argument, "the content of archives is not listed here; drop the flag ARCH_DIR");
    if (is_set(kInventory)) return fail(Code::invalid_argument, "there are no bucket inventories here: listings are always current; drop the flag NBI");
    for (const auto& [bit, name] : {std::pair(kNotCached, "NOT_CACHED"), std::pair(kDifference, "DIFF")}) {
        if (!is_set(bit)) continue;
        return fail(Code::invalid_argument, std::string("the flag ") + name + " is about remote buckets, and all objects of this one are here; drop it");
    }
    request.listing.folded = is_set(kNoRecursion);  // NO_DIRS is about remote buckets, too: folders are in the listing all the same
    if (is_set(kNameOnly)) request.props = {"name"};
    if (is_set(kNameAndSize)) request.props = {"name", "size"};
    return {};
}

std::size_t page_size(std::int64_t wanted, std::size_t fallback) {
    if (wanted <= 0) return fallback;
    return std::min<std::size_t>(static_cast<std::size_t>(wanted), kPageMax);
}

json packed(const scheduler::ListingEntry& entry, const std::set<std::string>& props) {
    if (entry.folder) return {{"n", entry.name}, {"f", kFolder}};
    json fields{{"n", entry.name}, {"f", kCached}};
    if (entry.size > 0 && props.contains("size")) fields["s"] = entry.size;
    if (props.contains("checksum")) fields["cs"] = entry.checksum;
    if (props.contains("version")) fields["v"] = std::to_string(entry.version);
    if (props.contains("atime")) fields["a"] = entry.written_at;
    if (props.contains("copies")) fields["c"] = 1;
    if (props.contains("location") || props.contains("target_url") || props.contains("node")) fields["t"] = "t[" + entry.target + "]";
    return fields;
}

}  // namespace

Result<PageRequest> parse_page_request(const ActionMessage& message, const Query& query, const std::string& bucket) {
    PageRequest request;
    request.listing.bucket = bucket;
    request.props = {"name", "size", "cached"};
    if (!message.value.is_object()) {
        request.listing.prefix = query.get("prefix");
        request.listing.after = query.get("continuation_token", query.get("start_after"));
        request.listing.entries_max = page_size(parse_whole<std::int64_t>(query.get("pagesize")).value_or(0), kPageDefault);
        return request;
    }
    const Fields fields(message.value);
    MILLRACE_TRY_ASSIGN(request.listing.prefix, fields.text("prefix"));
    MILLRACE_TRY_ASSIGN(request.listing.target, fields.text("target"));
    MILLRACE_TRY_ASSIGN(request.listing.after, fields.text("continuation_token"));
    MILLRACE_TRY_ASSIGN(std::string start_after, fields.text("start_after"));  // of the first page
    if (request.listing.after.empty()) request.listing.after = std::move(start_after);
    MILLRACE_TRY_ASSIGN(request.uuid, fields.text("uuid"));
    MILLRACE_TRY_ASSIGN(const std::string props, fields.text("props"));
    if (!props.empty()) request.props = words(props);
    MILLRACE_TRY_ASSIGN(const std::int64_t wanted, fields.number("pagesize"));
    request.listing.entries_max = page_size(wanted, kPageMax);
    MILLRACE_TRY_ASSIGN(const std::int64_t flags, fields.number("flags"));
    MILLRACE_TRY(read_flags(flags, request));
    return request;
}

std::string msgpack_page(const scheduler::Listing& listing, const PageRequest& request) {
    json entries = json::array();
    for (const scheduler::ListingEntry& entry : listing.entries) entries.push_back(packed(entry, request.props));
    const std::vector<std::uint8_t> bytes =
        json::to_msgpack({{"UUID", request.uuid}, {"ContinuationToken", listing.next}, {"Entries", std::move(entries)}, {"Flags", 0}});
    return {bytes.begin(), bytes.end()};
}

std::string json_page(const scheduler::Listing& listing, const PageRequest& request) {
    json entries = json::array();
    for (const scheduler::ListingEntry& entry : listing.entries) {
        if (entry.folder) {
            entries.push_back({{"name", entry.name}, {"folder", true}});
            continue;
        }
        entries.push_back({{"name", entry.name}, {"size", entry.size}, {"checksum", entry.checksum}, {"version", entry.version},
                           {"written_at", entry.written_at}, {"target", entry.target}});
    }
    return json_text({{"uuid", request.uuid}, {"entries", std::move(entries)}, {"continuation_token", listing.next}});
}

}  // namespace millrace::aistore
