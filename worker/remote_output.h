// An output, of a job or of a copy, that belongs to another target: streamed straight to its owner while it is made. Nothing is visible
// there before finish().
//
// Lives on one lane, for one object.
#pragma once
#include <optional>
#include <string>

#include "core/body_pipe.h"
#include "core/task.h"
#include "worker/cluster_view.h"
#include "worker/job_headers.h"
#include "worker/lanes.h"

namespace millrace::worker {

class RemoteOutput {
public:
    RemoteOutput(Lane& lane, http::Endpoint endpoint, Instant deadline);
    ~RemoteOutput();  // requires finish() or abort(), so waits of the task must not throw when it is cancelled

    void begin(const std::string& bucket, const std::string& name, const JobPut& put);
    void begin(const std::string& bucket, const std::string& name, http::Headers headers);
    Sink& sink() { return pipe_.sink(); }
    // The owner has it, under this boot id: what it has not synced is gone when its boot id changes.
    Task<Result<std::string>> finish();
    Task<void> abort(const Error& error);

private:
    Task<void> send(std::string target, http::Headers headers);

    Lane& lane_;
    http::Endpoint endpoint_;
    Instant deadline_;
    BodyPipe pipe_;
    TaskGroup sending_;
    std::optional<Result<std::string>> outcome_;
};

}  // namespace millrace::worker
