// Puts the parts of a job's list together again, in which a long one comes. Pure; lives in memory only: a target that starts again
// asks for the first part.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "wire/messages.h"

namespace millrace::worker {

class ListAssembly {
public:
    // Takes the part that comes next; another one is ignored. The number of the part that is missing now, or nullopt: the
    // specification of the directive has the whole list, and nothing is kept.
    std::optional<std::uint32_t> add(wire::Directive& directive);
    // Of a job without specification: what to ask for.
    std::uint32_t missing(const std::string& job) const;
    void forget(const std::string& job) { lists_.erase(job); }

private:
    struct List {
        std::vector<std::string> objects;
        std::uint32_t parts = 0;  // that are there
        std::uint64_t age = 0;
    };

    std::map<std::string, List> lists_;  // a few; the one that got nothing for longest gives way
    std::uint64_t clock_ = 0;
};

}  // namespace millrace::worker
