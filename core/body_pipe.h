// Turns a sink around: what one task writes, another task on the same executor reads. No copy is kept; a write waits until
// its bytes were read. One writer, one reader.
#pragma once
#include "core/body.h"

namespace millrace {

class BodyPipe {
public:
    // A write that is not read for so long ends with Code::timed_out. A read waits as long as it takes the writer: it must come to
    // finish() or fail().
    BodyPipe(Executor executor, Duration patience);

    Sink& sink() { return sink_; }
    Source& source() { return source_; }
    // Writer: no more bytes will come; the reader sees the end, or the error.
    void finish();
    void fail(Error error);
    // Reader: it reads no more; writes fail with the error from now on.
    void abandon(Error error);

private:
    struct PipeSink final : Sink {
        explicit PipeSink(BodyPipe& p) : pipe(p) {}
        Task<Result<void>> write(std::span<const std::byte> bytes) override;
        void break_off(const Error& error) override { pipe.abandon(error); }
        BodyPipe& pipe;
    };
    struct PipeSource final : Source {
        explicit PipeSource(BodyPipe& p) : pipe(p) {}
        std::optional<std::uint64_t> size() const override { return std::nullopt; }
        Task<Result<std::size_t>> read(std::span<std::byte> buffer) override;
        BodyPipe& pipe;
    };

    const Duration patience_;
    PipeSink sink_{*this};
    PipeSource source_{*this};
    std::span<const std::byte> offered_;
    Event readable_;  // bytes are offered, or the writer ended
    Event consumed_;  // nothing is offered, or the reader ended
    bool ended_ = false;
    std::optional<Error> write_error_;  // told to the reader
    std::optional<Error> read_error_;   // told to the writer
};

}  // namespace millrace
