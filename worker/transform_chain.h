// One object through a transform, or through a chain of them: what one makes is the next one's input, and is stored nowhere.
// Through an empty chain it passes as it is.
//
// Runs on a lane.
#pragma once
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "state/slice_store.h"
#include "store/object_store.h"
#include "worker/lanes.h"
#include "worker/spool.h"
#include "worker/transform_table.h"

namespace millrace::worker {

class TransformChain {
public:
    // Code::unavailable, with the reason, while one of them is not here. pinned: nothing, or a digest for each of the names, while another
    // has the name it is not here.
    static Result<TransformChain> find(const TransformTable& transforms, const SpoolFolder& spool, std::span<const std::string> names,
                                       std::span<const state::PinnedDigest> pinned = {});

    // Whether it leaves objects as they are.
    bool empty() const { return transforms_.empty(); }
    // The greatest of their object timeouts.
    milliseconds timeout() const;
    // Of all that they compute; 0 if that is nothing.
    std::uint64_t digest() const;
    // The only transform, or null for a chain.
    const Transform* single() const { return transforms_.size() == 1 ? transforms_.front().get() : nullptr; }

    // To be asked later, on any thread: whether one of them was stopped meanwhile. Does not keep them.
    std::function<bool()> stop_watch() const;

    // Its results come through a connection on which others wait behind them.
    bool answers_in_line() const;
    // The first of them reads the object by itself, by its name or the path of its file, so it may have found another version than
    // the reader's, or none.
    bool reads_by_itself() const;

    // A failure names its transform where there are several. timeout: of an object, for each of them anew; the time that the reader and
    // the sink take does not count. run.destination is for the last. isolated: in scratch instances that hold this object alone. A success
    // says that the source was what had been stored, whether the first of them read all of it or not: nothing may be published before.
    Task<runtime::RunResult> feed(Lane& lane, runtime::ObjectRun run, milliseconds timeout, bool isolated, store::ObjectReader& reader,
                                  Sink& sink) const;

private:
    Task<runtime::RunResult> feed_stages(Lane& lane, runtime::ObjectRun run, milliseconds timeout, bool isolated, store::ObjectReader& reader,
                                         Sink& sink) const;
    explicit TransformChain(const SpoolFolder& spool) : spool_(&spool) {}
    Task<runtime::RunResult> feed_stage(std::size_t stage, Lane& lane, runtime::ObjectRun run, milliseconds timeout, bool isolated,
                                        Source& source, Sink& sink) const;

    const SpoolFolder* spool_;
    std::vector<std::shared_ptr<const Transform>> transforms_;
};

}  // namespace millrace::worker
