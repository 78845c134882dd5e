// The data threads of a target. A lane is one thread with an event loop and the HTTP connections that it alone uses. Objects of
// jobs are spread over some lanes and client requests over others, and stay on theirs: a request does not wait in line behind
// the objects that a job has begun.
#pragma once
#include <memory>
#include <vector>

#include "core/loop.h"
#include "http/client.h"

namespace millrace::worker {

class Lane {
public:
    explicit Lane(std::size_t index, const std::string& name = "lane");
    // Without a thread or a client: of a simulated target.
    Lane(std::size_t index, Executor simulated);
    ~Lane();

    const std::size_t index;  // among all lanes of the target
    Loop loop;
    std::unique_ptr<http::Client> client;  // used on this lane only
};

class Lanes {
public:
    Lanes(const std::string& name, std::size_t first_index, std::size_t count);
    Lanes(const Executor& simulated, std::size_t count);

    Lane& at(std::size_t place) { return *lanes_[place]; }
    std::size_t size() const { return lanes_.size(); }
    std::vector<Executor> executors();
    // The lane whose thread is running. Requires to be called on one.
    static Lane& here();

private:
    std::vector<std::unique_ptr<Lane>> lanes_;
};

}  // namespace millrace::worker
