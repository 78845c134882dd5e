// Uploads in several requests (object_uploads.h) in AIStore's words: append, and multipart upload. Handlers run on the lane of the connection.
//
// The handle of an append is ID.LENGTH: the draft, and how many bytes of it the client knows to be stored.
#pragma once
#include <string>

#include "core/ids.h"
#include "http/server.h"
#include "worker/action_message.h"
#include "worker/change_condition.h"
#include "worker/object_uploads.h"

namespace millrace::worker {

class DraftApi {
public:
    DraftApi(ObjectUploads& uploads, TargetId self) : uploads_(uploads), self_(std::move(self)) {}

    // PUT append_type=append|flush&append_handle=…
    Task<Result<void>> append(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name);
    // POST {"action":"mpt-upload"} and {"action":"mpt-complete","value":[{"part-number":N},…]} with uploadId=…; the message was read.
    Task<Result<void>> command(const ActionMessage& message, http::Request& request, http::Response& response, const std::string& bucket,
                               const std::string& name);
    // PUT uploadId=…&partNumber=N, and the same with append_type=append|flush&append_handle=…: the part in several requests, the first
    // of which has no handle and begins it anew. Nothing is published.
    Task<Result<void>> put_part(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name);
    // DELETE uploadId=…
    Task<Result<void>> abort(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name);

private:
    Task<Result<void>> answer_published(http::Response& response, const Result<store::ObjectInfo>& info, const ChangeCondition& condition) const;

    ObjectUploads& uploads_;
    const TargetId self_;
};

}  // namespace millrace::worker
