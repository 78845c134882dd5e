// The transforms of this target: one instance for each entry of the catalog, started and stopped as the catalog says.
//
// Changes happen on the control loop; find() from any thread.
#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "core/task.h"
#include "runtime/instance.h"
#include "wire/messages.h"
#include "worker/transform_metrics.h"
#include "worker/transforms.h"

namespace millrace::worker {

struct Transform {
    std::shared_ptr<runtime::Instance> instance;
    std::uint64_t digest = 0;  // of what it computes; of a container with the content of its image
    std::shared_ptr<TransformMetrics> metrics;
};

class TransformTable final : public Transforms {
public:
    TransformTable(runtime::InstanceEnvironment environment, std::function<void()> changed);
    ~TransformTable() override;  // requires stop()

    void apply(const std::vector<wire::TransformEntry>& wanted) override;
    Task<void> stop();

    // nullptr when there is none that is enabled.
    std::shared_ptr<const Transform> find(const std::string& name) const;
    Result<void> ready(const std::string& name, std::uint64_t digest = 0) const override;
    std::shared_ptr<const spec::TransformSpec> spec_of(const std::string& name) const override;
    std::vector<wire::TransformReport> report() const override;
    // Brings what is measured of each, rather than counted, up to date.
    void measure() const;
    const runtime::InstanceEnvironment& environment() const { return environment_; }

private:
    struct Held {
        std::string spec_json;
        std::string image;                           // that all targets run, as the catalog says; empty: not known, or no container
        std::shared_ptr<const Transform> transform;  // null when it is stopped or its specification is bad
        std::string problem;                         // why it is not running
    };
    static bool runs_as_wanted(const Held& held, const wire::TransformEntry& entry);
    // The cluster has agreed on the image that it runs already.
    static void take_image(Held& held, const wire::TransformEntry& entry);
    void start(const wire::TransformEntry& entry);
    Task<void> run_start(std::string name, std::shared_ptr<const Transform> transform);
    Task<void> run_stop(std::string name, std::shared_ptr<const Transform> transform);

    runtime::InstanceEnvironment environment_;
    std::function<void()> changed_;
    TaskGroup tasks_;
    std::uint64_t folders_ = 0;
    mutable std::mutex mutex_;
    std::map<std::string, Held> held_;           // guarded by mutex_
    std::multiset<std::string> stopping_;        // guarded by mutex_: names of instances that are not gone yet
};

}  // namespace millrace::worker
