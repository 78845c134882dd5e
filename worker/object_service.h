// What a target does with objects when somebody asks for it, whatever the words of the request: put, get, erase, copies, custom metadata,
// uploads in several requests. A dialect (object_api.h) says in its own words what is wanted, and what came of it.
//
// Each operation looks first whether the name belongs here (object_gate.h); a bucket that is not here is Code::not_found. Runs on the lane
// of the connection; what is no task answers in place, within microseconds.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/config.h"
#include "core/names.h"
#include "store/drafts.h"
#include "store/object_store.h"
#include "worker/fences.h"
#include "worker/job_put.h"
#include "worker/object_copy.h"
#include "worker/object_gate.h"
#include "worker/object_headers.h"
#include "worker/object_uploads.h"

namespace millrace::worker {

struct PutOptions {
    std::optional<std::uint64_t> expected_checksum;  // XXH64; another content is Code::checksum_mismatch
    CustomMetadata custom;
    std::optional<JobPut> job;                       // an output of a job: it has the job's metadata, and is made under its fence
    store::Precondition* condition = nullptr;        // looked at before the body is read, too
};

struct ByteSpan {
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
};

struct GetOptions {
    http::Conditions conditions;
    // The part that is wanted of a content of so many bytes, nullopt: all of it. Code::range when it lies outside.
    std::function<Result<std::optional<ByteSpan>>(std::uint64_t size)> range;
    bool verify = false;       // reads all of it before anything is answered; Code::corrupt
    bool whoever_owns = false; // what is here, though its name may belong elsewhere: for instances, which work on what is here
};

// An object, opened for a GET.
struct Opened {
    enum class What {
        whole,
        part,
        // Nothing is to be sent:
        unchanged,  // the client has it
        other,      // it is not what the conditions demand
        outside,    // it has no such part
    };
    What what = What::whole;
    std::unique_ptr<store::ObjectReader> reader;  // its info() is always that of the whole object
    ByteSpan part;
    Error refusal;  // of `other` and `outside`: why
};

class ObjectService {
public:
    ObjectService(store::ObjectStore& store, store::Drafts& drafts, const ClusterView& cluster, Fences& fences, InlineTransform& inline_transform,
                  const TargetConfig& config);

    const ObjectGate& gate() const { return gate_; }
    ObjectUploads& uploads() { return uploads_; }

    // Whether there may be such an object here; of operations that are not below.
    Result<void> check(const std::string& bucket, const std::string& name) const;

    // Stores the body as a whole, or not at all. Code::stale_epoch for an output of a run that is over, Code::unavailable for one of a
    // job while this target has not joined, or while the bucket with the job's uid is not here.
    Task<Result<store::ObjectInfo>> put(const std::string& bucket, const std::string& name, Source& body, PutOptions options);
    Task<Result<Opened>> get(const std::string& bucket, const std::string& name, const GetOptions& options);
    // whoever_owns: as GetOptions::whoever_owns. With the bucket's uid, only of that very bucket.
    Result<store::ObjectInfo> head(const store::BucketRef& bucket, const std::string& name, bool whoever_owns = false) const;
    Result<void> erase(const std::string& bucket, const std::string& name, store::Precondition* condition = nullptr);
    // To another name, perhaps of another target: as it is, or through transforms. The destination appears whole or not at all. The condition
    // is about what is copied.
    Task<Result<void>> copy(const std::string& bucket, const std::string& name, const ObjectUri& destination, const std::optional<TransformCall>& through,
                            store::Precondition* condition = nullptr);
    // Another name in the same bucket, perhaps of another target; an object that has it is replaced. Until the last moment the object has both names.
    // Code::conflict when it was overwritten meanwhile: then both stay.
    Task<Result<void>> rename(const std::string& bucket, const std::string& name, const std::string& new_name);
    // Adds to the custom metadata, or replaces all of it. The object as it is afterwards.
    Result<store::ObjectInfo> set_custom(const std::string& bucket, const std::string& name, const CustomMetadata& custom, bool replace,
                                         store::Precondition* condition = nullptr);

private:
    Result<void> look_ahead(const store::BucketRef& bucket, const std::string& name, store::Precondition& condition) const;

    store::ObjectStore& store_;
    const ClusterView& cluster_;
    Fences& fences_;
    const ObjectGate gate_;
    ObjectUploads uploads_;
    ObjectCopy copies_;
    const bool sync_puts_;
};

}  // namespace millrace::worker
