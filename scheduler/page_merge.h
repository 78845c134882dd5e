// Puts what the targets have of a listing in order, each name once, and says what to ask of them for it. Pure.
//
// Names are spread evenly, mostly: each target is asked for little more than its share of what is wanted, and once more where that was not
// enough, for the share that it turned out to have. Nothing is kept from one page to the next, so that each is as current as it can be.
#pragma once
#include <cstddef>
#include <list>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "wire/listed_page.h"

namespace millrace::scheduler {

struct ListingEntry {
    wire::ListedRow object;
    std::string_view target;
};

// Its entries look into what it holds: it is moved, never copied.
struct Listing {
    std::vector<ListingEntry> entries;  // in byte order of their names, each once
    std::string next;                   // `after` of the next page; empty: this is the last
    std::list<wire::ListedPage> pages;
    std::vector<std::string> targets;

    Listing() = default;
    Listing(Listing&&) = default;
    Listing& operator=(Listing&&) = default;
};

class PageMerge {
public:
    struct Ask {
        std::size_t target;  // its position
        std::string after;
        std::size_t rows_max;
    };

    // folded: targets may have the same entries, and say that there is nothing up to some name; a page that has any entry is enough then.
    PageMerge(std::vector<std::string> targets, std::string after, std::size_t entries_max, bool folded);

    // Of each target once at most; none: the listing is there.
    std::vector<Ask> asks() const;
    // Code::unavailable for an answer that is none.
    Result<void> add(const Ask& ask, std::string answer);
    // Once all that was asked for was added: goes as far as every target has said what it has.
    void merge();
    Listing take() && { return std::move(listing_); }

private:
    struct Share {
        const wire::ListedPage* page = nullptr;  // the newest
        std::size_t next = 0;                    // row of it
        std::size_t taken = 0;                   // rows, of all pages
        std::string last;                        // up to here it has said what it has
        bool at_end = false;

        bool has_row() const { return page != nullptr && next < page->rows().size(); }
        std::string_view name() const { return page->rows()[next].name; }
    };

    bool is_enough() const { return listing_.entries.size() >= entries_max_ || (folded_ && !listing_.entries.empty()); }
    std::size_t rows_wanted(const Share& share) const;

    const std::size_t entries_max_;
    const bool folded_;
    std::vector<Share> shares_;  // one per target
    std::size_t taken_ = 0;      // rows, of all of them
    Listing listing_;
};

}  // namespace millrace::scheduler
