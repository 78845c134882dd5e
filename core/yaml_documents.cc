#include "core/yaml_documents.h"

#include <algorithm>
#include <optional>
#include <sstream>
#include <string_view>
#include <yaml-cpp/depthguard.h>
#include <yaml-cpp/eventhandler.h>

#include "core/json.h"
#include "core/names.h"
#include "core/units.h"
#include "core/whole_number.h"

namespace millrace {
namespace {

constexpr std::size_t kDocumentsMax = 256;
constexpr int kLevelsMax = 64;
constexpr std::size_t kNodesMax = 100'000;
constexpr std::size_t kValueBytesMax = 2 * kYamlBytesMax;

// Walks as a reader would, into each alias anew.
class Walk {
public:
    bool fits(const YAML::Node& node, int level = 1) {
        if (level > kLevelsMax || ++nodes_ > kNodesMax) return false;
        if (node.IsScalar()) return (bytes_ += node.Scalar().size()) <= kValueBytesMax;
        for (const auto& item : node) {
            if (node.IsMap() ? !fits(item.first, level + 1) || !fits(item.second, level + 1) : !fits(item, level + 1)) return false;
        }
        return true;
    }

private:
    std::size_t nodes_ = 0;
    std::size_t bytes_ = 0;
};

bool is_high_surrogate(unsigned unit) { return unit >= 0xd800 && unit < 0xdc00; }
bool is_low_surrogate(unsigned unit) { return unit >= 0xdc00 && unit < 0xe000; }

// The number behind "\\u" at this place of a text.
std::optional<unsigned> escaped_unit(std::string_view text, std::size_t at) {
    if (text.substr(at, 2) != "\\u" || text.size() < at + 6) return std::nullopt;
    return parse_whole<unsigned>(text.substr(at + 2, 4), 16);
}

std::string utf8_of_pair(unsigned high, unsigned low) {
    const unsigned point = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
    std::string bytes;
    for (const int shift : {18, 12, 6, 0}) bytes += static_cast<char>((shift == 18 ? 0xf0 : 0x80) | ((point >> shift) & 0x3f));
    return bytes;
}

// JSON is YAML, but for what it writes for characters beyond U+FFFF (two escapes), and DEL, which it writes as it is. Requires JSON: no
// backslash stands outside of strings. Lines stay where they are.
std::string yaml_of_json(std::string_view text) {
    std::string yaml;
    for (std::size_t at = 0; at < text.size();) {
        const auto first = escaped_unit(text, at);
        const auto second = first && is_high_surrogate(*first) ? escaped_unit(text, at + 6) : std::nullopt;
        const std::size_t taken = second && is_low_surrogate(*second) ? 12 : text[at] == '\\' ? 2 : 1;
        if (taken == 12) {
            yaml += utf8_of_pair(*first, *second);
        } else {
            yaml += text[at] == 0x7f ? "\\x7f" : text.substr(at, taken);
        }
        at += taken;
    }
    return yaml;
}

bool has_what_only_json_has(std::string_view text) {
    if (text.find('\x7f') != text.npos) return true;
    for (std::size_t at = text.find("\\u"); at != text.npos; at = text.find("\\u", at + 2)) {
        if (const auto unit = escaped_unit(text, at); unit && is_high_surrogate(*unit)) return true;
    }
    return false;
}

// The documents that are JSON, as YAML.
std::string with_json_as_yaml(std::string_view text) {
    if (!has_what_only_json_has(text)) return std::string(text);
    std::string yaml;
    std::string document;
    const auto finish = [&] {
        yaml += parse_json(document) ? yaml_of_json(document) : document;
        document.clear();
    };
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
        std::string_view line = text.substr(0, end);
        text.remove_prefix(end);
        if (line.starts_with("---")) {
            finish();
            yaml += "---";
            line.remove_prefix(3);
        }
        document += line;
    }
    finish();
    return yaml;
}

// YAML has none but these, and the parser takes some of the others for the end of its input.
bool has_control_characters(std::string_view text) {
    return std::ranges::any_of(text, [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f; });
}

// Parsed once for nothing but this: there are texts for which the parser gives documents, or nodes, without end, and to make them into
// nodes takes all memory.
class Bounds final : public YAML::EventHandler {
public:
    explicit Bounds(std::size_t text_bytes) : nodes_left_(2 * text_bytes + kDocumentsMax) {}

    void OnDocumentStart(const YAML::Mark& mark) override { next(mark); }
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark& mark, YAML::anchor_t) override { next(mark); }
    void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { next(mark); }
    void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t, const std::string&) override { next(mark); }
    void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override { next(mark); }
    void OnSequenceEnd() override {}
    void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override { next(mark); }
    void OnMapEnd() override {}

private:
    void next(const YAML::Mark& mark) {
        if (nodes_left_-- == 0) throw YAML::ParserException(mark, "something stands here that is no node");
    }
    std::size_t nodes_left_;  // a node takes a byte, and at most one that is left out comes with it
};

bool has_many_documents(const std::string& text) {
    std::istringstream stream(text);
    YAML::Parser parser(stream);
    Bounds bounds(text.size());
    for (std::size_t count = 0; parser.HandleNextDocument(bounds);) {
        if (++count > kDocumentsMax) return true;
    }
    return false;
}

}  // namespace

Result<std::vector<YAML::Node>> yaml_documents(const std::string& given, const std::string& origin) {
    const std::string text = given.size() > kYamlBytesMax ? given : with_json_as_yaml(given);
    if (text.size() > kYamlBytesMax) {
        return fail(Code::too_large, origin + ": a text of more than " + size_text(kYamlBytesMax) + " is not read");
    }
    if (!is_utf8(text)) return fail(Code::invalid_argument, origin + ": is not UTF-8 text");
    if (has_control_characters(text)) return fail(Code::invalid_argument, origin + ": holds control characters, which YAML does not allow");
    const Error too_many = fail(Code::invalid_argument, origin + ": holds more than " + std::to_string(kDocumentsMax) + " documents");
    try {
        if (has_many_documents(text)) return too_many;
        std::vector<YAML::Node> documents = YAML::LoadAll(text);
        std::erase_if(documents, [](const YAML::Node& document) { return !document.IsDefined() || document.IsNull(); });
        Walk walk;
        for (const YAML::Node& document : documents) {
            if (walk.fits(document)) continue;
            return fail(Code::invalid_argument, origin + ": is nested too deeply, or stands for too much with its aliases");
        }
        return documents;
    } catch (const YAML::DeepRecursion& error) {
        return fail(Code::invalid_argument, origin + " line " + std::to_string(error.mark.line + 1) + ": is nested too deeply");
    } catch (const YAML::Exception& error) {
        const std::string line = error.mark.line >= 0 ? " line " + std::to_string(error.mark.line + 1) : "";
        return fail(Code::invalid_argument, origin + line + ": not valid YAML: " + error.msg);
    } catch (const std::exception& error) {
        return fail(Code::invalid_argument, origin + ": not valid YAML: " + error.what());
    }
}

}  // namespace millrace
