#include "spec/spec_reader.h"

#include <algorithm>

#include "core/config.h"
#include "core/units.h"
#include "core/whole_number.h"
#include "spec/command_line.h"
#include "spec/transform_spec.h"

namespace millrace::spec {
namespace {

constexpr std::size_t kScalarBytesMax = 256 * 1024;
constexpr std::size_t kListItemsMax = 1024;
constexpr std::size_t kUnknownKeysMax = 20;
constexpr std::size_t kVariableNameBytesMax = 256;

Result<void> check_variable(const std::string& name, const std::string& value) {
    const auto is_bad = [](char c) { return c == '=' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
    if (name.empty() || name.size() > kVariableNameBytesMax || std::ranges::any_of(name, is_bad)) {
        return fail(Code::invalid_argument, quoted_for_message(name) +
            " cannot be the name of an environment variable: 1 to 256 bytes, no '=', no control characters");
    }
    if (value == kHiddenValue) {
        return fail(Code::invalid_argument, "the value of " + quoted_for_message(name) + " is " + kHiddenValue + ", which stands for one that is not shown: "
            "put the value there");
    }
    if (value.find('\0') != value.npos) return fail(Code::invalid_argument, "the value of " + quoted_for_message(name) + " has a NUL byte");
    return {};
}

}  // namespace

std::string quoted_for_message(std::string_view text) {
    std::string shown = "'";
    for (const char c : text.substr(0, 60)) shown += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
    // Not to end inside of a UTF-8 sequence.
    if (text.size() > 60) {
        std::size_t end = shown.size();
        while (end > 1 && (static_cast<unsigned char>(text[end - 1]) & 0xc0) == 0x80) --end;
        shown.resize(end);
        shown += "…";
    }
    return shown + "'";
}

std::string placeholder_hint(std::string_view text) {
    return text.find("${") == text.npos ? "" : "; it has a placeholder in it: pass the file through envsubst first";
}

Result<SpecReader> SpecReader::open(const std::string& origin, const std::string& path, const YAML::Node& node,
                                    std::vector<std::string>& warnings) {
    SpecReader reader;
    reader.warnings_ = &warnings;
    reader.origin_ = origin;
    reader.path_ = path.empty() ? "" : path + '.';
    reader.node_ = node;
    if (!node.IsMap()) {
        return fail(Code::invalid_argument, reader.place(node, "") + (path.empty() ? ": a transform is a mapping such as 'name: to-wav'"
                                                                                  : ": must be a mapping of keys to values"));
    }
    for (const auto& pair : node) {
        if (!pair.first.IsScalar()) return fail(Code::invalid_argument, reader.place(pair.first, "") + ": a key must be a text");
        const std::string& key = pair.first.Scalar();
        if (!reader.nodes_.emplace(key, pair.second).second) {
            return fail(Code::invalid_argument, reader.place(pair.first, "") + ": " + quoted_for_message(key) + " is given twice");
        }
    }
    return reader;
}

Result<void> SpecReader::text(const std::string& key, std::string& out) {
    if (find(key) == nullptr) return {};
    MILLRACE_TRY_ASSIGN(out, scalar(key, "a text"));
    return {};
}

Result<void> SpecReader::boolean(const std::string& key, bool& out) {
    if (find(key) == nullptr) return {};
    MILLRACE_TRY_ASSIGN(const std::string value, scalar(key, "true or false"));
    if (value != "true" && value != "false") return wrong(key, value, quoted_for_message(value) + " is not true or false");
    out = value == "true";
    return {};
}

Result<void> SpecReader::duration(const std::string& key, milliseconds& out) {
    if (find(key) == nullptr) return {};
    MILLRACE_TRY_ASSIGN(const std::string value, scalar(key, "a duration such as 500ms, 10s or 1m30s"));
    const auto parsed = parse_duration(value.substr(0, 60));
    if (!parsed.has_value()) return wrong(key, value, parsed.error().context);
    if (parsed->count() <= 0) return error(key, "must be greater than 0");
    out = *parsed;
    return {};
}

Result<void> SpecReader::size(const std::string& key, std::uint64_t max, std::uint64_t& out) {
    if (find(key) == nullptr) return {};
    MILLRACE_TRY_ASSIGN(const std::string value, scalar(key, "a size such as 4096, 64KiB or 1GB"));
    const auto parsed = parse_size(value.substr(0, 60));
    if (!parsed.has_value()) return wrong(key, value, parsed.error().context);
    if (*parsed > max) return error(key, quoted_for_message(value) + " is more than the " + size_text(max) + " that are possible");
    out = *parsed;
    return {};
}

Result<void> SpecReader::count(const std::string& key, std::uint64_t max, std::uint64_t& out) {
    if (find(key) == nullptr) return {};
    MILLRACE_TRY_ASSIGN(const std::string value, scalar(key, "a number"));
    const auto number = parse_whole<std::uint64_t>(value);
    if (!number || *number > max) {
        return wrong(key, value, quoted_for_message(value) + " is not a number from 0 to " + std::to_string(max));
    }
    out = *number;
    return {};
}

Result<std::optional<std::vector<std::string>>> SpecReader::list(const std::string& key) {
    const YAML::Node* node = find(key);
    if (node == nullptr || node->IsScalar()) return std::optional<std::vector<std::string>>{};
    if (!node->IsSequence()) return error(key, "must be a text or a list of texts");
    if (node->size() > kListItemsMax) return error(key, "has more than " + std::to_string(kListItemsMax) + " items");
    std::vector<std::string> items;
    for (const auto& item : *node) {
        MILLRACE_TRY_ASSIGN(std::string value, scalar_of(item, key + "[" + std::to_string(items.size()) + "]", "a text"));
        items.push_back(std::move(value));
    }
    return std::optional(std::move(items));
}

Result<void> SpecReader::command(const std::string& key, std::vector<std::string>& out) {
    if (!has(key)) return {};
    MILLRACE_TRY_ASSIGN(std::optional<std::vector<std::string>> words, list(key));
    if (!words) {
        if (!nodes_.at(key).IsScalar()) return error(key, "must be a text or a list of texts");
        MILLRACE_TRY_ASSIGN(const std::string text, scalar(key, "a text"));
        auto split = split_command(text);
        if (!split.has_value()) return error(key, split.error().context);
        if (split->empty()) return error(key, "the command is empty");
        words = std::move(*split);
    }
    const auto checked = words->empty() ? Result<void>{} : check_command(*words);
    if (!checked.has_value()) return error(key, checked.error().context);
    out = std::move(*words);
    return {};
}

Result<void> SpecReader::variables(const std::string& key, std::map<std::string, std::string>& out) {
    const YAML::Node* node = find(key);
    if (node == nullptr || node->IsNull()) return {};
    if (!node->IsSequence() && !node->IsMap()) return error(key, "must be a list of {name, value}, or a mapping of names to values");
    if (node->size() > kListItemsMax) return error(key, "has more than " + std::to_string(kListItemsMax) + " items");
    if (node->IsSequence()) {
        std::map<std::string, std::string> given;
        std::size_t index = 0;
        for (const auto& item : *node) MILLRACE_TRY(add_variable(key + "[" + std::to_string(index++) + "]", item, given));
        for (auto& [name, value] : given) out[name] = std::move(value);
        return {};
    }
    MILLRACE_TRY_ASSIGN(const SpecReader inner, open(origin_, path_ + key, *node, *warnings_));
    for (const auto& [name, value] : inner.nodes_) {
        MILLRACE_TRY_ASSIGN(const std::string text, scalar_of(value, key + "." + name, "a text"));
        const auto checked = check_variable(name, text);
        if (!checked.has_value()) return fail(Code::invalid_argument, place(value, key) + ": " + checked.error().context);
        out[name] = text;
    }
    return {};
}

Result<void> SpecReader::add_variable(const std::string& key, const YAML::Node& item, std::map<std::string, std::string>& out) const {
    MILLRACE_TRY_ASSIGN(SpecReader pair, open(origin_, path_ + key, item, *warnings_));
    if (pair.has("valueFrom")) return pair.error("valueFrom", "is not supported; give a 'value'");
    std::string name;
    std::string value;
    MILLRACE_TRY(pair.text("name", name));
    MILLRACE_TRY(pair.text("value", value));
    if (!pair.has("name")) return pair.error("name", "is missing");
    for (const auto& [other, node] : pair.nodes_) {
        if (other != "name" && other != "value") return pair.error(other, "is not known here; a variable is {name, value}");
    }
    const auto checked = check_variable(name, value);
    if (!checked.has_value()) return pair.error("name", checked.error().context);
    if (!out.emplace(name, value).second) return pair.error("name", quoted_for_message(name) + " is given twice");
    return {};
}

Result<std::optional<SpecReader>> SpecReader::section(const std::string& key) {
    const YAML::Node* node = find(key);
    if (node == nullptr || node->IsNull()) return std::optional<SpecReader>{};
    MILLRACE_TRY_ASSIGN(SpecReader inner, open(origin_, path_ + key, *node, *warnings_));
    return std::optional(std::move(inner));
}

Result<std::vector<SpecReader>> SpecReader::sections(const std::string& key) {
    const YAML::Node* node = find(key);
    std::vector<SpecReader> items;
    if (node == nullptr || node->IsNull()) return items;
    if (!node->IsSequence()) return error(key, "must be a list");
    if (node->size() > kListItemsMax) return error(key, "has more than " + std::to_string(kListItemsMax) + " items");
    for (const auto& item : *node) {
        MILLRACE_TRY_ASSIGN(SpecReader inner, open(origin_, path_ + key + "[" + std::to_string(items.size()) + "]", item, *warnings_));
        items.push_back(std::move(inner));
    }
    return items;
}

bool SpecReader::is(const std::string& key, std::string_view text) const {
    const auto found = nodes_.find(key);
    return found != nodes_.end() && !found->second.IsMap() && !found->second.IsSequence() && found->second.Scalar() == text;
}

bool SpecReader::is_mapping(const std::string& key) const { return has(key) && nodes_.at(key).IsMap(); }

Error SpecReader::error(const std::string& key, const std::string& why) const { return fail(Code::invalid_argument, note(key, why)); }

Error SpecReader::wrong(const std::string& key, const std::string& value, const std::string& why) const {
    return error(key, why + placeholder_hint(value));
}

void SpecReader::warn(const std::string& key, const std::string& why) const { warnings_->push_back(note(key, why)); }

std::string SpecReader::note(const std::string& key, const std::string& why) const {
    const auto found = nodes_.find(key);
    return place(found == nodes_.end() ? node_ : found->second, key) + ": " + why;
}

void SpecReader::warn_unknown() const {
    std::size_t unknown = 0;
    for (const auto& [key, node] : nodes_) {
        if (std::ranges::find(known_, key) != known_.end()) continue;
        if (++unknown > kUnknownKeysMax) {
            warnings_->push_back(origin_ + ": more unknown keys are not listed");
            return;
        }
        const std::string shown = key.substr(0, 60);
        const std::string near = nearest_word(shown, known_);
        warnings_->push_back(place(node, shown) + ": is not a key of a transform and is ignored" +
                           (near.empty() ? "" : "; did you mean '" + near + "'?"));
    }
}

const YAML::Node* SpecReader::find(const std::string& key) {
    known_.push_back(key);
    const auto found = nodes_.find(key);
    return found == nodes_.end() ? nullptr : &found->second;
}

Result<std::string> SpecReader::scalar(const std::string& key, const std::string& expected) {
    return scalar_of(nodes_.at(key), key, expected);
}

Result<std::string> SpecReader::scalar_of(const YAML::Node& node, const std::string& key, const std::string& expected) const {
    const auto bad = [&](const std::string& why) { return fail(Code::invalid_argument, place(node, key) + ": " + why); };
    if (node.IsNull()) return bad("has no value; give " + expected);
    if (!node.IsScalar()) return bad("must be " + expected + ", not a " + (node.IsMap() ? "mapping" : "list"));
    const std::string& value = node.Scalar();
    if (value.size() > kScalarBytesMax) return bad("is longer than 256 KiB");
    if (value.starts_with("${") && value.ends_with('}')) {
        warnings_->push_back(place(node, key) + ": " + quoted_for_message(value) + " looks like a placeholder that envsubst should have filled in; " +
                             "it is taken as it is");
    }
    return value;
}

std::string SpecReader::place(const YAML::Node& node, const std::string& key) const {
    // A node without a place of its own (an absent value) stands where its mapping does.
    const int line = node.Mark().line >= 0 ? node.Mark().line : std::max(node_.Mark().line, 0);
    std::string field = path_ + key;
    if (key.empty() && field.ends_with('.')) field.pop_back();
    return origin_ + " line " + std::to_string(line + 1) + (field.empty() ? "" : ", " + quoted_for_message(field));
}

}  // namespace millrace::spec
