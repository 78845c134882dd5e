// A body that is compared with the digest that its client says it has, while it passes. XXH64 is not for here: the store compares that.
#pragma once
#include <memory>
#include <optional>

#include "core/body.h"
#include "worker/object_headers.h"

namespace millrace::worker {

class CheckedBody final : public Source {
public:
    // body outlives it. Without a digest the body passes as it is.
    CheckedBody(Source& body, const std::optional<ExpectedContent::Digest>& digest);
    ~CheckedBody() override;

    std::optional<std::uint64_t> size() const override { return body_.size(); }
    // Where the end would be, Code::checksum_mismatch for another content: who stores what it reads has nothing then.
    Task<Result<std::size_t>> read(std::span<std::byte> buffer) override;
    std::optional<std::string_view> whole() const override { return digest_ ? std::nullopt : body_.whole(); }

private:
    class Running;
    Result<void> compare();

    Source& body_;
    const std::optional<ExpectedContent::Digest> digest_;
    std::unique_ptr<Running> running_;
};

}  // namespace millrace::worker
