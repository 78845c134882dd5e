#include "aistore/object_page.h"

#include <algorithm>
#include <concepts>
#include <msgpack.hpp>

#include "aistore/time_layout.h"
#include "core/clock.h"
#include "core/hash.h"
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
std::string custom_of(const wire::ListedRow& object) {
    std::string text = "[";
    wire::for_each_custom(object.custom, [&text](std::string_view key, std::string_view value) {
        if (text.size() > 1) text += ' ';
        text.append(key).append(1, ':').append(value);
    });
    return text + "]";
}

// Keys of an entry: of one letter in msgpack, whole words in JSON.
struct Keys {
    const char *name, *flags, *size, *checksum, *version, *atime, *copies, *location, *custom;
};
constexpr Keys kLetterKeys{"n", "f", "s", "cs", "v", "a", "c", "t", "m"};
constexpr Keys kWordKeys{"name", "flags", "size", "checksum", "version", "atime", "copies", "location", "custom-md"};

// The properties of an entry that AIStore's forms have, looked up once for all entries.
struct Wanted {
    explicit Wanted(const PageRequest& request)
        : size(request.props.contains("size")), checksum(request.props.contains("checksum")), version(request.props.contains("version")),
          atime(request.props.contains("atime")), copies(request.props.contains("copies")), custom(request.props.contains("custom")),
          location(request.props.contains("location") || request.props.contains("target_url") || request.props.contains("node")),
          time_layout(request.time_layout) {}
    bool size, checksum, version, atime, copies, custom, location;
    std::string_view time_layout;
};

// put(key, value): of each field, a number or a text. Zero values are left out.
template <class Put>
void put_fields(const scheduler::ListingEntry& entry, const Wanted& wanted, const Keys& keys, const Put& put) {
    const wire::ListedRow& object = entry.object;
    put(keys.name, object.name);
    put(keys.flags, object.folder ? kFolder : kCached);
    if (object.folder) return;
    if (object.size > 0 && wanted.size) put(keys.size, object.size);
    if (wanted.checksum) put(keys.checksum, checksum_text(object.checksum));
    if (wanted.version) put(keys.version, std::to_string(object.version));
    if (wanted.atime) put(keys.atime, in_layout(rfc3339(object.written_unix_ns), wanted.time_layout));
    if (wanted.copies) put(keys.copies, 1u);
    if (wanted.custom && !object.custom.empty()) put(keys.custom, custom_of(object));
    if (wanted.location) put(keys.location, "t[" + std::string(entry.target) + "]");
}

// Into a text, without anything between: a page has thousands of entries.
class Packer {
public:
    void put(std::string_view text) {
        const auto bytes = static_cast<std::uint32_t>(text.size());
        packer_.pack_str(bytes).pack_str_body(text.data(), bytes);
    }
    void put(std::uint64_t number) { packer_.pack(number); }
    void put(const std::invocable auto& whatever) { whatever(); }
    void array(std::size_t items) { packer_.pack_array(static_cast<std::uint32_t>(items)); }
    // What add puts, as a map of up to 15 pairs.
    void small_map(const auto& add) {
        const std::size_t head = stream_.text.size();
        stream_.text += '\0';
        unsigned pairs = 0;
        add([this, &pairs](std::string_view key, const auto& value) {
            put(key);
            put(value);
            ++pairs;
        });
        stream_.text[head] = static_cast<char>(0x80 | pairs);
    }
    std::string& text() { return stream_.text; }

private:
    struct Stream {
        std::string text;
        void write(const char* bytes, std::size_t count) { text.append(bytes, count); }
    };
    Stream stream_;
    msgpack::packer<Stream> packer_{stream_};
};

// Go's encoder puts a size into a text here, which another number is not.
json aistores_page(const scheduler::Listing& listing, const PageRequest& request) {
    const Wanted wanted(request);
    json entries = json::array();
    for (const scheduler::ListingEntry& entry : listing.entries) {
        json& fields = entries.emplace_back(json::object());
        put_fields(entry, wanted, kWordKeys, [&fields](const char* key, const auto& value) { fields[key] = value; });
        if (fields.contains(kWordKeys.size)) fields[kWordKeys.size] = json_text(fields[kWordKeys.size]);
    }
    return {{"uuid", request.uuid}, {"entries", std::move(entries)}, {"continuation_token", listing.next}, {"flags", 0}};
}

// Names have nothing to be escaped in them, mostly.
void append_quoted(std::string& text, std::string_view name) {
    const bool is_plain = std::ranges::all_of(name, [](char c) { return c >= ' ' && c < 0x7f && c != '"' && c != '\\'; });
    text += is_plain ? '"' + std::string(name) + '"' : json_text(name);
}

// Written as it goes, without a document in between.
std::string own_page(const scheduler::Listing& listing, const PageRequest& request) {
    std::string text = R"({"continuation_token":)" + json_text(listing.next) + R"(,"entries":[)";
    for (const auto& [object, target] : listing.entries) {
        if (text.back() == '}') text += ',';
        text += R"({"name":)";
        append_quoted(text, object.name);
        if (object.folder) {
            text += R"(,"folder":true})";
            continue;
        }
        text.append(R"(,"size":)").append(std::to_string(object.size));
        text.append(R"(,"checksum":")").append(checksum_text(object.checksum));
        text.append(R"(","version":)").append(std::to_string(object.version));
        text.append(R"(,"written_at":")").append(rfc3339(object.written_unix_ns));
        text.append(R"(","target":)");
        append_quoted(text, target);
        text += '}';
    }
    return text + R"(],"uuid":)" + json_text(request.uuid) + "}";
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
    const Wanted wanted(request);
    Packer page;
    page.small_map([&](const auto& put) {
        put("ContinuationToken", listing.next);
        put("Entries", [&] {
            page.array(listing.entries.size());
            for (const scheduler::ListingEntry& entry : listing.entries) {
                page.small_map([&](const auto& put_field) { put_fields(entry, wanted, kLetterKeys, put_field); });
            }
        });
        put("Flags", 0u);
        put("UUID", request.uuid);
    });
    return std::move(page.text());
}

std::string json_page(const scheduler::Listing& listing, const PageRequest& request) {
    return request.is_aistores ? json_text(aistores_page(listing, request)) : own_page(listing, request);
}

}  // namespace millrace::aistore
