// Listings that read whole buckets or fold folders: built on ObjectStore::scan(). Block for as long as they read (use a
// BlockingPool); bounded by objects_max.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "store/object_store.h"

namespace millrace::store {

struct FoldedEntry {
    ListedObject object;  // of a folder only the name, "prefix/folder/"
    bool folder = false;
};
struct FoldedPage {
    std::vector<FoldedEntry> entries;  // in byte order of their names
    std::string last;                  // nothing up to here is missing; the next page is after it
    bool at_end = false;
};
// Names that have a slash behind the prefix become one entry per folder; a prefix that is a folder's name means what is in the folder, too,
// whether it has the slash or not. `after` may be the name of such an entry. Stops behind looked_at_max objects or a little more, so a page
// may have few entries and not be at the end.
Result<FoldedPage> scan_folded(ObjectStore& store, const std::string& bucket, const std::string& prefix, const std::string& after,
                               std::size_t entries_max, std::size_t looked_at_max = 50'000);

struct SummaryPart {
    std::uint64_t objects = 0;
    std::uint64_t bytes = 0;
    std::uint64_t smallest_bytes = 0;
    std::uint64_t largest_bytes = 0;
    std::string last;  // name of the last object that was counted
    bool at_end = false;
};
Result<SummaryPart> summarize(ObjectStore& store, const std::string& bucket, const std::string& prefix, const std::string& after,
                              std::size_t objects_max);

}  // namespace millrace::store
