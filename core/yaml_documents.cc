#include "core/yaml_documents.h"

#include <algorithm>
#include <sstream>
#include <yaml-cpp/depthguard.h>
#include <yaml-cpp/eventhandler.h>

#include "core/names.h"
#include "core/units.h"

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

Result<std::vector<YAML::Node>> yaml_documents(const std::string& text, const std::string& origin) {
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
