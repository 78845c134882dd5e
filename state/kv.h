// The key-value store under everything durable: column families, atomic batches, ordered iteration. RocksDB behind a plain
// interface; rocks_kv.cc opens it.
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
#include <span>
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
    enum class Kind : std::uint8_t { put, erase, erase_range };
    // first: the key, or where a range begins; second: the value, or where it ends, and rest what follows in the value. Views.
    struct Operation {
        Kind kind;
        FamilyIndex family;
        std::string_view first;
        std::string_view second;
        std::string_view rest;
    };
    class Iterator;

    void put(FamilyIndex family, std::string_view key, std::string_view value) { add(Kind::put, family, key, value); }
    // A value in two parts, of which the second is not copied: it has to stay until the batch was written.
    void put(FamilyIndex family, std::string_view key, std::string_view value, std::string_view rest) { add(Kind::put, family, key, value, rest); }
    void erase(FamilyIndex family, std::string_view key) { add(Kind::erase, family, key, {}); }
    // Every key in [from, to).
    void erase_range(FamilyIndex family, std::string_view from, std::string_view to) { add(Kind::erase_range, family, from, to); }
    // For a batch that gives space back: it may use what Kv keeps free on a disk that is too full for others.
    void use_reserve() { uses_reserve_ = true; }
    bool uses_reserve() const { return uses_reserve_; }
    std::size_t bytes() const { return data_.size() + rest_bytes_; }
    std::size_t size() const { return operations_.size(); }
    bool empty() const { return operations_.empty(); }
    // In the order in which they were added.
    Iterator begin() const;
    Iterator end() const;

private:
    struct Sizes {
        Kind kind;
        FamilyIndex family;
        std::size_t first_bytes;
        std::size_t second_bytes;
        std::string_view rest;
    };
    void add(Kind kind, FamilyIndex family, std::string_view first, std::string_view second, std::string_view rest = {}) {
        operations_.push_back({kind, family, first.size(), second.size(), rest});
        data_.append(first).append(second);
        rest_bytes_ += rest.size();
    }

    std::vector<Sizes> operations_;
    std::string data_;  // first and second of each operation, one after the other
    std::size_t rest_bytes_ = 0;
    bool uses_reserve_ = false;
};

class Batch::Iterator {
public:
    Iterator(const Sizes* operation, const char* data) : operation_(operation), data_(data) {}
    Operation operator*() const {
        const std::string_view first(data_, operation_->first_bytes);
        return {operation_->kind, operation_->family, first, {data_ + first.size(), operation_->second_bytes}, operation_->rest};
    }
    Iterator& operator++() {
        data_ += operation_->first_bytes + operation_->second_bytes;
        ++operation_;
        return *this;
    }
    bool operator==(const Iterator& other) const { return operation_ == other.operation_; }

private:
    const Sizes* operation_;
    const char* data_;
};

inline Batch::Iterator Batch::begin() const { return {operations_.data(), data_.data()}; }
inline Batch::Iterator Batch::end() const { return {operations_.data() + operations_.size(), nullptr}; }

// A forward walk over a consistent snapshot of one family.
class Cursor {
public:
    // What a back end walks with.
    class Walk {
    public:
        virtual ~Walk() = default;
        virtual void seek(std::string_view key) = 0;
        virtual bool valid() const = 0;
        virtual void next() = 0;
        virtual std::string_view key() const = 0;
        virtual std::string_view value() const = 0;
        virtual Result<void> status() const = 0;
    };
    explicit Cursor(std::unique_ptr<Walk> walk) : walk_(std::move(walk)) {}
    // One that has nothing, and why.
    explicit Cursor(Error failure) : failure_(std::move(failure)) {}

    // To the first key >= key.
    void seek(std::string_view key) {
        if (walk_) walk_->seek(key);
    }
    bool valid() const { return walk_ && walk_->valid(); }
    void next() { walk_->next(); }
    std::string_view key() const { return walk_->key(); }      // until the next move
    std::string_view value() const { return walk_->value(); }  // until the next move
    // An I/O or corruption error that ended the walk early; success at a true end.
    Result<void> status() const { return walk_ ? walk_->status() : failure_; }

private:
    std::unique_ptr<Walk> walk_;
    Result<void> failure_;
};

// An interface, so that a disk can be simulated under everything that stands on it.
class Kv {
public:
    // Opens or creates a RocksDB. A folder that another process holds is Code::conflict and says so; a full disk Code::no_space.
    // Recovers by itself from an unclean shutdown, a power cut included. What had been durable and is not there any more, or is damaged, is
    // Code::corrupt and names the file.
    static Result<std::unique_ptr<Kv>> open(const std::string& folder, const std::vector<FamilyOptions>& families, const KvOptions& options);
    virtual ~Kv() = default;

    virtual Result<std::optional<std::string>> get(FamilyIndex family, std::string_view key) const = 0;
    // The same for many, in the order of the keys. In one call they cost less.
    virtual std::vector<Result<std::optional<std::string>>> get_many(FamilyIndex family, std::span<const std::string_view> keys) const = 0;
    // sync: durable against power loss on return, with everything written before it. Code::no_space: nothing was written.
    // Code::io: it may or may not be found after a restart.
    virtual Result<void> write(Batch&& batch, bool sync) = 0;
    // Makes every write so far durable against power loss.
    virtual Result<void> sync() = 0;
    // Why nothing can be written now, nullopt when it can; found out without a write. Takes up again what had stopped at an error that
    // passed. One thread at a time.
    virtual std::optional<KvObstacle> obstacle() = 0;
    // How many changes this database has seen: as it was opened, and those that are known to be durable now. Neither is ever smaller
    // again, unless the folder is an older copy of itself.
    virtual std::uint64_t age_at_opening() const = 0;
    virtual std::uint64_t durable_age() const = 0;
    // upper_bound: keys from there on are not seen (empty: no bound).
    virtual Cursor cursor(FamilyIndex family, std::string_view upper_bound = {}) const = 0;
};

// Whether a database in that folder, which need not exist yet, has room to be opened and written to: Code::no_space, Code::permission
// for a read-only disk.
Result<void> check_room(const std::string& folder);

// The smallest key that is greater than every key with this prefix ("" when there is none).
std::string prefix_end(std::string_view prefix);

}  // namespace millrace::state
