// A request without a connection, whose parts a test fills in.
#pragma once
#include "http/server.h"

namespace millrace::http {

class BareRequest final : public Request {
public:
    bool needs_length() const override { return false; }
    void end_with_client(std::function<bool()>) override {}
    std::optional<std::uint64_t> size() const override { return 0; }
    Task<Result<std::size_t>> read(std::span<std::byte>) override { co_return 0; }
};

}  // namespace millrace::http
