// RocksDB's file system, with a note of how much of each log was made durable (durable_marks.h).
#pragma once
#include <memory>

#include "state/durable_marks.h"

namespace rocksdb {
class FileSystem;
}

namespace millrace::state {

// The marks outlive it.
std::shared_ptr<rocksdb::FileSystem> make_marking_file_system(DurableMarks& marks);

}  // namespace millrace::state
