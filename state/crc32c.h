// CRC-32C by the processor's own instruction, in place of RocksDB's.
//
// RocksDB checksums every byte of a value three times (log, blob file, read). Its packages are built for any x86-64 and so do that
// with tables, at about a gigabyte per second. This function has the name of RocksDB's, and as it belongs to the executable, the
// dynamic linker makes the library call it too; tests/unit/state checks that. A RocksDB that calls it otherwise uses its own as before: the
// values are the same. It must be the shared library: a static one has the same name once more.
#pragma once
#include <cstddef>
#include <cstdint>

namespace rocksdb::crc32c {

// The checksum of some bytes that are followed by these, given that of the former: 0 for none. Any thread.
std::uint32_t Extend(std::uint32_t checksum, const char* data, std::size_t bytes);

}  // namespace rocksdb::crc32c

namespace millrace::state {

// The same, without the instruction: for processors from before 2009.
std::uint32_t crc32c_by_table(std::uint32_t checksum, const char* data, std::size_t bytes);

}  // namespace millrace::state
