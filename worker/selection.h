// Which objects of this target a slice is made of: scans of the index, and of the ledger for a retry.
//
// Any thread; the calls block for the time that a page takes to be gone through, and wait as the bucket does (bucket_io.h).
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/name_template.h"
#include "core/rename.h"
#include "state/slice_store.h"
#include "wire/messages.h"
#include "worker/bucket_io.h"
#include "worker/slice_machine.h"

namespace millrace::worker {

class Selection {
public:
    // created_seq_end: objects created from there on are not part of the job.
    static Result<Selection> make(const JobId& job, wire::JobSpec spec, std::uint64_t created_seq_end, std::shared_ptr<BucketReader> source,
                                  state::SliceStore& slices);

    // Counts a page of the selection. Two objects that would get one output name are Code::already_exists, named both.
    Task<Result<Survey>> survey(std::string after) const;

    struct Fed {
        std::vector<FedObject> objects;
        std::string scanned_to;
        bool at_end = false;
    };
    Task<Result<Fed>> feed(FeedRequest request) const;

private:
    Selection(const JobId& job, wire::JobSpec spec, std::uint64_t created_seq_end, std::shared_ptr<BucketReader> source, state::SliceStore& slices);
    bool contains(const std::string& name, const store::ObjectInfo& info) const;
    void count_name(Survey& counted, const std::string& name) const;
    Task<Result<void>> check_collision(const std::string& name) const;
    // Of the names of one output, one that is selected and not `name`; empty: there is none.
    Task<Result<std::string>> find_rival(const std::string& name, const RivalNames& names) const;
    Task<Result<std::string>> find_rival_in_any_case(const std::string& name, const RivalNames& names) const;
    Task<Result<Survey>> survey_list(const std::string& after, std::size_t names_max) const;
    Result<Fed> feed_list(const FeedRequest& request) const;
    Result<Fed> feed_ledger(const FeedRequest& request) const;

    JobId job_;
    wire::JobSpec spec_;
    RenameRule rename_;
    std::uint64_t created_seq_end_;
    std::string prefix_;
    std::optional<NameTemplate> template_;
    std::shared_ptr<BucketReader> source_;
    state::SliceStore& slices_;
};

}  // namespace millrace::worker
