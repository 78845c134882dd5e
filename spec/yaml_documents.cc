#include "spec/yaml_documents.h"

#include <yaml-cpp/depthguard.h>

#include "core/names.h"
#include "core/units.h"

namespace millrace::spec {
namespace {

constexpr std::size_t kTextBytesMax = 1 << 20;
constexpr std::size_t kDocumentsMax = 256;

}  // namespace

Result<std::vector<YAML::Node>> yaml_documents(const std::string& text, const std::string& origin) {
    if (text.size() > kTextBytesMax) {
        return fail(Code::too_large, origin + ": a specification of more than " + size_text(kTextBytesMax) + " is not read");
    }
    if (!is_utf8(text)) return fail(Code::invalid_argument, origin + ": is not UTF-8 text");
    try {
        std::vector<YAML::Node> documents = YAML::LoadAll(text);
        std::erase_if(documents, [](const YAML::Node& document) { return !document.IsDefined() || document.IsNull(); });
        if (documents.empty()) {
            return fail(Code::invalid_argument, origin + ": holds no transform; it needs 'name' and 'cmd', 'command' or 'runtime'");
        }
        if (documents.size() > kDocumentsMax) {
            return fail(Code::invalid_argument, origin + ": holds more than " + std::to_string(kDocumentsMax) + " documents");
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

}  // namespace millrace::spec
