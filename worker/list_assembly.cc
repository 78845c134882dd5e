#include "worker/list_assembly.h"

#include <algorithm>
#include <iterator>

namespace millrace::worker {
namespace {
constexpr std::size_t kListsMax = 8;
}  // namespace

std::optional<std::uint32_t> ListAssembly::add(wire::Directive& directive) {
    if (directive.parts <= 1) return std::nullopt;
    if (!lists_.contains(directive.job) && lists_.size() >= kListsMax) {
        lists_.erase(std::ranges::min_element(lists_, {}, [](const auto& item) { return item.second.age; }));
    }
    List& list = lists_[directive.job];
    list.age = ++clock_;
    if (directive.part != list.parts) return list.parts;
    // Within a part they descend.
    std::ranges::reverse(directive.spec.objects);
    const bool goes_on = list.objects.empty() || directive.spec.objects.empty() || list.objects.back() < directive.spec.objects.front();
    if (!goes_on) {
        lists_.erase(directive.job);  // of another list
        return 0;
    }
    std::ranges::move(directive.spec.objects, std::back_inserter(list.objects));
    if (++list.parts < directive.parts) return list.parts;
    directive.spec.objects = std::move(list.objects);
    directive.parts = 1;
    directive.part = 0;
    lists_.erase(directive.job);
    return std::nullopt;
}

std::uint32_t ListAssembly::missing(const std::string& job) const {
    const auto found = lists_.find(job);
    return found == lists_.end() ? 0 : found->second.parts;
}

}  // namespace millrace::worker
