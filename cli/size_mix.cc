#include "cli/size_mix.h"

#include <algorithm>

#include "core/hash.h"
#include "core/units.h"
#include "core/whole_number.h"

namespace millrace::cli {
namespace {
constexpr std::uint64_t kShareMax = 1'000'000;
}  // namespace

Result<SizeMix> SizeMix::parse(const std::string& text) {
    SizeMix mix;
    for (std::size_t from = 0; from <= text.size();) {
        const std::size_t comma = std::min(text.find(',', from), text.size());
        const std::string part = text.substr(from, comma - from);
        from = comma + 1;
        const std::size_t colon = std::min(part.find(':'), part.size());
        MILLRACE_TRY_ASSIGN(const std::uint64_t bytes, parse_size(part.substr(0, colon)));
        std::uint64_t share = 1;
        if (colon < part.size()) {
            share = parse_whole<std::uint64_t>(std::string_view(part).substr(colon + 1)).value_or(0);
            if (share == 0 || share > kShareMax) {
                return fail(Code::invalid_argument, "'" + part + "' is not SIZE or SIZE:SHARE with a share from 1 to 1000000");
            }
        }
        mix.total_ += share;
        mix.shares_.push_back({bytes, mix.total_});
    }
    return mix;
}

std::uint64_t SizeMix::size_of(std::uint64_t number, std::uint64_t seed) const {
    const std::uint64_t drawn = xxh64(std::to_string(number), seed) % total_;
    return std::ranges::upper_bound(shares_, drawn, {}, &Share::until)->bytes;
}

std::uint64_t SizeMix::largest() const { return std::ranges::max_element(shares_, {}, &Share::bytes)->bytes; }

}  // namespace millrace::cli
