// How large the objects of a load are: "4KiB", or shares of several sizes, "4KiB:90,1MiB:10". Pure.
#pragma once
#include <string>
#include <vector>

#include "core/result.h"

namespace millrace::cli {

class SizeMix {
public:
    static Result<SizeMix> parse(const std::string& text);

    // The size of the Nth object: the same for the same seed, and any many objects have the shares.
    std::uint64_t size_of(std::uint64_t number, std::uint64_t seed) const;
    std::uint64_t largest() const;

private:
    struct Share {
        std::uint64_t bytes;
        std::uint64_t until;  // of total_
    };
    std::vector<Share> shares_;
    std::uint64_t total_ = 0;
};

}  // namespace millrace::cli
