// The data threads of a target. A lane is one thread with an event loop and the HTTP connections that it alone uses; objects
// and client requests are spread over the lanes and stay on theirs.
#pragma once
#include <memory>
#include <vector>

#include "core/loop.h"
#include "http/client.h"

namespace millrace::worker {

class Lane {
public:
    explicit Lane(std::size_t index);
    ~Lane();

    const std::size_t index;
    Loop loop;
    std::unique_ptr<http::Client> client;  // used on this lane only
};

class Lanes {
public:
    explicit Lanes(std::size_t count);

    Lane& at(std::size_t index) { return *lanes_[index]; }
    std::size_t size() const { return lanes_.size(); }
    std::vector<Executor> executors();
    // The lane whose thread is running. Requires to be called on one.
    static Lane& here();

private:
    std::vector<std::unique_ptr<Lane>> lanes_;
};

}  // namespace millrace::worker
