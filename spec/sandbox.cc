#include "spec/sandbox.h"

#include <algorithm>
#include <filesystem>

namespace millrace::spec {
namespace {

constexpr std::size_t kPathsMax = 64;
constexpr std::size_t kPathBytesMax = 4095;  // the kernel's

// Without "." and "..", so that what is written is what is meant.
bool is_plain_path(const std::string& path) {
    const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
    const bool is_absolute = path.starts_with('/') && path.size() <= kPathBytesMax && std::ranges::none_of(path, is_control);
    return is_absolute && std::filesystem::path(path).lexically_normal() == std::filesystem::path(path);
}

Result<void> read_paths(SpecReader& section, const std::string& key, std::vector<std::string>& out) {
    MILLRACE_TRY_ASSIGN(const auto paths, section.list(key));
    if (!section.has(key)) return {};
    const std::string wanted = "must be a list of absolute paths, such as [/models]";
    if (!paths) return section.error(key, wanted);
    if (paths->size() > kPathsMax) return section.error(key, "has more than " + std::to_string(kPathsMax) + " paths; name the folder above them");
    for (const std::string& path : *paths) {
        if (!is_plain_path(path)) return section.error(key, wanted + ", without '.' and '..', not " + quoted_for_message(path) + placeholder_hint(path));
    }
    out = *paths;
    return {};
}

}  // namespace

Result<void> read_sandbox(SpecReader& document, SandboxSpec& out) {
    constexpr const char* kKey = "sandbox";
    if (document.has(kKey) && !document.is_mapping(kKey)) {
        std::string text;
        MILLRACE_TRY(document.text(kKey, text));
        if (text != "off" && text != "on") {
            return document.error(kKey, quoted_for_message(text) + " is not known; use on, off, or what it is to open: {read: [/models], write: [/scratch], "
                                                                   "network: true, disk: 64GiB}" + placeholder_hint(text));
        }
        out = SandboxSpec();
        out.off = text == "off";
        return {};
    }
    MILLRACE_TRY_ASSIGN(std::optional<SpecReader> section, document.section(kKey));
    if (!section) return {};
    out.off = false;
    MILLRACE_TRY(read_paths(*section, "read", out.read));
    MILLRACE_TRY(read_paths(*section, "write", out.write));
    MILLRACE_TRY(section->boolean("network", out.network));
    MILLRACE_TRY(section->size("disk", ~0ull, out.disk_bytes));
    section->warn_unknown();
    return {};
}

}  // namespace millrace::spec
