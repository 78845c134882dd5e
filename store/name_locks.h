// Keeps objects from changing: who switches a name, or needs it to stay as it is, holds its lock. Any thread.
#pragma once
#include <array>
#include <mutex>
#include <string_view>

#include "core/hash.h"

namespace millrace::store {

class NameLocks {
public:
    std::unique_lock<std::mutex> lock(std::string_view object_key) { return std::unique_lock(mutexes_[xxh64(object_key) % mutexes_.size()]); }

private:
    std::array<std::mutex, 256> mutexes_;  // by hash of the key
};

}  // namespace millrace::store
