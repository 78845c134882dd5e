// A sink in front of a slower one: what that does not take soon waits in a nameless file, so that whoever writes is not held up for long,
// nor are others who wait for the writer. At most 256 MiB wait; then the writer does, too.
//
// Lives on one executor. One writer.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "core/body.h"
#include "core/descriptor.h"
#include "core/task.h"
#include "worker/spool.h"

namespace millrace::worker {

class SpoolingSink final : public Sink {
public:
    SpoolingSink(Executor executor, const SpoolFolder& folder, Sink& slower);
    ~SpoolingSink() override;  // requires finish() or abandon()

    // An error of the slower one is told to a later write, or by finish().
    Task<Result<void>> write(std::span<const std::byte> bytes) override;
    // Returns when the slower one has taken everything. Its task must not throw when it is cancelled, as below.
    Task<Result<void>> finish();
    // From its return on the slower one is not touched.
    Task<void> abandon();

private:
    Task<void> pass_on();
    Result<void> spool(std::span<const std::byte> bytes);
    Result<std::size_t> take_back();
    Task<void> wait_for_room();
    bool has_waiting() const { return written_ > taken_; }

    Sink& slower_;
    const std::string folder_;
    std::vector<std::byte> passing_;   // what the slower one is given next, or now
    std::size_t passing_bytes_ = 0;    // 0: it is given nothing
    Descriptor file_;
    std::uint64_t written_ = 0;        // into the file, and taken out of it again
    std::uint64_t taken_ = 0;
    Duration held_up_{};               // the writer, so far
    std::optional<Error> error_;       // of the slower one
    bool spool_is_full_ = false;       // its folder takes no more
    Event offered_;
    Event passed_;
    TaskGroup tasks_;
};

}  // namespace millrace::worker
