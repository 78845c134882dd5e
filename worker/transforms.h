// The transforms of this target, as its control plane sees them. An interface: a simulated target has some that only behave.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/result.h"
#include "spec/transform_spec.h"
#include "wire/messages.h"

namespace millrace::worker {

class Transforms {
public:
    virtual ~Transforms() = default;
    // Starts what is new, stops what is gone or disabled, restarts what has another specification. In the background. Control loop.
    virtual void apply(const std::vector<wire::TransformEntry>& wanted) = 0;
    virtual std::vector<wire::TransformReport> report() const = 0;
    // Success when objects can be fed to it now, else the reason: Code::unavailable, or Code::conflict when it was given up and
    // waits for somebody to start it again. digest: of the one that is meant, while there is another it is not ready; 0: any. Any thread.
    virtual Result<void> ready(const std::string& name, std::uint64_t digest = 0) const = 0;
    // nullptr when there is none that is enabled. Any thread.
    virtual std::shared_ptr<const spec::TransformSpec> spec_of(const std::string& name) const = 0;
};

}  // namespace millrace::worker
