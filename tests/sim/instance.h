// The transform of a simulated target: its instance comes up, dies, and is switched on and off, and objects are in it meanwhile.
#pragma once
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/world.h"
#include "worker/transforms.h"

namespace millrace::sim {

class Instance final : public worker::Transforms {
public:
    // changed: it came up or is gone.
    Instance(World& world, std::function<void()> changed);
    ~Instance() override;

    void apply(const std::vector<wire::TransformEntry>& wanted) override;
    std::vector<wire::TransformReport> report() const override;
    Result<void> ready(const std::string& name, std::uint64_t digest) const override;
    std::shared_ptr<const spec::TransformSpec> spec_of(const std::string& name) const override;

    // A user's switch, and death by accident.
    void enable(bool enabled);
    void crash();

    // An object is in the instance for as long as it has such a place. A crash takes all of them.
    struct Place {
        explicit Place(const Executor& executor) : ended(executor) {}
        std::optional<Error> why;  // it ended
        Event ended;
    };
    std::shared_ptr<Place> enter(const Executor& executor);
    std::uint64_t digest() const { return digest_; }

private:
    void restart();
    void throw_out(const Error& why);

    World& world_;
    const std::function<void()> changed_;
    const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
    wire::TransformEntry entry_;
    std::shared_ptr<const spec::TransformSpec> spec_;
    std::uint64_t digest_ = 0;
    std::list<std::weak_ptr<Place>> inside_;
    std::uint64_t lives_ = 0;
    bool up_ = false;
    bool enabled_ = true;
};

}  // namespace millrace::sim
