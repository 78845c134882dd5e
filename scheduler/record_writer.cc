#include "scheduler/record_writer.h"

#include "core/check.h"
#include "scheduler/proxy_records.h"

namespace millrace::scheduler {
namespace {

constexpr std::size_t kCatalogBytesMax = 64 << 20;  // half of a message

// Of a change that is not made: the record may have got onto the disk all the same.
Error not_done(const Error& error, const std::string& what) {
    return error.during(what + "; should the proxy end before its disk takes writes again, look then: the disk may have it all the same");
}

}  // namespace

void RecordWriter::is_gone(const std::string& job) {
    unwritten_.erase(job);
    unerased_.insert(job);
}

bool RecordWriter::may_tell(const wire::Message& message) const {
    const auto is_written = [this](const std::string& job) { return !unwritten_.contains(job) && !unerased_.contains(job); };
    if (const auto* directive = std::get_if<wire::Directive>(&message)) return is_written(directive->job);
    if (const auto* ack = std::get_if<wire::StatusAck>(&message)) return is_written(ack->job);
    return true;
}

// Goes with every commit about jobs, with what is remembered of those that it says something of: a copy of a folder from before would not be
// noticed otherwise.
std::string RecordWriter::members() const { return encode(state_.member_list(steady_now())); }

Task<Result<void>> RecordWriter::write() {
    if (!has_work()) co_return Result<void>{};
    state::MetadataCommit commit;
    if (is_catalog_unsure_) {
        commit.changes[kCatalogKey] = encode(state_.catalog.wire());
        commit.changes[kTombstonesKey] = encode(Tombstones{state_.catalog.destroyed_at()});
    }
    for (const std::string& id : unerased_) {
        commit.changes[kJobPrefix + id] = std::nullopt;
        commit.changes[kListPrefix + id] = std::nullopt;
    }
    for (const auto& [id, with_list] : unwritten_) {
        const LiveJob* live = state_.jobs.find(id);
        if (live == nullptr) continue;
        commit.changes[kJobPrefix + id] = encode(live->job);
        if (live->job.spec.has_list && with_list) commit.changes[kListPrefix + id] = encode(ObjectList{live->objects.names()});
    }
    commit.changes[kMembersKey] = members();
    MILLRACE_CO_TRY(co_await store_.commit(std::move(commit)));
    unwritten_.clear();
    unerased_.clear();
    if (std::exchange(is_catalog_unsure_, false)) catalog_record_ = encode(state_.catalog.wire());
    co_return Result<void>{};
}

Task<Result<void>> RecordWriter::write_new_job(const Job& job) {
    state::MetadataCommit commit{.changes = {{kJobPrefix + job.id, encode(job)}, {kMembersKey, members()}}, .expected = {{kJobPrefix + job.id, std::nullopt}}};
    const Result<void> written = co_await store_.commit(std::move(commit));
    if (written) co_return written;
    is_gone(job.id);
    co_return not_done(written.error(), "the job could not be written down and was not accepted");
}

Task<Result<void>> RecordWriter::write_job(const Job& job) {
    state::MetadataCommit commit{.changes = {{kJobPrefix + job.id, encode(job)}, {kMembersKey, members()}}};
    const Result<void> written = co_await store_.commit(std::move(commit));
    if (!written) {
        is_behind(job.id);
        co_return not_done(written.error(), "the change could not be written down, and the job stays as it was");
    }
    const auto behind = unwritten_.find(job.id);
    if (behind != unwritten_.end() && !behind->second) unwritten_.erase(behind);
    co_return written;
}

Task<Result<void>> RecordWriter::erase_jobs(const std::vector<std::string>& jobs) {
    state::MetadataCommit commit{.changes = {{kMembersKey, members()}}};
    for (const std::string& id : jobs) {
        commit.changes[kJobPrefix + id] = std::nullopt;
        commit.changes[kListPrefix + id] = std::nullopt;
    }
    const Result<void> written = co_await store_.commit(std::move(commit));
    for (const std::string& id : jobs) {
        if (written) {
            unwritten_.erase(id);
        } else {
            unwritten_[id] = true;
        }
    }
    if (!written) co_return not_done(written.error(), "the removal could not be written down, and the job stays");
    co_return written;
}

Task<Result<void>> RecordWriter::write_catalog(const DesiredCatalog& changed) {
    MILLRACE_CHECK(changed.wire().version >= state_.catalog.wire().version);
    const std::string record = encode(changed.wire());
    if (record.size() > kCatalogBytesMax) {
        co_return fail(Code::conflict, "the catalog of buckets and transforms would be larger than " + std::to_string(kCatalogBytesMax) +
            " bytes, which targets do not take; remove buckets or transforms first");
    }
    state::MetadataCommit commit{.changes = {{kCatalogKey, record}, {kTombstonesKey, encode(Tombstones{changed.destroyed_at()})}}};
    if (!is_catalog_unsure_) commit.expected[kCatalogKey] = catalog_record_;
    const Result<void> written = co_await store_.commit(std::move(commit));
    is_catalog_unsure_ = !written && written.error().code != Code::conflict;
    if (!written) co_return not_done(written.error(), "the change could not be written down, and everything stays as it was");
    catalog_record_ = record;
    co_return written;
}

Task<Result<void>> RecordWriter::write_members() {
    state::MetadataCommit commit{.changes = {{kMembersKey, members()}}};
    co_return co_await store_.commit(std::move(commit));
}

Task<Result<void>> RecordWriter::write_lineage(const wire::OwnLineage& own) {
    state::MetadataCommit commit{.changes = {{kLineageKey, encode(own)}}};
    co_return co_await store_.commit(std::move(commit));
}

}  // namespace millrace::scheduler
