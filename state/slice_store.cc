#include "state/slice_store.h"

#include "core/fault.h"
#include "state/families.h"

namespace millrace::state {
namespace {

constexpr std::size_t kLedgerRowsMax = 10'000;
constexpr std::size_t kLedgerPageBytes = 4 << 20;  // of rows; a page ends behind the one that passes it
using FenceRecord = std::map<std::string, std::uint64_t>;
constexpr const char* kEverySlice = "*";
constexpr const char* kForgotten = "forgotten";

std::uint64_t seconds(std::int64_t unix_ns) { return static_cast<std::uint64_t>(unix_ns / 1'000'000'000); }
std::string order_key(const std::string& job) { return "order/" + job; }
std::string spec_key(const JobId& job) { return "spec/" + job.str(); }
std::string checkpoint_key(const JobId& job) { return "checkpoint/" + job.str(); }
std::string fence_prefix(const JobId& job) { return "fence/" + job.str() + std::string(1, '\0'); }
std::string ledger_prefix(const JobId& job) { return job.str() + std::string(1, '\0'); }

}  // namespace

Result<std::vector<SliceOrder>> SliceStore::orders() const {
    std::vector<SliceOrder> found;
    const std::string prefix = "order/";
    const std::string end = prefix_end(prefix);
    Cursor cursor = kv_.cursor(target_family::slices, end);
    for (cursor.seek(prefix); cursor.valid(); cursor.next()) {
        MILLRACE_TRY_ASSIGN(SliceOrder order, decode_record<SliceOrder>("slice record '" + std::string(cursor.key()) + "'", cursor.value()));
        found.push_back(std::move(order));
    }
    MILLRACE_TRY(cursor.status());
    return found;
}

Result<void> SliceStore::put_order(const SliceOrder& order, const std::string* spec) {
    MILLRACE_TRY(MILLRACE_FAULT_POINT("slice.before_order"));
    Batch batch;
    batch.put(target_family::slices, order_key(order.job), encode_record(order));
    if (spec != nullptr) batch.put(target_family::slices, spec_key(JobId(order.job)), *spec);
    MILLRACE_TRY(kv_.write(std::move(batch), true));
    return MILLRACE_FAULT_POINT("slice.after_order");
}

Result<std::optional<std::string>> SliceStore::spec_bytes(const JobId& job) const { return kv_.get(target_family::slices, spec_key(job)); }

Result<std::uint64_t> SliceStore::put_checkpoint(const JobId& job, const SliceCheckpoint& checkpoint, const LedgerChanges& changes) {
    MILLRACE_TRY(MILLRACE_FAULT_POINT("slice.before_checkpoint"));
    Batch batch;
    const std::string record = encode_record(checkpoint);
    batch.put(target_family::slices, checkpoint_key(job), record);
    for (const auto& [name, row] : changes) {
        const std::string key = ledger_prefix(job) + name;
        if (row) {
            batch.put(target_family::ledger, key, encode_record(*row));
        } else {
            batch.erase(target_family::ledger, key);
        }
    }
    MILLRACE_TRY(kv_.write(std::move(batch), true));
    MILLRACE_TRY(MILLRACE_FAULT_POINT("slice.after_checkpoint"));
    return record.size();
}

Result<std::optional<SliceCheckpoint>> SliceStore::checkpoint(const JobId& job) const {
    MILLRACE_TRY_ASSIGN(const std::optional<std::string> bytes, kv_.get(target_family::slices, checkpoint_key(job)));
    if (!bytes) return std::optional<SliceCheckpoint>();
    MILLRACE_TRY_ASSIGN(SliceCheckpoint record, decode_record<SliceCheckpoint>("checkpoint of job " + job.str(), *bytes));
    return std::optional<SliceCheckpoint>(std::move(record));
}

Result<SliceStore::LedgerPage> SliceStore::ledger(const JobId& job, const std::string& after, std::size_t rows_max,
                                                  std::uint64_t pass_below) const {
    LedgerPage page;
    page.last = after;
    const std::string prefix = ledger_prefix(job);
    const std::string end = prefix_end(prefix);
    Cursor cursor = kv_.cursor(target_family::ledger, end);
    std::size_t looked_at = 0;
    std::size_t bytes = 0;
    for (cursor.seek(after.empty() ? prefix : prefix + after + std::string(1, '\0')); cursor.valid(); cursor.next()) {
        if (page.rows.size() == rows_max || looked_at++ == kLedgerRowsMax || bytes >= kLedgerPageBytes) return page;
        bytes += cursor.key().size() + cursor.value().size();
        const std::string name(cursor.key().substr(prefix.size()));
        MILLRACE_TRY_ASSIGN(LedgerRow row, decode_record<LedgerRow>("ledger row of job " + job.str() + " for object '" + name + "'", cursor.value()));
        page.last = name;
        if (row.pass < pass_below) page.rows.emplace_back(name, std::move(row));
    }
    MILLRACE_TRY(cursor.status());
    page.at_end = true;
    return page;
}

Result<void> SliceStore::forget(const JobId& job, std::int64_t now_unix_ns) {
    Batch batch;
    batch.erase(target_family::slices, order_key(job.str()));
    batch.erase(target_family::slices, spec_key(job));
    batch.erase(target_family::slices, checkpoint_key(job));
    batch.erase_range(target_family::slices, fence_prefix(job), prefix_end(fence_prefix(job)));
    batch.put(target_family::slices, fence_prefix(job) + kEverySlice, encode_record(FenceRecord{{"fence", UINT64_MAX}, {kForgotten, seconds(now_unix_ns)}}));
    batch.erase_range(target_family::ledger, ledger_prefix(job), prefix_end(ledger_prefix(job)));
    batch.use_reserve();
    return kv_.write(std::move(batch), true);
}

Result<void> SliceStore::drop_fences_forgotten_before(std::int64_t unix_ns) {
    Batch over;
    const std::string prefix = "fence/";
    const std::string end = prefix_end(prefix);
    Cursor cursor = kv_.cursor(target_family::slices, end);
    for (cursor.seek(prefix); cursor.valid(); cursor.next()) {
        const auto record = decode_record<FenceRecord>("a fence", cursor.value());
        if (!record) continue;  // whoever needs it hears of the damage
        const auto forgotten = record->find(kForgotten);
        if (forgotten != record->end() && forgotten->second < seconds(unix_ns)) over.erase(target_family::slices, cursor.key());
    }
    MILLRACE_TRY(cursor.status());
    if (over.empty()) return {};
    over.use_reserve();
    return kv_.write(std::move(over), false);
}

Result<std::uint64_t> SliceStore::fence(const JobId& job, const TargetId& slice) const {
    MILLRACE_TRY_ASSIGN(const std::optional<std::string> text, kv_.get(target_family::slices, fence_prefix(job) + slice.str()));
    if (!text) return std::uint64_t{0};
    MILLRACE_TRY_ASSIGN(const FenceRecord record, decode_record<FenceRecord>("fence of job " + job.str(), *text));
    const auto found = record.find("fence");
    return found == record.end() ? std::uint64_t{0} : found->second;
}

Result<void> SliceStore::put_fence(const JobId& job, const TargetId& slice, std::uint64_t fence) {
    Batch batch;
    batch.put(target_family::slices, fence_prefix(job) + slice.str(), encode_record(FenceRecord{{"fence", fence}}));
    return kv_.write(std::move(batch), false);
}

}  // namespace millrace::state
