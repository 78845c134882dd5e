#include "runtime/child_environment.h"

#include <cstdlib>
#include <filesystem>
#include <map>

#include "core/log.h"
#include "runtime/remove_tree.h"

namespace millrace::runtime {
namespace fs = std::filesystem;
namespace {

std::string inherited(const char* name, const std::string& fallback) {
    const char* value = std::getenv(name);
    return value == nullptr || *value == '\0' ? fallback : value;
}

std::string default_path() { return inherited("PATH", "/usr/local/bin:/usr/bin:/bin"); }

}  // namespace

std::vector<std::string> child_environment(const TransformSpec& spec, const std::string& folder,
                                           const std::vector<std::pair<std::string, std::string>>& extra) {
    std::map<std::string, std::string> variables{
        {"PATH", default_path()}, {"HOME", inherited("HOME", folder)}, {"LANG", inherited("LANG", "C.UTF-8")}, {"TMPDIR", folder}};
    for (const auto& [name, value] : spec.env) variables[name] = value;
    for (const auto& [name, value] : extra) variables[name] = value;
    std::vector<std::string> environment;
    environment.reserve(variables.size());
    for (const auto& [name, value] : variables) environment.push_back(name + '=' + value);
    return environment;
}

std::string child_path(const TransformSpec& spec) {
    const auto given = spec.env.find("PATH");
    return given == spec.env.end() ? default_path() : given->second;
}

Result<void> make_folder(const std::string& folder) {
    std::error_code error;
    const bool is_new = fs::create_directories(folder, error);
    if (!error && is_new) fs::permissions(folder, fs::perms::owner_all, error);
    if (error) return errno_error("cannot make the folder " + folder, error.value());
    return {};
}

Result<void> check_workdir(const TransformSpec& spec) {
    std::error_code error;
    if (spec.workdir.empty() || fs::is_directory(spec.workdir, error)) return {};
    return fail(Code::not_found, "the workdir " + spec.workdir + " is not a folder on this target; make it or correct the specification");
}

void remove_folder(const std::string& folder) {
    const auto cleared = clear_path(folder);
    if (!cleared.has_value()) log::warn("folder of a transform could not be removed", {{"folder", folder}, {"error", cleared.error()}});
}

}  // namespace millrace::runtime
