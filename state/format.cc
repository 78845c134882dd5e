#include "state/format.h"

#include <string>

#include "core/whole_number.h"

namespace millrace::state {
namespace {

constexpr std::string_view kFormatKey = "format";

struct Format {
    std::string_view kind;
    std::uint32_t version = 0;
};

std::optional<Format> parse_format(std::string_view text) {
    const auto space = text.find(' ');
    if (space == text.npos || space == 0) return std::nullopt;
    const Format format{.kind = text.substr(0, space), .version = parse_whole<std::uint32_t>(text.substr(space + 1)).value_or(0)};
    if (format.version == 0) return std::nullopt;
    if (format.kind != "target" && format.kind != "proxy") return std::nullopt;
    return format;
}

Result<void> claim(Kv& kv, FamilyIndex meta_family, std::string_view kind) {
    Cursor cursor = kv.cursor(meta_family);
    cursor.seek("");
    MILLRACE_TRY(cursor.status());
    if (cursor.valid()) {
        return fail(Code::corrupt, "the store has data but no key 'format'; this is not a millrace store, or it is damaged");
    }
    Batch batch;
    batch.put(meta_family, kFormatKey, std::string(kind) + " " + std::to_string(kStoreFormat));
    return kv.write(std::move(batch), true);
}

}  // namespace

Result<void> check_format(Kv& kv, FamilyIndex meta_family, std::string_view kind) {
    MILLRACE_TRY_ASSIGN(const auto text, kv.get(meta_family, kFormatKey));
    if (!text) return claim(kv, meta_family, kind);
    const std::optional<Format> found = parse_format(*text);
    if (!found) {
        return fail(Code::corrupt, "the store's key 'format' cannot be read; it should be '" + std::string(kind) + " " +
            std::to_string(kStoreFormat) + "'");
    }
    if (found->version > kStoreFormat) {
        return fail(Code::unsupported_version, "store format " + std::to_string(found->version) +
            " is newer than this millrace understands (" + std::to_string(kStoreFormat) +
            "); use a newer millrace or another folder");
    }
    if (found->version < kStoreFormat) {
        return fail(Code::unsupported_version, "store format " + std::to_string(found->version) + " is older than this millrace's (" +
            std::to_string(kStoreFormat) + "), and keeps objects on other targets than this one looks for them; nothing was changed. "
            "Start the millrace that wrote it, get the objects out, and put them into a new cluster");
    }
    if (found->kind != kind) {
        return fail(Code::conflict, "this folder belongs to a " + std::string(found->kind) + ", not to a " +
            std::string(kind) + "; give each node a folder of its own");
    }
    return {};
}

}  // namespace millrace::state
