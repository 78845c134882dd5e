// Keeps objects from changing: who switches a name, or needs it to stay as it is, holds its lock. Any thread.
#pragma once
#include <algorithm>
#include <array>
#include <mutex>
#include <string_view>
#include <vector>

#include "core/hash.h"

namespace millrace::store {

class NameLocks {
public:
    using Lock = std::unique_lock<std::mutex>;

    Lock lock(std::string_view object_key) { return Lock(mutexes_[place(object_key)]); }
    // Of many names; by a thread that holds none. Always in the same order, so that two threads do not wait for each other.
    template <class Keys>
    std::vector<Lock> lock_all(const Keys& object_keys) {
        std::vector<std::size_t> places;
        for (const std::string_view key : object_keys) places.push_back(place(key));
        std::ranges::sort(places);
        const auto repeated = std::ranges::unique(places);
        places.erase(repeated.begin(), repeated.end());
        std::vector<Lock> locks;
        locks.reserve(places.size());
        for (const std::size_t each : places) locks.emplace_back(mutexes_[each]);
        return locks;
    }

private:
    static constexpr std::size_t kMutexes = 4096;  // many, since lanes publish in groups
    static std::size_t place(std::string_view object_key) { return xxh64(object_key) % kMutexes; }

    std::array<std::mutex, kMutexes> mutexes_;  // by hash of the key
};

}  // namespace millrace::store
