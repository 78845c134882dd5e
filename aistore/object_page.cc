#include "aistore/object_page.h"

#include <algorithm>

#include "aistore/time_layout.h"
#include "core/json_members.h"
#include "http/query_number.h"

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

// As AIStore writes it into one text.
std::string custom_of(const scheduler::ListingEntry& entry) {
    std::string text;
    for (const auto& [key, value] : entry.custom) text += (text.empty() ? "" : " ") + key + ":" + value;
    return "[" + text + "]";
}

// Keys of an entry: of one letter in msgpack, whole words in JSON.
struct Keys {
    const char *name, *flags, *size, *checksum, *version, *atime, *copies, *location, *custom;
};
constexpr Keys kLetterKeys{"n", "f", "s", "cs", "v", "a", "c", "t", "m"};
constexpr Keys kWordKeys{"name", "flags", "size", "checksum", "version", "atime", "copies", "location", "custom-md"};

json entry_of(const scheduler::ListingEntry& entry, const PageRequest& request, const Keys& keys) {
    const auto wants = [&request](const char* property) { return request.props.contains(property); };
    if (entry.folder) return {{keys.name, entry.name}, {keys.flags, kFolder}};
    json fields{{keys.name, entry.name}, {keys.flags, kCached}};
    if (entry.size > 0 && wants("size")) fields[keys.size] = entry.size;
    if (wants("checksum")) fields[keys.checksum] = entry.checksum;
    if (wants("version")) fields[keys.version] = std::to_string(entry.version);
    if (wants("atime")) fields[keys.atime] = in_layout(entry.written_at, request.time_layout);
    if (wants("copies")) fields[keys.copies] = 1;
    if (wants("custom") && !entry.custom.empty()) fields[keys.custom] = custom_of(entry);
    if (wants("location") || wants("target_url") || wants("node")) fields[keys.location] = "t[" + entry.target + "]";
    return fields;
}

json entries_of(const scheduler::Listing& listing, const PageRequest& request, const Keys& keys) {
    json entries = json::array();
    for (const scheduler::ListingEntry& entry : listing.entries) entries.push_back(entry_of(entry, request, keys));
    return entries;
}

// Go's encoder puts a size into a text here, which another number is not.
json aistores_page(const scheduler::Listing& listing, const PageRequest& request) {
    json entries = entries_of(listing, request, kWordKeys);
    for (json& entry : entries) {
        if (entry.contains(kWordKeys.size)) entry[kWordKeys.size] = json_text(entry[kWordKeys.size]);
    }
    return {{"uuid", request.uuid}, {"entries", std::move(entries)}, {"continuation_token", listing.next}, {"flags", 0}};
}

json own_page(const scheduler::Listing& listing, const PageRequest& request) {
    json entries = json::array();
    for (const scheduler::ListingEntry& entry : listing.entries) {
        if (entry.folder) {
            entries.push_back({{"name", entry.name}, {"folder", true}});
            continue;
        }
        entries.push_back({{"name", entry.name}, {"size", entry.size}, {"checksum", entry.checksum}, {"version", entry.version},
                           {"written_at", entry.written_at}, {"target", entry.target}});
    }
    return {{"uuid", request.uuid}, {"entries", std::move(entries)}, {"continuation_token", listing.next}};
}

}  // namespace

Result<PageRequest> parse_page_request(const ActionMessage& message, const Query& query, const std::string& bucket) {
    PageRequest request;
    request.listing.bucket = bucket;
    request.props = {"name", "size", "cached"};
    if (!message.value.is_object()) {
        request.listing.prefix = query.get("prefix");
        request.listing.after = query.get("continuation_token", query.get("start_after"));
        MILLRACE_TRY_ASSIGN(const std::optional<std::uint64_t> wanted, http::query_number(query, "pagesize"));
        request.listing.entries_max = static_cast<std::size_t>(std::min<std::uint64_t>(wanted.value_or(kPageDefault), kPageMax));
        return request;
    }
    request.is_aistores = true;
    const Fields fields(message.value);
    MILLRACE_TRY_ASSIGN(request.listing.prefix, fields.text("prefix"));
    MILLRACE_TRY_ASSIGN(request.listing.target, fields.text("target"));
    MILLRACE_TRY_ASSIGN(request.listing.after, fields.text("continuation_token"));
    MILLRACE_TRY_ASSIGN(std::string start_after, fields.text("start_after"));  // of the first page
    if (request.listing.after.empty()) request.listing.after = std::move(start_after);
    MILLRACE_TRY_ASSIGN(request.uuid, fields.text("uuid"));
    MILLRACE_TRY_ASSIGN(const std::string props, fields.text("props"));
    if (!props.empty()) request.props = words(props);
    MILLRACE_TRY_ASSIGN(request.time_layout, fields.text("time_format"));
    if (request.time_layout.empty()) request.time_layout = kDefaultLayout;
    MILLRACE_TRY_ASSIGN(const std::int64_t wanted, fields.number("pagesize"));
    if (wanted < 0) return fail(Code::invalid_argument, "'pagesize' must not be negative; 0 is as many as there may be");
    request.listing.entries_max = wanted == 0 ? kPageMax : static_cast<std::size_t>(std::min<std::int64_t>(wanted, kPageMax));
    MILLRACE_TRY_ASSIGN(const std::int64_t flags, fields.number("flags"));
    MILLRACE_TRY(read_flags(flags, request));
    request.listing.with_custom = request.props.contains("custom");
    return request;
}

std::string msgpack_page(const scheduler::Listing& listing, const PageRequest& request) {
    json entries = entries_of(listing, request, kLetterKeys);
    const std::vector<std::uint8_t> bytes =
        json::to_msgpack({{"UUID", request.uuid}, {"ContinuationToken", listing.next}, {"Entries", std::move(entries)}, {"Flags", 0}});
    return {bytes.begin(), bytes.end()};
}

std::string json_page(const scheduler::Listing& listing, const PageRequest& request) {
    return json_text(request.is_aistores ? aistores_page(listing, request) : own_page(listing, request));
}

}  // namespace millrace::aistore
