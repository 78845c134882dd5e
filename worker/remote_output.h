// An output, of a job or of a copy, that belongs to another target: streamed straight to its owner while it is made. Nothing is visible
// there before finish().
//
// The owner hears of it with the first bytes that are more than a little: who makes them may be silent before that for as long as he
// likes, and what is small goes in one piece, which may be sent again where a connection turns out to be dead. From then on only
// the owner's slowness is bounded here: a minute for each write, and for its answer.
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
    // endpoint: of the owner.
    RemoteOutput(Lane& lane, const ClusterView& cluster, TargetId owner, http::Endpoint endpoint);
    ~RemoteOutput();  // requires finish() or abort(), so waits of the task must not throw when it is cancelled

    // What it is; nothing is sent yet.
    void begin(const std::string& bucket, const std::string& name, const JobPut& put);
    void begin(const std::string& bucket, const std::string& name, http::Headers headers);
    Sink& sink() { return sink_; }
    // The owner has it, under this boot id: what it has not synced is gone when its boot id changes.
    Task<Result<std::string>> finish();
    Task<void> abort(const Error& error);

private:
    struct HoldingSink final : Sink {
        explicit HoldingSink(RemoteOutput& o) : output(o) {}
        Task<Result<void>> write(std::span<const std::byte> bytes) override { return output.write(bytes); }
        void break_off(const Error& error) override { output.pipe_.sink().break_off(error); }
        RemoteOutput& output;
    };

    Task<Result<void>> write(std::span<const std::byte> bytes);
    Task<void> send(Source& body);
    // When the exchange has taken too long, asked whenever it may have.
    Instant due() const;

    Lane& lane_;
    const ClusterView& cluster_;
    const TargetId owner_;
    const http::Endpoint endpoint_;
    std::string target_;
    http::Headers headers_;
    HoldingSink sink_{*this};
    std::string held_;      // before anything is sent
    BodyPipe pipe_;
    bool streams_ = false;  // through the pipe
    bool took_some_ = false;
    bool finished_ = false;
    Instant finished_at_{};
    TaskGroup sending_;
    std::optional<Result<std::string>> outcome_;
};

}  // namespace millrace::worker
