#include "core/config.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <sstream>
#include <type_traits>

#include "core/file.h"
#include "core/log.h"
#include "core/names.h"
#include "core/units.h"
#include "core/whole_number.h"
#include "core/yaml_documents.h"

namespace millrace {
namespace {

template <class Config, class Visit>
    requires std::is_same_v<std::remove_const_t<Config>, ProxyConfig>
void fields(Config& self, Visit&& visit) {
    visit("dir", self.dir);
    visit("host", self.host);
    visit("advertise", self.advertise);
    visit("hosts", self.hosts);
    visit("insecure", self.insecure);
    visit("auth_key", self.auth_key);
    visit("tls_certificate", self.tls_certificate);
    visit("tls_key", self.tls_key);
    visit("tls_ca", self.tls_ca);
    visit("port", self.port);
    visit("control_port", self.control_port);
    visit("secure_control", self.secure_control);
    visit("log_level", self.log_level);
    visit("log_file", self.log_file);
    visit("target_timeout", self.target_timeout_ms);
    visit("body_idle_max", self.body_idle_max_ms);
    visit("job_retention", self.job_retention_ms);
    visit("ended_jobs_max", self.ended_jobs_max);
}

template <class Config, class Visit>
    requires std::is_same_v<std::remove_const_t<Config>, TargetConfig>
void fields(Config& self, Visit&& visit) {
    visit("dir", self.dir);
    visit("mountpaths", self.mountpaths);
    visit("id", self.id);
    visit("host", self.host);
    visit("advertise", self.advertise);
    visit("hosts", self.hosts);
    visit("insecure", self.insecure);
    visit("auth_key", self.auth_key);
    visit("tls_certificate", self.tls_certificate);
    visit("tls_key", self.tls_key);
    visit("tls_ca", self.tls_ca);
    visit("port", self.port);
    visit("proxy", self.proxy);
    visit("proxy_key", self.proxy_key);
    visit("log_level", self.log_level);
    visit("log_file", self.log_file);
    visit("lanes", self.lanes);
    visit("block_cache", self.block_cache_bytes);
    visit("window_objects_max", self.window_objects_max);
    visit("checkpoint_interval", self.checkpoint_interval_ms);
    visit("checkpoint_objects_max", self.checkpoint_objects_max);
    visit("running_slices_max", self.running_slices_max);
    visit("inline_requests_max", self.inline_requests_max);
    visit("container_engine", self.container_engine);
    visit("fork_server", self.fork_server);
    visit("sandbox", self.sandbox);
    visit("body_idle_max", self.body_idle_max_ms);
    visit("sync_puts", self.sync_puts);
}

Result<void> parse_field(const std::string& text, std::string& out) {
    out = text;
    return {};
}

Result<void> parse_field(const std::string& text, bool& out) {
    const bool is_true = text == "true" || text == "on";
    if (!is_true && text != "false" && text != "off") return fail(Code::invalid_argument, "'" + text + "' is not true or false");
    out = is_true;
    return {};
}

Result<void> parse_field(const std::string& text, milliseconds& out) {
    MILLRACE_TRY_ASSIGN(out, parse_duration(text));
    return {};
}

template <std::unsigned_integral T>
    requires(!std::is_same_v<T, bool>)
Result<void> parse_field(const std::string& text, T& out) {
    MILLRACE_TRY_ASSIGN(const std::uint64_t number, parse_size(text));
    out = static_cast<T>(number);
    if (out != number) return fail(Code::invalid_argument, "'" + text + "' is too large");
    return {};
}

Result<void> parse_field(const std::string& text, std::vector<std::string>& out) {
    out.clear();
    std::istringstream stream(text);
    for (std::string item; std::getline(stream, item, ',');) out.push_back(item);
    return {};
}

std::string environment_name(std::string_view key) {
    std::string name = "MILLRACE_";
    for (const char c : key) name += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return name;
}

std::string place(const std::string& file, const YAML::Mark& mark, const std::string& key) {
    return file + " line " + std::to_string(mark.line + 1) + (key.empty() ? "" : ", '" + key + "'");
}

template <class Config>
Result<void> read_file(const std::string& file, Config& config) {
    const auto text = millrace::read_file(file, kYamlBytesMax);
    if (!text) return fail(Code::not_found, "cannot read the configuration file " + file + ": " + text.error().context);
    MILLRACE_TRY_ASSIGN(const std::vector<YAML::Node> documents, yaml_documents(*text, file));
    const YAML::Node root = documents.empty() ? YAML::Node() : documents[0];
    if (!root.IsMap()) return fail(Code::invalid_argument, file + " must hold 'key: value' lines");
    std::vector<std::string> known;
    fields(config, [&](const char* key, auto&) { known.emplace_back(key); });
    for (const auto& item : root) {
        const std::string key = item.first.Scalar();
        if (std::ranges::find(known, key) == known.end()) {
            const std::string near = nearest_word(key, known);
            return fail(Code::invalid_argument, place(file, item.first.Mark(), key) + " is not a known key" +
                (near.empty() ? "" : "; did you mean '" + near + "'?"));
        }
    }
    Result<void> outcome;
    fields(config, [&](const char* key, auto& value) {
        const YAML::Node node = root[key];
        if (!node || !outcome) return;
        std::string text;
        if (node.IsScalar()) {
            text = node.Scalar();
        } else if (node.IsSequence() && std::is_same_v<std::decay_t<decltype(value)>, std::vector<std::string>>) {
            for (const auto& item : node) text += (text.empty() ? "" : ",") + item.Scalar();
        } else {
            outcome = fail(Code::invalid_argument, place(file, node.Mark(), key) + " has the wrong type");
            return;
        }
        if (auto parsed = parse_field(text, value); !parsed) outcome = parsed.error().during(place(file, node.Mark(), key));
    });
    return outcome;
}

template <class Config>
Result<Config> load(const std::string& file) {
    Config config;
    if (!file.empty()) MILLRACE_TRY(read_file(file, config));
    Result<void> outcome;
    fields(config, [&](const char* key, auto& value) {
        const std::string name = environment_name(key);
        const char* text = std::getenv(name.c_str());
        if (text == nullptr || !outcome) return;
        if (auto parsed = parse_field(text, value); !parsed) outcome = parsed.error().during(name);
    });
    MILLRACE_TRY(outcome);
    if (auto valid = config.validate(); !valid) return file.empty() ? valid.error() : valid.error().during(file);
    return config;
}

std::string text_of(const std::string& value) {
    const auto plain = [](unsigned char c) { return std::isalnum(c) != 0 || c == '/' || c == '.' || c == '_' || c == '-' || c >= 0x80; };
    if (!value.empty() && std::isalnum(static_cast<unsigned char>(value.front())) != 0 && std::ranges::all_of(value, plain)) return value;
    std::string quoted = "\"";
    for (const char c : value) {
        if (c == '"' || c == '\\') quoted += '\\';
        quoted += c;
    }
    return quoted + '"';
}
std::string text_of(bool value) { return value ? "true" : "false"; }
std::string text_of(milliseconds value) { return duration_text(value); }
template <std::unsigned_integral T>
    requires(!std::is_same_v<T, bool>)
std::string text_of(T value) {
    return std::to_string(value);
}
std::string text_of(const std::vector<std::string>& values) {
    std::string text = "[";
    for (const std::string& value : values) text += (text.size() > 1 ? ", " : "") + text_of(value);
    return text + "]";
}

template <class Config>
std::string dump_fields(const Config& config) {
    std::string text;
    fields(config, [&](const char* key, const auto& value) { text += std::string(key) + ": " + text_of(value) + "\n"; });
    return text;
}

Error invalid(std::string text) { return fail(Code::invalid_argument, std::move(text)); }

Result<void> check_body_idle(milliseconds limit) {
    if (limit >= milliseconds(1000)) return {};
    return invalid("'body_idle_max' must be at least 1s; a client may be slow for minutes");
}

Result<void> check_addresses(const std::string& host, const std::string& advertise) {
    if (advertise.empty() && is_every_address(host)) {
        return invalid("'host: " + host + "' listens on every address of this machine, and none of them is what others reach it by; "
            "add 'advertise: HOST', with its name or address as they see it");
    }
    const ReachableAt place = reachable_at(host, advertise, 1);
    const bool is_host = !place.host.empty() && place.host.find_first_of("/ []") == place.host.npos && place.port != 0;
    if (!is_host || is_every_address(place.host)) {
        return invalid("'advertise: " + advertise + "' is not the HOST or HOST:PORT that others reach it by, such as 192.168.1.5 or store1.example:9000");
    }
    return {};
}

}  // namespace

bool is_every_address(const std::string& host) {
    in6_addr wide{};
    in_addr narrow{};
    if (::inet_pton(AF_INET, host.c_str(), &narrow) == 1) return narrow.s_addr == 0;
    return host.empty() || host == "*" || (::inet_pton(AF_INET6, host.c_str(), &wide) == 1 && IN6_IS_ADDR_UNSPECIFIED(&wide));
}

bool is_loopback(const std::string& host) {
    in6_addr wide{};
    in_addr narrow{};
    if (::inet_pton(AF_INET, host.c_str(), &narrow) == 1) return ntohl(narrow.s_addr) >> 24 == IN_LOOPBACKNET;
    return host == "localhost" || (::inet_pton(AF_INET6, host.c_str(), &wide) == 1 && IN6_IS_ADDR_LOOPBACK(&wide));
}

namespace {

template <class Config>
bool is_open(const Config& config) { return config.auth_key.empty() && !is_loopback(config.host); }

std::string open_door(const std::string& host) {
    return "listens on " + host + ": whoever reaches that can run commands here, and is not asked who they are";
}

template <class Config>
std::string exposure_of(const Config& config) {
    if (config.auth_key.empty()) return is_open(config) ? open_door(config.host) : "";
    std::vector<std::string> gaps;
    if constexpr (requires { config.secure_control; }) {
        if (!config.secure_control) {
            gaps.emplace_back("its control port neither asks nor encrypts: whoever reaches it speaks as a target; set 'secure_control: true'");
        }
    }
    if (config.tls_certificate.empty() && !is_loopback(config.host)) {
        gaps.emplace_back("tokens and objects pass the network as plain HTTP: whoever is on the way can take them; set 'tls_certificate'");
    }
    std::string text;
    for (const std::string& gap : gaps) text += (text.empty() ? "asks users for tokens, but " : "; and ") + gap;
    return text;
}

template <class Config>
Result<void> check_exposure_of(const Config& config) {
    if (config.insecure || !is_open(config)) return {};
    return fail(Code::permission, "it " + open_door(config.host) +
        "; name the key of tokens in 'auth_key' ('millrace auth init' makes one), set 'host: 127.0.0.1', or, where the network itself keeps "
        "strangers out, 'insecure: true' or --insecure");
}

}  // namespace

std::string exposure(const ProxyConfig& config) { return exposure_of(config); }
std::string exposure(const TargetConfig& config) { return exposure_of(config); }
Result<void> check_exposure(const ProxyConfig& config) { return check_exposure_of(config); }
Result<void> check_exposure(const TargetConfig& config) { return check_exposure_of(config); }

ReachableAt reachable_at(const std::string& host, const std::string& advertise, std::uint16_t port) {
    std::string_view text = advertise.empty() ? host : advertise;
    const std::size_t colon = text.rfind(':');
    const bool is_wide = std::ranges::count(text, ':') > 1;  // an IPv6 address, whose port is told by brackets
    const bool has_port = colon != text.npos && (!is_wide || (colon > 0 && text[colon - 1] == ']'));
    if (has_port) {
        port = parse_whole<std::uint16_t>(text.substr(colon + 1)).value_or(0);
        text = text.substr(0, colon);
    }
    if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
    return {std::string(text), port};
}

Result<void> ProxyConfig::validate() const {
    if (dir.empty()) return invalid("'dir' is missing: the folder where the proxy keeps its state");
    MILLRACE_TRY(check_addresses(host, advertise));
    MILLRACE_TRY(log::parse_level(log_level));
    if (target_timeout_ms < milliseconds(500)) return invalid("'target_timeout' must be at least 500ms");
    MILLRACE_TRY(check_body_idle(body_idle_max_ms));
    return {};
}

Result<void> TargetConfig::validate() const {
    if (dir.empty()) return invalid("'dir' is missing: the folder where the target keeps its objects");
    if (!proxy.empty() && !proxy.starts_with("tcp://") && !proxy.starts_with("file:")) {
        return invalid("'proxy' must be the proxy's control endpoint, tcp://HOST:PORT or file:PATH, or left out where the target joins by an invitation");
    }
    MILLRACE_TRY(check_addresses(host, advertise));
    if (!sandbox && !is_loopback(host)) {
        return invalid("'sandbox: off' is for trying things on one machine: whoever reaches " + host + " could run commands with every right of this target's "
            "user; leave it out (a transform may say 'sandbox: off' for itself), or set 'host: 127.0.0.1'");
    }
    MILLRACE_TRY(log::parse_level(log_level));
    if (id.size() > 128 || !is_utf8(id) || id.find('\0') != id.npos) return invalid("'id' must be UTF-8 of at most 128 bytes");
    if (lanes > 256) return invalid("'lanes' must be at most 256");
    if (window_objects_max < 1 || window_objects_max > 65536) return invalid("'window_objects_max' must be 1 to 65536");
    if (checkpoint_interval_ms < milliseconds(10)) return invalid("'checkpoint_interval' must be at least 10ms");
    if (checkpoint_objects_max < 1 || running_slices_max < 1 || inline_requests_max < 1) {
        return invalid("'checkpoint_objects_max', 'running_slices_max' and 'inline_requests_max' must be at least 1");
    }
    MILLRACE_TRY(check_body_idle(body_idle_max_ms));
    return {};
}

Result<ProxyConfig> load_proxy_config(const std::string& file) { return load<ProxyConfig>(file); }
Result<TargetConfig> load_target_config(const std::string& file) { return load<TargetConfig>(file); }
std::string dump(const ProxyConfig& config) { return dump_fields(config); }
std::string dump(const TargetConfig& config) { return dump_fields(config); }

std::string nearest_word(const std::string& word, const std::vector<std::string>& candidates) {
    std::string best;
    std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
    for (const std::string& candidate : candidates) {
        std::vector<std::size_t> row(candidate.size() + 1);
        for (std::size_t j = 0; j <= candidate.size(); ++j) row[j] = j;
        for (std::size_t i = 1; i <= word.size(); ++i) {
            std::size_t diagonal = row[0];
            row[0] = i;
            for (std::size_t j = 1; j <= candidate.size(); ++j) {
                const std::size_t substituted = diagonal + (word[i - 1] == candidate[j - 1] ? 0 : 1);
                diagonal = row[j];
                row[j] = std::min({substituted, row[j] + 1, row[j - 1] + 1});
            }
        }
        if (row.back() < best_distance) {
            best_distance = row.back();
            best = candidate;
        }
    }
    return best;
}

}  // namespace millrace
