// Which content an image reference of a transform stands for. A tag can be moved while the transform runs: the first content that it
// was started with, or the one that the cluster has agreed on, is the only one that it is ever started with again.
//
// Any thread.
#pragma once
#include <mutex>
#include <string>

#include "core/result.h"

namespace millrace::runtime {

class ImagePin {
public:
    // id: what the cluster has agreed on, as the engine names contents ("sha256:…"); empty: nothing yet.
    explicit ImagePin(std::string id) : id_(std::move(id)) {}

    // Whether a container may be made of this content. Code::conflict, and what to do, when it is another one.
    Result<void> admit(const std::string& reference, const std::string& id);
    // Empty before anything was admitted.
    std::string id() const;

private:
    mutable std::mutex mutex_;
    std::string id_;  // guarded by mutex_
};

}  // namespace millrace::runtime
