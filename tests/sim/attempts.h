// Attempts at objects on a simulated target: read, transform, put; or remove. What becomes of each object the truth knows.
#pragma once
#include <map>
#include <string>

#include "worker/object_execution.h"

namespace millrace::sim {

class Target;

class Attempts final : public worker::ObjectRunner {
public:
    explicit Attempts(Target& target, std::uint64_t boot) : target_(target), boot_(boot) {}
    Task<std::expected<worker::ExecutionResult, Failure>> run(const worker::SliceContext& slice, worker::Lane& lane, std::string name,
                                                                     bool isolated) const override;

private:
    using Outcome = std::expected<worker::ExecutionResult, Failure>;
    Task<Outcome> remove(const worker::SliceContext& slice, const std::string& name) const;
    Task<Outcome> transform(const worker::SliceContext& slice, const std::string& name, bool isolated, const Executor& executor) const;
    Task<Outcome> put(const worker::SliceContext& slice, const std::string& name, const store::ObjectInfo& info, const Executor& executor) const;
    bool is_over(const worker::SliceContext& slice) const;

    Target& target_;
    const std::uint64_t boot_;  // of the process whose attempts these are
    mutable std::map<std::string, std::uint32_t> running_;  // by job
};

}  // namespace millrace::sim
