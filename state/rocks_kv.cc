#include "state/kv.h"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/table_properties_collectors.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <mutex>

#include "core/check.h"
#include "core/clock.h"
#include "core/fault.h"
#include "core/log.h"
#include "state/blob_collection.h"
#include "state/disk_room.h"
#include "state/durable_marks.h"
#include "state/log_check.h"
#include "state/marking_file_system.h"

namespace millrace::state {
namespace {

constexpr std::uint64_t kWalBytesMax = 256ull << 20;
constexpr std::uint64_t kBlobFileBytes = 64ull << 20;
constexpr int kOpenFilesMax = 512;

rocksdb::Slice slice(std::string_view text) { return {text.data(), text.size()}; }
std::string_view view(const rocksdb::Slice& text) { return {text.data(), text.size()}; }

constexpr auto kRecoveryTimeMax = std::chrono::seconds(30);

// Why the database stopped writing, until it is resumed. Any thread.
class BackgroundErrors final : public rocksdb::EventListener {
public:
    void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status* status) override {
        const std::lock_guard lock(mutex_);
        if (!error_ || status->severity() > error_->severity()) error_ = *status;
        if (!since_) since_ = steady_now();
    }
    // RocksDB would poll a full disk every few seconds and refuse Resume() meanwhile; Kv resumes at the next write instead.
    void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status, bool* auto_recovery) override {
        *auto_recovery = false;
    }
    void clear() {
        const std::lock_guard lock(mutex_);
        error_.reset();
        since_.reset();
    }
    std::optional<rocksdb::Status> error() const {
        const std::lock_guard lock(mutex_);
        return error_;
    }
    Duration age() const {
        const std::lock_guard lock(mutex_);
        return since_ ? steady_now() - *since_ : Duration::zero();
    }

private:
    mutable std::mutex mutex_;
    std::optional<rocksdb::Status> error_;
    std::optional<Instant> since_;
};

// In place of RocksDB's own log file, whose writer ends the process when the disk is full.
class ErrorsToOurLog final : public rocksdb::Logger {
public:
    ErrorsToOurLog() : Logger(rocksdb::ERROR_LEVEL) {}
    using rocksdb::Logger::Logv;
    void Logv(const char* format, va_list arguments) override {
        char text[1024];
        std::vsnprintf(text, sizeof text, format, arguments);
        log::warn("database reports an error", {{"text", text}});
    }
};

Error kv_error(const std::string& action, const std::string& folder, const rocksdb::Status& status) {
    const std::string text = status.ToString();
    const std::string where = action + " in " + folder + ": ";
    const bool locked = text.find("lock hold by current process") != text.npos ||
        (text.find("While lock file") != text.npos && text.find("temporarily unavailable") != text.npos);
    if (locked) return fail(Code::conflict, folder + " is in use by another millrace process; stop it or use another folder");
    if (status.IsNoSpace()) return no_space(action, folder);
    if (status.IsCorruption()) return fail(Code::corrupt, where + "the database is damaged: " + text);
    const auto says = [&text](int errno_value) { return text.find(std::strerror(errno_value)) != text.npos; };
    if (says(EMFILE) || says(ENFILE) || says(ENOMEM)) return fail(Code::overloaded, where + text);
    if (text.find("Permission denied") != text.npos) return fail(Code::permission, where + text);
    if (status.severity() >= rocksdb::Status::Severity::kFatalError) {
        return fail(Code::io, where + text + "; the database takes no more writes until this node is restarted");
    }
    return fail(Code::io, where + text);
}

// A state that DB::Resume() may lead out of. Fatal errors and damage need a restart or a person.
bool may_resume(const rocksdb::Status& status) {
    if (status.severity() >= rocksdb::Status::Severity::kFatalError) return false;
    return status.IsIOError() || status.severity() == rocksdb::Status::Severity::kSoftError ||
        status.severity() == rocksdb::Status::Severity::kHardError;
}

rocksdb::DBOptions db_options(const KvOptions& options, const std::shared_ptr<BackgroundErrors>& errors) {
    rocksdb::DBOptions db;
    db.create_if_missing = true;
    db.max_open_files = kOpenFilesMax;
    db.max_total_wal_size = kWalBytesMax;
    db.db_write_buffer_size = 3 * options.write_buffer_bytes;  // all families together
    db.max_background_jobs = 2;
    db.bytes_per_sync = 1 << 20;
    db.avoid_unnecessary_blocking_io = true;
    db.max_bgerror_resume_count = 0;
    db.listeners.push_back(errors);
    db.info_log = std::make_shared<ErrorsToOurLog>();
    db.stats_dump_period_sec = 0;
    db.stats_persist_period_sec = 0;
    // Damage in what was durable is found before (log_check.h): here a record that is not whole is the end that a power cut left.
    db.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
    return db;
}

rocksdb::ColumnFamilyOptions family_options(const KvOptions& options, const std::shared_ptr<rocksdb::Cache>& cache, bool blobs) {
    rocksdb::BlockBasedTableOptions table;
    table.block_cache = cache;
    table.cache_index_and_filter_blocks = true;
    table.pin_l0_filter_and_index_blocks_in_cache = true;
    // In partitions: an undivided filter of a large table would not fit into one shard of a small cache.
    table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
    table.partition_filters = true;
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
    table.whole_key_filtering = true;

    rocksdb::ColumnFamilyOptions family;
    family.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
    family.compression = rocksdb::kLZ4Compression;
    family.write_buffer_size = options.write_buffer_bytes;
    family.max_write_buffer_number = 2;
    family.target_file_size_base = 32ull << 20;
    family.level_compaction_dynamic_level_bytes = true;
    // Tables full of tombstones are compacted early, so that walks do not crawl over them and blobs get freed.
    family.table_properties_collector_factories.push_back(rocksdb::NewCompactOnDeletionCollectorFactory(4096, 2048, 0.5));
    if (blobs) {
        family.enable_blob_files = true;
        family.min_blob_size = 512;
        family.blob_file_size = kBlobFileBytes;
        family.blob_compression_type = rocksdb::kNoCompression;
        family.enable_blob_garbage_collection = false;  // until BlobCollection finds it worth while
        family.blob_garbage_collection_force_threshold = 0.5;
        // Compaction sees keys only, a few bytes each once compressed: a full write buffer leaves some thousand of them. With tables and
        // levels of the usual size these would be merged with millions of others again and again.
        family.level0_file_num_compaction_trigger = 8;
        family.target_file_size_base = 1ull << 20;
        family.max_bytes_for_level_base = 4ull << 20;
    }
    return family;
}

rocksdb::Status put(rocksdb::WriteBatch& to, rocksdb::ColumnFamilyHandle* family, const Batch::Operation& operation) {
    const rocksdb::Slice key = slice(operation.first);
    const std::array value{slice(operation.second), slice(operation.rest)};
    return to.Put(family, rocksdb::SliceParts(&key, 1), rocksdb::SliceParts(value.data(), static_cast<int>(value.size())));
}

// --- Cursor ---

class RocksWalk final : public Cursor::Walk {
public:
    RocksWalk(std::string folder, std::string_view upper_bound) : folder_(std::move(folder)), upper_bound_(upper_bound), bound_slice_(upper_bound_) {}

    void seek(std::string_view key) override { iterator->Seek(slice(key)); }
    bool valid() const override { return iterator->Valid(); }
    void next() override { iterator->Next(); }
    std::string_view key() const override { return view(iterator->key()); }
    std::string_view value() const override { return view(iterator->value()); }
    Result<void> status() const override {
        const rocksdb::Status status = iterator->status();
        if (!status.ok()) return kv_error("walk", folder_, status);
        return {};
    }
    const rocksdb::Slice* bound() const { return upper_bound_.empty() ? nullptr : &bound_slice_; }

    std::unique_ptr<rocksdb::Iterator> iterator;

private:
    const std::string folder_;
    const std::string upper_bound_;
    const rocksdb::Slice bound_slice_;  // RocksDB keeps a pointer to it
};

// --- Kv ---

class RocksKv final : public Kv {
public:
    ~RocksKv() override {
        if (db_ && !errors_->error()) (void)db_->FlushWAL(true);  // of what was stopped in order everything is durable, and known to be
        for (rocksdb::ColumnFamilyHandle* handle : all_handles_) (void)db_->DestroyColumnFamilyHandle(handle);
        if (db_) (void)db_->Close();
    }

    static Result<std::unique_ptr<Kv>> open(const std::string& folder, const std::vector<FamilyOptions>& families, const KvOptions& options);

    Result<std::optional<std::string>> get(FamilyIndex family, std::string_view key) const override;
    std::vector<Result<std::optional<std::string>>> get_many(FamilyIndex family, std::span<const std::string_view> keys) const override;
    Result<void> write(Batch&& batch, bool sync) override;
    Result<void> sync() override;
    std::optional<KvObstacle> obstacle() override;
    std::uint64_t age_at_opening() const override { return age_at_opening_; }
    std::uint64_t durable_age() const override { return durable_age_.load(std::memory_order_relaxed); }
    Cursor cursor(FamilyIndex family, std::string_view upper_bound) const override;

private:
    Result<rocksdb::ColumnFamilyHandle*> handle_of(FamilyIndex index) const {
        MILLRACE_CHECK(index < handles_.size());
        if (handles_[index] != nullptr) return handles_[index];
        return fail(Code::conflict, folder_ + " lacks the column family '" + names_[index] +
            "': it belongs to another kind of node or another version of millrace");
    }

    void durable_up_to(std::uint64_t age) {
        std::uint64_t known = durable_age_.load(std::memory_order_relaxed);
        while (known < age && !durable_age_.compare_exchange_weak(known, age, std::memory_order_relaxed)) {
        }
    }

    // Runs the call; if the database had stopped writing after an error that may have passed, resumes it and tries once more.
    template <class Call>
    rocksdb::Status run(Call call) {
        const std::uint64_t seen = resume_attempts_.load();
        rocksdb::Status status = call();
        if (status.ok() || !may_resume(status)) return status;
        const rocksdb::Status resumed = resume(seen);
        return resumed.ok() ? call() : status;
    }

    // Callers that waited while another one resumed share its outcome: an attempt on a full disk is expensive.
    rocksdb::Status resume(std::uint64_t seen_attempts) {
        const std::lock_guard lock(resume_mutex_);
        if (resume_attempts_.load() == seen_attempts) {
            resume_outcome_ = db_->Resume();
            if (resume_outcome_.ok()) errors_->clear();
            ++resume_attempts_;
        }
        return resume_outcome_;
    }

    // Nobody else's while it is looked at.
    Result<void> check_before_opening(bool accept_loss) {
        rocksdb::Env* const env = rocksdb::Env::Default();
        rocksdb::FileLock* lock = nullptr;
        const rocksdb::Status locked = env->LockFile(folder_ + "/LOCK", &lock);
        if (!locked.ok()) return kv_error("open the database", folder_, locked);
        const Result<void> checked = [&]() -> Result<void> {
            MILLRACE_TRY_ASSIGN(marks_, DurableMarks::open(folder_));
            return check_files(folder_, *marks_, accept_loss);
        }();
        (void)env->UnlockFile(lock);
        return checked;
    }

    // RocksDB checks the tables; a blob file it opens when somebody reads from it.
    Result<void> check_blob_files() const {
        for (rocksdb::ColumnFamilyHandle* handle : all_handles_) {
            rocksdb::ColumnFamilyMetaData family;
            db_->GetColumnFamilyMetaData(handle, &family);
            for (const rocksdb::BlobMetaData& blob : family.blob_files) {
                const std::string path = folder_ + "/" + blob.blob_file_name.substr(blob.blob_file_name.rfind('/') + 1);
                std::error_code error;
                const std::uint64_t size = std::filesystem::file_size(path, error);
                if (!error && size == blob.blob_file_size) continue;
                const std::string what = error ? " is missing" : " has " + std::to_string(size) + " bytes instead of " + std::to_string(blob.blob_file_size);
                return fail(Code::corrupt, "the database is damaged: " + path + what + "; restore it from a copy");
            }
        }
        return {};
    }

    std::string folder_;
    std::optional<DiskRoom> room_;
    std::vector<std::string> names_;
    std::unique_ptr<DurableMarks> marks_;  // with the next two: outlives the database
    std::shared_ptr<rocksdb::FileSystem> files_;
    std::unique_ptr<rocksdb::Env> environment_;
    std::unique_ptr<rocksdb::DB> db_;
    std::vector<rocksdb::ColumnFamilyHandle*> handles_;      // by FamilyIndex; null: the folder has no such family
    std::vector<rocksdb::ColumnFamilyHandle*> all_handles_;  // families of other versions included
    std::unique_ptr<BlobCollection> blob_collection_;
    const std::shared_ptr<BackgroundErrors> errors_ = std::make_shared<BackgroundErrors>();
    std::uint64_t age_at_opening_ = 0;
    std::atomic<std::uint64_t> durable_age_ = 0;
    std::mutex resume_mutex_;
    std::atomic<std::uint64_t> resume_attempts_ = 0;
    rocksdb::Status resume_outcome_;  // guarded by resume_mutex_
};

Result<std::unique_ptr<Kv>> RocksKv::open(const std::string& folder, const std::vector<FamilyOptions>& families, const KvOptions& options) {
    MILLRACE_CHECK(!families.empty() && families.front().name == rocksdb::kDefaultColumnFamilyName);
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) return errno_error("create the folder " + folder, error.value());

    auto kv = std::make_unique<RocksKv>();
    kv->folder_ = folder;
    kv->room_.emplace(folder);
    MILLRACE_TRY(kv->check_before_opening(options.accept_loss));
    kv->files_ = make_marking_file_system(*kv->marks_);
    kv->environment_ = rocksdb::NewCompositeEnv(kv->files_);
    rocksdb::DBOptions db = db_options(options, kv->errors_);
    db.env = kv->environment_.get();
    std::vector<std::string> present;
    if (std::filesystem::exists(folder + "/CURRENT", error)) {
        const rocksdb::Status listed = rocksdb::DB::ListColumnFamilies(db, folder, &present);
        if (!listed.ok()) return kv_error("open the database", folder, listed);
    }
    const auto is_ours = [&](const std::string& name) {
        return std::ranges::any_of(families, [&](const FamilyOptions& family) { return family.name == name; });
    };
    // A folder with families we do not know is opened as it is, so that check_format() can say whose it is.
    const bool foreign = !std::ranges::all_of(present, is_ours);
    db.create_missing_column_families = !foreign;

    const auto cache = rocksdb::NewLRUCache(options.block_cache_bytes, 2, false, 0.5);
    std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
    for (const FamilyOptions& family : families) {
        if (foreign && std::ranges::find(present, family.name) == present.end()) continue;
        descriptors.emplace_back(family.name, family_options(options, cache, family.blobs));
    }
    for (const std::string& name : present) {
        if (!is_ours(name)) descriptors.emplace_back(name, family_options(options, cache, false));
    }

    rocksdb::DB* opened = nullptr;
    const rocksdb::Status status = rocksdb::DB::Open(db, folder, descriptors, &kv->all_handles_, &opened);
    if (!status.ok()) return kv_error("open the database", folder, status);
    kv->db_.reset(opened);
    kv->marks_->opened();
    MILLRACE_TRY(kv->check_blob_files());
    std::vector<rocksdb::ColumnFamilyHandle*> with_blobs;
    for (const FamilyOptions& family : families) {
        const auto handle = std::ranges::find(kv->all_handles_, family.name, &rocksdb::ColumnFamilyHandle::GetName);
        kv->handles_.push_back(handle == kv->all_handles_.end() ? nullptr : *handle);
        kv->names_.push_back(family.name);
        if (family.blobs && kv->handles_.back() != nullptr) with_blobs.push_back(kv->handles_.back());
    }
    kv->blob_collection_ = std::make_unique<BlobCollection>(*kv->db_, std::move(with_blobs));
    kv->age_at_opening_ = kv->db_->GetLatestSequenceNumber();
    return std::unique_ptr<Kv>(std::move(kv));
}

Result<std::optional<std::string>> RocksKv::get(FamilyIndex family, std::string_view key) const {
    MILLRACE_TRY_ASSIGN(const auto handle, handle_of(family));
    std::string value;
    const rocksdb::Status status = db_->Get({}, handle, slice(key), &value);
    if (status.IsNotFound()) return std::optional<std::string>();
    if (!status.ok()) return kv_error("read", folder_, status);
    return std::optional<std::string>(std::move(value));
}

std::vector<Result<std::optional<std::string>>> RocksKv::get_many(FamilyIndex family, std::span<const std::string_view> keys) const {
    std::vector<Result<std::optional<std::string>>> results;
    results.reserve(keys.size());
    const auto handle = handle_of(family);
    if (!handle) {
        results.resize(keys.size(), handle.error());
        return results;
    }
    const std::vector<rocksdb::Slice> slices(keys.begin(), keys.end());
    std::vector<rocksdb::PinnableSlice> values(keys.size());
    std::vector<rocksdb::Status> statuses(keys.size());
    db_->MultiGet({}, *handle, keys.size(), slices.data(), values.data(), statuses.data());
    for (std::size_t i = 0; i < keys.size(); ++i) {
        if (statuses[i].ok()) {
            results.push_back(std::optional(values[i].ToString()));
        } else if (statuses[i].IsNotFound()) {
            results.push_back(std::optional<std::string>());
        } else {
            results.push_back(kv_error("read", folder_, statuses[i]));
        }
    }
    return results;
}

Result<void> RocksKv::write(Batch&& batch, bool sync) {
    MILLRACE_TRY(MILLRACE_FAULT_POINT("kv.before_write"));
    constexpr std::size_t kOperationOverheadBytes = 16;
    MILLRACE_TRY(room_->check_for_write(batch.uses_reserve()));
    rocksdb::WriteBatch to(batch.bytes() + kOperationOverheadBytes * (batch.size() + 1));
    for (const Batch::Operation operation : batch) {
        MILLRACE_TRY_ASSIGN(const auto handle, handle_of(operation.family));
        rocksdb::Status added;
        switch (operation.kind) {
            case Batch::Kind::put: added = put(to, handle, operation); break;
            case Batch::Kind::erase: added = to.Delete(handle, slice(operation.first)); break;
            case Batch::Kind::erase_range: added = to.DeleteRange(handle, slice(operation.first), slice(operation.second)); break;
        }
        if (!added.ok()) return kv_error("write", folder_, added);
    }
    rocksdb::WriteOptions options;
    options.sync = sync;
    const std::uint64_t before = db_->GetLatestSequenceNumber();
    const rocksdb::Status status = run([&] { return db_->Write(options, &to); });
    if (!status.ok()) return kv_error("write", folder_, status);
    if (sync) {
        durable_up_to(before + to.Count());
        blob_collection_->adjust();
    }
    return MILLRACE_FAULT_POINT("kv.after_write");
}

Result<void> RocksKv::sync() {
    // After an error RocksDB asserts that nobody syncs its log.
    if (const std::optional<rocksdb::Status> error = errors_->error()) {
        const rocksdb::Status resumed = may_resume(*error) ? resume(resume_attempts_.load()) : *error;
        if (!resumed.ok()) return kv_error("sync", folder_, resumed);
    }
    const std::uint64_t before = db_->GetLatestSequenceNumber();
    const rocksdb::Status status = run([&] { return db_->FlushWAL(true); });
    if (!status.ok()) return kv_error("sync", folder_, status);
    durable_up_to(before);
    blob_collection_->adjust();
    return {};
}

std::optional<KvObstacle> RocksKv::obstacle() {
    const std::optional<rocksdb::Status> error = errors_->error();
    if (error && !may_resume(*error)) return KvObstacle{kv_error("write", folder_, *error).context, true};
    const Result<void> room = room_->check("write", false);
    if (!room) return KvObstacle{room.error().context, room.error().code != Code::no_space};
    if (!error) return std::nullopt;
    const rocksdb::Status resumed = resume(resume_attempts_.load());
    if (resumed.ok()) return std::nullopt;
    return KvObstacle{kv_error("write", folder_, resumed).context, !resumed.IsNoSpace() && errors_->age() > kRecoveryTimeMax};
}

Cursor RocksKv::cursor(FamilyIndex family, std::string_view upper_bound) const {
    const auto handle = handle_of(family);
    if (!handle) return Cursor(handle.error());
    auto walk = std::make_unique<RocksWalk>(folder_, upper_bound);
    rocksdb::ReadOptions options;
    options.iterate_upper_bound = walk->bound();
    walk->iterator.reset(db_->NewIterator(options, *handle));
    return Cursor(std::move(walk));
}

}  // namespace

Result<std::unique_ptr<Kv>> Kv::open(const std::string& folder, const std::vector<FamilyOptions>& families, const KvOptions& options) {
    return RocksKv::open(folder, families, options);
}

Result<void> check_room(const std::string& folder) {
    std::error_code ignored;
    std::filesystem::path existing = std::filesystem::absolute(folder, ignored);
    while (!std::filesystem::exists(existing, ignored) && existing.has_relative_path()) existing = existing.parent_path();
    return DiskRoom(existing.string()).check("open the store", false);
}

}  // namespace millrace::state
