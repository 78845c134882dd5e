// The inline path: GET an object through a transform, past all job machinery. Its capacity is its own, so that it is never
// queued behind a job. Runs on the lane of the connection.
#pragma once
#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/config.h"
#include "core/metrics.h"
#include "http/server.h"
#include "store/object_store.h"
#include "worker/transform_chain.h"

namespace millrace::worker {

struct InlineError {
    std::string transform;
    std::string object;  // "ais://bucket/name"
    Error error;
    std::int64_t at_unix_ns = 0;
};

// What an object is put through.
struct TransformCall {
    std::string transform;
    std::vector<std::string> pipeline;  // further ones, each fed with what the one before has made
    std::string args;
};
// Of an address, in AIStore's words: etl_name, etl_pipeline=a,b and etl_args; nullopt where it names none.
std::optional<TransformCall> transform_call(const Query& query);

// The status of an inline failure. Clients repeat what they take for a passing trouble of the server, some for minutes: a transform
// that failed is none, whatever its code.
int inline_status(Code code);

class InlineTransform {
public:
    InlineTransform(store::ObjectStore& store, const SpoolFolder& spool, const TransformTable& transforms, const TargetConfig& config);

    // Answers a GET whose address names a transform with the transformed bytes, or with an error; never with truncated bytes that look
    // whole. Results up to 64 KiB are sent with their length; larger ones stream. Two runs need not make the same bytes, so a result has
    // no entity tag, and is never given from its middle on: who has the beginning of another one would take that for the rest of it.
    Task<Result<void>> serve(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name);
    // Answers a HEAD. What is known of the source says nothing of the result, so nothing of it is told.
    Task<Result<void>> head(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name);

    // Into another sink. reader: the object. May have written something when it fails.
    Task<Result<void>> transform(const TransformCall& call, const std::string& bucket, const std::string& name, store::ObjectReader& reader, Sink& sink);

    // The last errors of a transform, newest first.
    std::vector<InlineError> errors(const std::string& transform) const;

private:
    Task<Result<void>> answer(http::Request& request, http::Response& response, const TransformCall& call, const std::string& bucket,
                              const std::string& name);
    Task<Result<void>> run(const TransformCall& call, const std::string& bucket, const std::string& name, store::ObjectReader& reader, Sink& sink);
    Result<TransformChain> chain_of(const TransformCall& call) const;
    void remember(InlineError error);

    // Where a client can talk to the server of a pulling transform itself.
    std::optional<std::string> direct_address(const TransformChain& transforms, const TransformCall& call, const std::string& bucket,
                                              const std::string& name) const;

    store::ObjectStore& store_;
    const SpoolFolder& spool_;
    const TransformTable& transforms_;
    const std::string host_;
    const std::uint32_t requests_max_;
    std::atomic<std::uint32_t> requests_ = 0;
    metrics::Counter served_;
    metrics::Counter failed_;
    metrics::Histogram seconds_;
    mutable std::mutex mutex_;
    std::deque<InlineError> errors_;  // guarded by mutex_; bounded
};

}  // namespace millrace::worker
