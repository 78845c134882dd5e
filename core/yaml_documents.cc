#include "core/yaml_documents.h"

#include <yaml-cpp/depthguard.h>

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

// Before it is parsed: each costs more than the few bytes it takes.
bool has_many_documents(std::string_view text) {
    std::size_t count = 0;
    for (std::size_t at = 0; (at = text.find("---", at)) != text.npos; at += 3) {
        if ((at == 0 || text[at - 1] == '\n') && ++count > kDocumentsMax) return true;
    }
    return false;
}

}  // namespace

Result<std::vector<YAML::Node>> yaml_documents(const std::string& text, const std::string& origin) {
    if (text.size() > kYamlBytesMax) {
        return fail(Code::too_large, origin + ": a text of more than " + size_text(kYamlBytesMax) + " is not read");
    }
    if (!is_utf8(text)) return fail(Code::invalid_argument, origin + ": is not UTF-8 text");
    const Error too_many = fail(Code::invalid_argument, origin + ": holds more than " + std::to_string(kDocumentsMax) + " documents");
    if (has_many_documents(text)) return too_many;
    try {
        std::vector<YAML::Node> documents = YAML::LoadAll(text);
        std::erase_if(documents, [](const YAML::Node& document) { return !document.IsDefined() || document.IsNull(); });
        if (documents.size() > kDocumentsMax) return too_many;
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
