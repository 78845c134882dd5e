#include "core/rename.h"

#include <algorithm>

#include "core/names.h"
#include "core/placement.h"

namespace millrace {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

std::string lower(std::string text) {
    std::ranges::transform(text, text.begin(), [](char c) { return lower(c); });
    return text;
}

// Where the dots at the start of the last component end: an extension begins behind that.
std::size_t stem_begin(std::string_view name) {
    const std::size_t slash = name.rfind('/');
    return name.find_first_not_of('.', slash == name.npos ? 0 : slash + 1);
}

std::string with_extension(std::string_view stem, std::string_view extension) {
    return extension.empty() ? std::string(stem) : std::string(stem) + "." + std::string(extension);
}

Error bad(const std::string& why) { return fail(Code::invalid_argument, why); }

// Each part is one for the placement, too: then a source, its output and its rivals have one key, and one target sees what collides.
Result<void> validate_extension(const std::string& extension) {
    if (extension.empty()) return {};
    const bool dotted_well = extension.front() != '.' && extension.back() != '.' && extension.find("..") == extension.npos;
    if (!dotted_well || extension.find('/') != extension.npos || !validate_object_name("x." + extension)) {
        return bad("'ext' has '" + extension + "', which is not an extension such as flac or tar.gz: no '/', and no dot at an end or next to another");
    }
    for (std::size_t begin = 0; begin <= extension.size();) {
        const std::size_t end = std::min(extension.find('.', begin), extension.size());
        if (!is_extension(std::string_view(extension).substr(begin, end - begin))) {
            return bad("'ext' has '" + extension + "', but what numbers objects is no extension: each part of one has a letter, at most three "
                       "digits, no number with zeros in front, and at most 16 bytes");
        }
        begin = end + 1;
    }
    return {};
}

}  // namespace

bool same_but_for_case(std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b, {}, [](char c) { return lower(c); }, [](char c) { return lower(c); });
}

Result<void> RenameRule::validate() const {
    std::map<std::string, std::string> folded;
    for (const auto& [from, to] : ext) {
        MILLRACE_TRY(validate_extension(from));
        MILLRACE_TRY(validate_extension(to));
        if (from.empty() && to.empty()) return bad("'ext' maps no extension to none; name one of them, such as {\"gz\": \"\"} or {\"\": \"gz\"}");
        const auto [other, is_new] = folded.emplace(any_case ? lower(from) : from, from);
        if (!is_new) return bad("'ext' maps both '" + other->second + "' and '" + from + "', which are the same in any case");
    }
    // One letter behind it makes the shortest name that can come of it.
    if (auto valid = validate_object_name(prepend + "x"); !valid) {
        return bad("'prepend' is '" + prepend + "', which no valid name begins with: " + valid.error().context);
    }
    return {};
}

RenameRule::Fit RenameRule::fit(std::string_view source) const {
    const std::size_t begin = stem_begin(source);
    const auto appended = ext.find("");
    const Fit none{.stem = source.size(), .to = appended == ext.end() || begin == source.npos ? nullptr : &appended->second};
    if (begin == source.npos) return none;
    // From the first dot on, the longest comes first.
    for (std::size_t dot = source.find('.', begin); dot != source.npos; dot = source.find('.', dot + 1)) {
        const std::string_view extension = source.substr(dot + 1);
        const auto found = any_case ? std::ranges::find_if(ext, [&](const auto& entry) { return same_but_for_case(entry.first, extension); })
                                    : ext.find(std::string(extension));
        if (found != ext.end() && !extension.empty()) return {.stem = dot, .to = &found->second};
    }
    return none;
}

std::string RenameRule::apply(std::string_view source) const {
    const Fit found = fit(source);
    if (found.to == nullptr) return prepend + std::string(source);
    return prepend + with_extension(source.substr(0, found.stem), *found.to);
}

bool RenameRule::touches(std::string_view source) const { return fit(source).to != nullptr; }

std::vector<RivalNames> RenameRule::rivals(std::string_view source) const {
    const std::string output = apply(source).substr(prepend.size());
    std::vector<RivalNames> found;
    const auto consider = [&](std::string stem, std::string extension) {
        const std::string name = stem + extension;
        if (apply(name).substr(prepend.size()) != output) return;
        const bool is_source = any_case && !extension.empty() ? false : name == source;
        const bool is_known = std::ranges::any_of(found, [&](const RivalNames& rival) { return rival.name() == name; });
        if (!is_source && !is_known) found.push_back({std::move(stem), std::move(extension)});
    };
    for (const auto& [from, to] : ext) {
        std::string_view stem = output;
        if (!to.empty()) {
            if (!output.ends_with("." + to)) continue;
            stem.remove_suffix(to.size() + 1);
        }
        consider(from.empty() ? std::string(stem) : std::string(stem) + ".", from);
    }
    if (output != source) consider(output, "");
    return found;
}

}  // namespace millrace
