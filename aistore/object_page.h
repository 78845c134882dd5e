// A page of a listing: what was asked for, and the answer in AIStore's msgpack (its SDK reads no other form), in its JSON, or in Millrace's
// own. Pure.
#pragma once
#include <cstddef>
#include <set>
#include <string>

#include "aistore/message.h"
#include "core/uri.h"
#include "scheduler/listing.h"

namespace millrace::aistore {

struct PageRequest {
    scheduler::ListingRequest listing;
    std::string uuid;             // of the listing, as the first page said; empty: this is the first
    std::set<std::string> props;  // that AIStore's forms have
    std::string time_layout;      // of times there (time_layout.h)
    bool is_aistores = false;     // it came in AIStore's words: so does the answer
};

// From the action {"action":"list","value":{…}}, or, where there is no value, from the query: prefix, pagesize,
// continuation_token, start_after.
Result<PageRequest> parse_page_request(const ActionMessage& message, const Query& query, const std::string& bucket);

// Entries as maps with keys of one letter, zero values left out.
std::string msgpack_page(const scheduler::Listing& listing, const PageRequest& request);
// The same with whole words for keys, and sizes as text; Millrace's own where the request was.
std::string json_page(const scheduler::Listing& listing, const PageRequest& request);

}  // namespace millrace::aistore
