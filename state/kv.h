// The key-value store under everything durable: RocksDB behind a plain interface. Column families, atomic batches,
// ordered iteration. The only place, with kv.cc, that knows RocksDB.
//
// Any thread. Calls block: reads for microseconds, a synced write for about a millisecond (use a BlockingPool).
//
// A disk counts as full while there is still some space on it (a sixteenth of it, 32 MiB at most): RocksDB does not
// survive a log that hit the end of the disk without being opened again. Once space is freed, writes go on by themselves.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace millrace::state {

using FamilyIndex = std::size_t;  // position in the families given to open()

struct FamilyOptions {
    std::string name;
    bool blobs = false;  // large values: kept in blob files, out of the way of compaction
};

struct KvOptions {
    std::uint64_t block_cache_bytes = 32ull << 20;
    std::uint64_t write_buffer_bytes = 16ull << 20;  // per family
    bool accept_loss = false;                        // open in spite of a damaged log, without what was written after the damage
};

// What keeps a database from writing things down.
struct KvObstacle {
    std::string reason;
    bool for_good = false;  // only opening it again, or a person, leads out of it
};

// Writes that happen together or not at all.
class Batch {
public:
    Batch();
    ~Batch();
    Batch(Batch&&) noexcept;
    Batch& operator=(Batch&&) noexcept;

    void put(FamilyIndex family, std::string_view key, std::string_view value);
    void erase(FamilyIndex family, std::string_view key);
    // Every key in [from, to).
    void erase_range(FamilyIndex family, std::string_view from, std::string_view to);
    // For a batch that gives space back: it may use what Kv keeps free on a disk that is too full for others.
    void use_reserve();
    std::size_t bytes() const;
    bool empty() const;

private:
    friend class Kv;
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// A forward walk over a consistent snapshot of one family.
class Cursor {
public:
    ~Cursor();
    Cursor(Cursor&&) noexcept;
    // To the first key >= key.
    void seek(std::string_view key);
    bool valid() const;
    void next();
    std::string_view key() const;    // until the next move
    std::string_view value() const;  // until the next move
    // An I/O or corruption error that ended the walk early; success at a true end.
    Result<void> status() const;

private:
    friend class Kv;
    struct Impl;
    explicit Cursor(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

class Kv {
public:
    // Opens or creates. A folder that another process holds is Code::conflict and says so; a full disk Code::no_space.
    // Recovers by itself from an unclean shutdown, a power cut included. What had been durable and is not there any more, or is damaged, is
    // Code::corrupt and names the file.
    static Result<std::unique_ptr<Kv>> open(const std::string& folder, const std::vector<FamilyOptions>& families, const KvOptions& options);
    ~Kv();

    Result<std::optional<std::string>> get(FamilyIndex family, std::string_view key) const;
    // sync: durable against power loss on return, with everything written before it. Code::no_space: nothing was written.
    // Code::io: it may or may not be found after a restart.
    Result<void> write(Batch&& batch, bool sync);
    // Makes every write so far durable against power loss.
    Result<void> sync();
    // Why nothing can be written now, nullopt when it can; found out without a write. Takes up again what had stopped at an error that
    // passed. One thread at a time.
    std::optional<KvObstacle> obstacle();
    // How many changes this database has seen: as it was opened, and those that are known to be durable now. Neither is ever smaller
    // again, unless the folder is an older copy of itself.
    std::uint64_t age_at_opening() const;
    std::uint64_t durable_age() const;
    // upper_bound: keys from there on are not seen (empty: no bound).
    Cursor cursor(FamilyIndex family, std::string_view upper_bound = {}) const;

private:
    struct Impl;
    explicit Kv(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

// Whether a database in that folder, which need not exist yet, has room to be opened and written to: Code::no_space, Code::permission
// for a read-only disk.
Result<void> check_room(const std::string& folder);

// The smallest key that is greater than every key with this prefix ("" when there is none).
std::string prefix_end(std::string_view prefix);

}  // namespace millrace::state
