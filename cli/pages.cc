#include "cli/pages.h"

#include <future>
#include <nlohmann/json.hpp>

#include "cli/document.h"
#include "core/uri.h"

namespace millrace::cli {

using nlohmann::json;

namespace {

std::string page_at(const PagedList& list, const std::string& position, std::uint64_t size) {
    Query query;
    if (!list.prefix.empty()) query.add("prefix", list.prefix);
    query.add(list.page_size, std::to_string(size));
    if (!position.empty()) query.add(list.parameter, position);
    return list.path + "?" + query.text();
}

}  // namespace

Result<void> read_pages(Session& session, const PagedList& list, const TakePage& take) {
    std::string position;
    std::uint64_t size = list.page_size_max;
    const auto ask = [&] { return std::async(std::launch::async, [&session, target = page_at(list, position, size)] { return session.get(target); }); };
    for (auto coming = ask();;) {
        const auto page = coming.get();
        if (!page && page.error().code == Code::too_large && size > 1) {
            size /= 2;
            coming = ask();
            continue;
        }
        if (!page) return page.error();
        const json& rows = member(*page, list.rows);
        if (!rows.is_array()) return fail(Code::internal, "the reply has no '" + std::string(list.rows) + "'; is the endpoint a Millrace proxy?");
        const std::string next = text_of(*page, list.member);
        const bool goes_on = !next.empty() && next != position;
        if (goes_on) {
            position = next;
            coming = ask();
        }
        if (!take(rows, *page) || next.empty()) return {};
        if (!goes_on) return fail(Code::internal, "the cluster sends the same page again and again");
    }
}

}  // namespace millrace::cli
