// What a container writes to its stdout and stderr, as a stream of bytes.
//
// An engine sends it in frames (stream, length, bytes); here they are joined in the order of their arrival, whatever
// pieces they came in. Nothing is stored: neither here nor by the engine. Used on the executor of its Engine.
#pragma once
#include <array>
#include <memory>

#include "core/body.h"

namespace millrace::runtime {

class ContainerOutput final : public Source {
public:
    explicit ContainerOutput(std::unique_ptr<Source> frames) : frames_(std::move(frames)) {}

    std::optional<std::uint64_t> size() const override { return std::nullopt; }
    // 0 when the container has ended, or its engine. Code::corrupt for bytes that are no frames, as a container with a
    // terminal sends them; Code::incomplete_body when the last frame is not whole.
    Task<Result<std::size_t>> read(std::span<std::byte> buffer) override;

private:
    // False at the end.
    Task<Result<bool>> read_header();

    static constexpr std::size_t kHeaderBytes = 8;
    std::unique_ptr<Source> frames_;
    std::uint32_t left_ = 0;  // of the frame that is being read
    std::array<std::byte, kHeaderBytes> header_{};
};

}  // namespace millrace::runtime
