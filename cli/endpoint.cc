#include "cli/endpoint.h"

#include <fstream>
#include <string_view>


namespace millrace::cli {
namespace {

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view kBlank = " \t\r";
    const std::size_t first = text.find_first_not_of(kBlank);
    if (first == text.npos) return {};
    text = text.substr(first, text.find_last_not_of(kBlank) - first + 1);
    if (text.size() >= 2 && (text.front() == '"' || text.front() == '\'') && text.back() == text.front()) {
        text = text.substr(1, text.size() - 2);
    }
    return text;
}

std::string config_file(const Console& console) {
    if (const auto xdg = console.environment("XDG_CONFIG_HOME"); xdg && !xdg->empty()) {
        return *xdg + "/millrace/config.yaml";
    }
    if (const auto home = console.environment("HOME"); home && !home->empty()) {
        return *home + "/.config/millrace/config.yaml";
    }
    return "";
}

Result<ProxyAddress> parse(std::string text, std::string origin) {
    if (text.starts_with("http") && text.ends_with('/')) text.pop_back();
    auto endpoint = http::Endpoint::parse(text);
    if (!endpoint) {
        return fail(Code::invalid_argument,
                    "'" + text + "' (from " + origin +
                        ") is not an address such as http://127.0.0.1:8080: " + endpoint.error().context);
    }
    return ProxyAddress{std::move(*endpoint), std::move(origin)};
}

}  // namespace

Setting setting(const Console& console, std::string_view key) {
    const std::string file = config_file(console);
    const std::string begin = std::string(key) + ":";
    std::ifstream lines(file);
    for (std::string line; std::getline(lines, line);) {
        if (!line.starts_with(begin)) continue;
        const std::string_view value = std::string_view(line).substr(begin.size());
        return {std::string(trimmed(value.substr(0, value.find(" #")))), file};
    }
    return {};
}

Result<ProxyAddress> find_proxy(const std::string& flag, const Console& console) {
    if (!flag.empty()) return parse(flag, "--endpoint");
    for (const char* name : {"MILLRACE_ENDPOINT", "AIS_ENDPOINT"}) {
        if (auto value = console.environment(name); value && !value->empty()) return parse(*value, name);
    }
    if (Setting found = setting(console, "endpoint"); !found.value.empty()) return parse(std::move(found.value), std::move(found.file));
    return parse("http://127.0.0.1:8080", "the default");
}

}  // namespace millrace::cli
