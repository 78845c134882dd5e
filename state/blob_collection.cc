#include "state/blob_collection.h"

#include <rocksdb/db.h>

#include "core/log.h"

namespace millrace::state {
namespace {
constexpr std::uint64_t kGarbageBytesMin = 16ull << 20;
constexpr double kMuch = 0.3;  // of all bytes in blob files
constexpr double kLittle = 0.15;
}  // namespace

BlobCollection::BlobCollection(rocksdb::DB& db, std::vector<rocksdb::ColumnFamilyHandle*> families) : db_(db) {
    for (rocksdb::ColumnFamilyHandle* handle : families) families_.push_back({handle});
}

void BlobCollection::adjust() {
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock) return;  // another thread does
    for (Family& family : families_) {
        std::uint64_t all = 0;
        std::uint64_t garbage = 0;
        if (!db_.GetIntProperty(family.handle, rocksdb::DB::Properties::kLiveBlobFileSize, &all) ||
            !db_.GetIntProperty(family.handle, rocksdb::DB::Properties::kLiveBlobFileGarbageSize, &garbage)) {
            continue;
        }
        const double share = all == 0 ? 0 : static_cast<double>(garbage) / static_cast<double>(all);
        const bool wanted = garbage >= kGarbageBytesMin && share >= (family.collects ? kLittle : kMuch);
        if (wanted == family.collects) continue;
        const rocksdb::Status set = db_.SetOptions(family.handle, {{"enable_blob_garbage_collection", wanted ? "true" : "false"}});
        if (!set.ok()) continue;  // a full disk: the next call tries again
        family.collects = wanted;
        log::info("collection of overwritten contents", {{"on", wanted}, {"garbage_bytes", garbage}, {"bytes", all}});
    }
}

}  // namespace millrace::state
