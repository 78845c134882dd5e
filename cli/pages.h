// A list that the cluster gives out in pages, read to its end: also behind a page without rows.
#pragma once
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "cli/session.h"

namespace millrace::cli {

struct PagedList {
    std::string path;            // encoded
    const char* rows;            // the member of a page that holds them
    const char* page_size;       // the parameter that bounds the rows of a page
    std::uint64_t page_size_max;
    const char* parameter;       // that says where a page begins
    const char* member;          // of a page, and says where the next one begins; "" on the last
    std::string prefix = {};     // of the names, or empty
};

// Takes the rows of one page, and the page; false: wants no more.
using TakePage = std::function<bool(const nlohmann::json& rows, const nlohmann::json& page)>;

// Blocking; the next page is fetched while one is taken, so `take` leaves the session alone. A page that is too large to be read is
// asked for again with fewer rows. Fails where a page does, or is none.
Result<void> read_pages(Session& session, const PagedList& list, const TakePage& take);

}  // namespace millrace::cli
