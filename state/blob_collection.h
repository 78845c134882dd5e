// The collection of garbage in blob files, on only while there is much of it.
//
// RocksDB's own collection rewrites the oldest quarter of the values with every compaction, garbage or not: a node that only ever gets new
// objects would write each of them several times. Any thread.
#pragma once
#include <mutex>
#include <vector>

namespace rocksdb {
class ColumnFamilyHandle;
class DB;
}  // namespace rocksdb

namespace millrace::state {

class BlobCollection {
public:
    // Of the families that keep large values in blob files, in which it must be off.
    BlobCollection(rocksdb::DB& db, std::vector<rocksdb::ColumnFamilyHandle*> families);

    // Switches it on or off where that is due. Microseconds, but when it switches. Called every now and then.
    void adjust();

private:
    struct Family {
        rocksdb::ColumnFamilyHandle* handle;
        bool collects = false;
    };
    rocksdb::DB& db_;
    std::mutex mutex_;
    std::vector<Family> families_;  // guarded by mutex_
};

}  // namespace millrace::state
