#include "cli/chain.h"

#include <algorithm>

namespace millrace::cli {

std::vector<std::string> chain_of(std::string_view text) {
    constexpr std::string_view kArrow = ">>";
    std::vector<std::string> names;
    for (std::size_t start = 0; start <= text.size();) {
        const std::size_t end = std::min(text.find(kArrow, start), text.size());
        std::string_view name = text.substr(start, end - start);
        while (name.starts_with(' ')) name.remove_prefix(1);
        while (name.ends_with(' ')) name.remove_suffix(1);
        names.emplace_back(name);
        start = end + kArrow.size();
    }
    return names;
}

}  // namespace millrace::cli
