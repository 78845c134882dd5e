// Which objects of this target a slice is made of: scans of the index, and of the ledger for a retry.
//
// Any thread; the calls read the store and block for the time of a page.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "core/name_template.h"
#include "core/rename.h"
#include "state/slice_store.h"
#include "store/object_store.h"
#include "wire/messages.h"
#include "worker/slice_machine.h"

namespace millrace::worker {

class Selection {
public:
    // created_seq_end: objects created from there on are not part of the job.
    // source_uid: of the bucket; while another has its name, calls are Code::unavailable. Empty: any.
    static Result<Selection> make(const JobId& job, wire::JobSpec spec, std::uint64_t created_seq_end, store::ObjectStore& store,
                                  state::SliceStore& slices, const std::string& source_uid = "");

    struct SurveyPage {
        std::uint64_t objects = 0;
        std::uint64_t bytes = 0;
        std::string last;
        bool at_end = false;
    };
    // Counts a page of the selection. Two objects that would get one output name are Code::already_exists, named both.
    Result<SurveyPage> survey(const std::string& after) const;

    struct Fed {
        std::vector<FedObject> objects;
        std::string scanned_to;
        bool at_end = false;
    };
    Result<Fed> feed(const FeedRequest& request) const;

private:
    Selection(const JobId& job, wire::JobSpec spec, std::uint64_t created_seq_end, store::ObjectStore& store, state::SliceStore& slices);
    store::BucketRef source() const { return {spec_.source, source_uid_}; }
    bool contains(const std::string& name, const store::ObjectInfo& info) const;
    Result<void> check_collision(const std::string& name) const;
    Result<SurveyPage> survey_list(const std::string& after, std::size_t names_max) const;
    Result<Fed> feed_list(const FeedRequest& request) const;
    Result<Fed> feed_ledger(const FeedRequest& request) const;

    JobId job_;
    wire::JobSpec spec_;
    RenameRule rename_;
    std::uint64_t created_seq_end_;
    std::string source_uid_;
    std::string prefix_;
    std::optional<NameTemplate> template_;
    store::ObjectStore& store_;
    state::SliceStore& slices_;
};

}  // namespace millrace::worker
