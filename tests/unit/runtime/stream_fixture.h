// Transforms that speak the stream protocol: tests/support/stream_server.py, and its like in C++. Objects are run many at once,
// from one lane.
#pragma once
#include <vector>

#include "process_fixture.h"

namespace millrace::runtime {

class StreamFixture : public InstanceTest {
protected:
    static TransformSpec spec_of(std::vector<std::string> argv) {
        TransformSpec spec;
        spec.name = "a-stream";
        spec.kind = Kind::process;
        spec.communication = spec::Communication::stream;
        spec.argv = std::move(argv);
        return spec;
    }
    // how: the number of workers, or a way to misbehave.
    static TransformSpec python_spec(const std::string& how = "1") { return spec_of({"/usr/bin/python3", "-S", MILLRACE_STREAM_SERVER, how}); }
    static TransformSpec cpp_spec() { return spec_of({MILLRACE_STREAM_CPP_SERVER}); }

    Task<void> run_one(std::size_t lane, std::string input, Outcome& outcome) {
        MemorySource source(input);
        MemorySink sink(64 << 20);
        const ObjectRun one = object();
        outcome.result = co_await instance_->run(lane, one, source, sink);
        outcome.output = std::move(sink.bytes());
    }
    // Begins them in this order, before any is answered.
    Task<void> run_all(std::size_t lane, const std::vector<std::string>& inputs, std::vector<Outcome>& outcomes) {
        outcomes.resize(inputs.size());
        TaskGroup group(lane == 0 ? lane_.executor() : other_lane_.executor());
        for (std::size_t i = 0; i < inputs.size(); ++i) group.spawn(run_one(lane, inputs[i], outcomes[i]));
        co_await group.join();
    }
    std::vector<Outcome> run_all(const std::vector<std::string>& inputs) {
        std::vector<Outcome> outcomes;
        run_blocking(lane_, run_all(0, inputs, outcomes));
        return outcomes;
    }
    bool said(const std::string& word) {
        return eventually([&] { return instance_->log_tail().find(word + "\n") != std::string::npos; });
    }
};

}  // namespace millrace::runtime
