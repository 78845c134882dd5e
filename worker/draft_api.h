// HTTP on objects that arrive in several requests: append, and multipart upload (store/drafts.h). Requests are for this target's
// own objects. Handlers run on the lane of the connection.
//
// The handle of an append is ID.LENGTH: the draft, and how many bytes of it the client knows to be stored. So an append whose
// answer was lost can be repeated: it does not double its bytes.
#pragma once
#include <string>

#include "core/ids.h"
#include "http/server.h"
#include "store/drafts.h"

namespace millrace::worker {

class DraftApi {
public:
    DraftApi(store::ObjectStore& store, store::Drafts& drafts, TargetId self, bool sync_puts)
        : store_(store), drafts_(drafts), self_(std::move(self)), sync_puts_(sync_puts) {}

    // PUT append_type=append|flush&append_handle=…
    Task<Result<void>> append(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name);
    // POST {"action":"mpt-upload"} and {"action":"mpt-complete","value":[{"part-number":N},…]} with uploadId=…
    Task<Result<void>> command(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name);
    // PUT uploadId=…&partNumber=N, and the same with append_type=append|flush&append_handle=…: the part in several requests, the first
    // of which has no handle and begins it anew. Nothing is published.
    Task<Result<void>> put_part(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name);
    // DELETE uploadId=…
    Task<Result<void>> abort(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name);

private:
    Task<Result<std::uint64_t>> extend(http::Request& request, const store::DraftName& draft, std::uint64_t length);
    Task<Result<std::uint64_t>> begin_with_content(http::Request& request, const store::DraftName& draft);
    // A client that got no answer in time asks again while the first request still works: it is to hear how that ended.
    Task<void> wait_for_publishing(const store::DraftName& draft) const;
    Task<Result<void>> publish(http::Response& response, const store::DraftName& draft, const std::vector<std::uint32_t>& numbers);
    // Where a new piece's bytes come from: the body of the request.
    Result<store::PieceOptions> options_of(const http::Request& request) const;

    store::ObjectStore& store_;
    store::Drafts& drafts_;
    const TargetId self_;
    const bool sync_puts_;
};

}  // namespace millrace::worker
