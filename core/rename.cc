#include "core/rename.h"

namespace millrace {
namespace {

struct Split {
    std::string_view stem;  // with the dot, empty when there is no extension
    std::string_view ext;
};

Split split_extension(std::string_view name) {
    const std::size_t slash = name.rfind('/');
    const std::size_t component = slash == name.npos ? 0 : slash + 1;
    const std::size_t first_letter = name.find_first_not_of('.', component);
    const std::size_t dot = name.rfind('.');
    if (dot == name.npos || first_letter == name.npos || dot < first_letter || dot + 1 == name.size()) return {};
    return {name.substr(0, dot + 1), name.substr(dot + 1)};
}

}  // namespace

std::string RenameRule::apply(std::string_view source) const {
    const Split split = split_extension(source);
    const auto mapped = split.stem.empty() ? ext.end() : ext.find(std::string(split.ext));
    if (mapped == ext.end()) return prepend + std::string(source);
    return prepend + std::string(split.stem) + mapped->second;
}

std::vector<std::string> RenameRule::rivals(std::string_view source) const {
    const Split split = split_extension(source);
    if (split.stem.empty()) return {};
    const auto mapped = ext.find(std::string(split.ext));
    const std::string target(mapped == ext.end() ? std::string(split.ext) : mapped->second);
    std::vector<std::string> found;
    const auto consider = [&](const std::string& candidate) {
        if (candidate != split.ext) found.push_back(std::string(split.stem) + candidate);
    };
    for (const auto& [from, to] : ext) {
        if (to == target) consider(from);
    }
    if (!ext.contains(target)) consider(target);
    return found;
}

}  // namespace millrace
