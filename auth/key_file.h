// The file with the public keys by which tokens are believed. It is read again when it has changed, so that keys are exchanged without a restart.
// Any thread.
#pragma once
#include <memory>
#include <mutex>
#include <string>

#include "auth/signing_key.h"
#include "core/clock.h"

namespace millrace::auth {

class KeyFile {
public:
    // Errors name the file.
    static Result<std::shared_ptr<KeyFile>> open(const std::string& path);
    std::shared_ptr<const VerifyingKeys> keys() const;
    // Whether there are other keys now. Looks once a second at most; what cannot be read is logged, and the keys stay.
    bool refresh();

private:
    explicit KeyFile(std::string path) : path_(std::move(path)) {}

    const std::string path_;
    mutable std::mutex mutex_;
    std::shared_ptr<const VerifyingKeys> keys_;  // guarded by mutex_
    std::string content_;                        // guarded by mutex_
    Instant looked_{};                           // guarded by mutex_
};

}  // namespace millrace::auth
