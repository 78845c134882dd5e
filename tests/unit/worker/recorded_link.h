// A target's end of the control plane that keeps what is said.
#pragma once
#include <vector>

#include "wire/links.h"

namespace millrace::worker {

class RecordedLink final : public wire::LinkToProxy {
public:
    explicit RecordedLink(std::vector<wire::Message>& said) : said_(said) {}
    Result<void> send(const wire::Message& message) override {
        said_.push_back(message);
        return {};
    }
    void stop() override {}

private:
    std::vector<wire::Message>& said_;
};

}  // namespace millrace::worker
