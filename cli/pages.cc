#include "cli/pages.h"

#include <nlohmann/json.hpp>

#include "cli/document.h"
#include "core/uri.h"

namespace millrace::cli {

using nlohmann::json;

Result<void> read_pages(Session& session, const PagedList& list, const TakePage& take) {
    std::string position;
    std::uint64_t size = list.page_size_max;
    for (;;) {
        Query query;
        if (!list.prefix.empty()) query.add("prefix", list.prefix);
        query.add(list.page_size, std::to_string(size));
        if (!position.empty()) query.add(list.parameter, position);
        const auto page = session.get(list.path + "?" + query.text());
        if (!page && page.error().code == Code::too_large && size > 1) {
            size /= 2;
            continue;
        }
        if (!page) return page.error();
        const json& rows = member(*page, list.rows);
        if (!rows.is_array()) return fail(Code::internal, "the reply has no '" + std::string(list.rows) + "'; is the endpoint a Millrace proxy?");
        if (!take(rows, *page)) return {};
        const std::string next = text_of(*page, list.member);
        if (next.empty()) return {};
        if (next == position) return fail(Code::internal, "the cluster sends the same page again and again");
        position = next;
    }
}

}  // namespace millrace::cli
