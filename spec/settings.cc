#include "spec/settings.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <set>
#include <utility>

#include "core/whole_number.h"
#include "spec/quantity.h"
#include "spec/sandbox.h"

namespace millrace::spec {
namespace {

constexpr std::size_t kImageBytesMax = 512;
constexpr std::size_t kUserBytesMax = 64;
constexpr std::size_t kVersionBytesMax = 64;
constexpr std::uint64_t kStderrBytesMax = 1 << 20;
constexpr std::uint64_t kConcurrencyMax = 1024;
constexpr std::uint64_t kBatchObjectsMax = 512;
constexpr std::uint64_t kRestartsMax = 1'000'000;
constexpr std::uint64_t kTmpfsBytesMin = 4096;
constexpr std::uint64_t kAnySize = ~0ull;
constexpr std::uint64_t kAnyCount = 1'000'000'000;

bool all_of_letters_digits_and(std::string_view text, std::string_view others) {
    return std::ranges::all_of(text, [&](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || others.find(c) != others.npos; });
}

template <class Value, std::size_t N>
Result<void> read_choice(SpecReader& reader, const std::string& key, const std::array<std::pair<std::string_view, Value>, N>& choices,
                         const std::string& names, Value& out) {
    std::string text;
    MILLRACE_TRY(reader.text(key, text));
    if (!reader.has(key)) return {};
    for (const auto& [name, value] : choices) {
        if (text != name) continue;
        out = value;
        return {};
    }
    return reader.error(key, quoted_for_message(text) + " is not known; use " + names + placeholder_hint(text));
}

Result<void> refuse_keys_of_other_kinds(SpecReader& document, Kind kind) {
    if (kind != Kind::filter && document.has("retry_statuses")) {
        return document.error("retry_statuses", "is for filters ('cmd'), whose exit status says how an object went;"
                                                " a server answers with a status of 500 or more");
    }
    if (kind == Kind::filter) {
        for (const std::string key : {"listen", "health", "batch", "file_paths"}) {
            if (document.has(key)) {
                return document.error(key, "is for servers ('command' or 'runtime'); a filter ('cmd') reads its standard input");
            }
        }
        for (const std::string key : {"retry", "support_direct_put"}) {
            if (document.has(key)) document.warn(key, "is ignored: a filter is one process for each object and returns its result");
        }
    }
    if (kind == Kind::oci) {
        if (document.has("sandbox")) return document.error("sandbox", "is for 'cmd' and 'command'; a container ('runtime') is locked up by its engine");
        if (document.has("listen")) return document.error("listen", "is for 'command'; the server of a container listens on its 'port'");
        return {};
    }
    for (const std::string key : {"network", "tmpfs", "user", "pull", "port"}) {
        if (document.has(key)) return document.error(key, "is for containers ('runtime'); 'cmd' and 'command' run on the target itself");
    }
    return {};
}

// AIStore's programs write empty texts and 0s where the default is meant.
bool stands_for_default(const SpecReader& document, const std::string& key, Kind kind) {
    return kind == Kind::oci && (document.is(key, "") || document.is(key, "0s"));
}

Result<void> read_timeout(SpecReader& document, const std::string& key, Kind kind, milliseconds& out) {
    if (!stands_for_default(document, key, kind)) return document.duration(key, out);
    document.ignore(key);
    return {};
}

Result<void> read_delivery(SpecReader& document, TransformSpec& spec) {
    if (stands_for_default(document, "communication", spec.kind)) {
        document.ignore("communication");
    } else {
        MILLRACE_TRY(read_communication(document, "communication", spec.communication));
    }
    MILLRACE_TRY(document.boolean("support_direct_put", spec.direct_put));
    if (spec.kind == Kind::filter) spec.direct_put = false;
    constexpr std::array<std::pair<std::string_view, Listen>, 2> kListen{{{"unix", Listen::unix_socket}, {"tcp", Listen::tcp}}};
    MILLRACE_TRY(read_choice(document, "listen", kListen, "unix or tcp", spec.listen));
    MILLRACE_TRY(read_absolute_path(document, "health", spec.health_path));
    std::uint64_t batch = spec.batch_objects_max;
    MILLRACE_TRY(document.count("batch", kBatchObjectsMax, batch));
    spec.batch_objects_max = static_cast<std::uint32_t>(batch);
    const bool shares_connections = spec.communication == Communication::ws || spec.communication == Communication::stream;
    if (document.has("batch") && !shares_connections) {
        return document.error("batch", "is for ws:// and stream://, where objects share a connection; set 'concurrency' instead");
    }
    return check_communication(document, "communication", spec);
}

Result<void> read_container(SpecReader& document, Container& container) {
    constexpr std::array<std::pair<std::string_view, PullPolicy>, 3> kPull{
        {{"never", PullPolicy::never}, {"missing", PullPolicy::missing}, {"always", PullPolicy::always}}};
    constexpr std::array<std::pair<std::string_view, Network>, 3> kNetwork{
        {{"target", Network::target}, {"bridge", Network::bridge}, {"host", Network::host}}};
    MILLRACE_TRY(read_choice(document, "pull", kPull, "never, missing or always", container.pull));
    MILLRACE_TRY(read_choice(document, "network", kNetwork, "target, bridge or host", container.network));
    MILLRACE_TRY(document.size("tmpfs", kAnySize, container.tmpfs_bytes));
    if (container.tmpfs_bytes < kTmpfsBytesMin) return document.error("tmpfs", "must be at least 4096 bytes; it is all that the transform can write to");
    MILLRACE_TRY(document.text("user", container.user));
    if (container.user.size() > kUserBytesMax || container.user.starts_with('-') || !all_of_letters_digits_and(container.user, "_.-:")) {
        return document.error("user", quoted_for_message(container.user) + " is not a user such as 1000, 1000:1000 or nobody");
    }
    return read_port(document, "port", container);
}

Result<void> read_concurrency(SpecReader& document, TransformSpec& spec) {
    MILLRACE_TRY_ASSIGN(std::optional<SpecReader> section, document.section("concurrency"));
    if (!section) return {};
    std::uint64_t min = spec.concurrency_min;
    std::uint64_t max = spec.concurrency_max;
    MILLRACE_TRY(section->count("min", kConcurrencyMax, min));
    MILLRACE_TRY(section->count("max", kConcurrencyMax, max));
    if (min == 0) return section->error("min", "must be at least 1");
    if (max != 0 && max < min) return section->error("max", "must not be less than 'min' (0: chosen by the runtime)");
    spec.concurrency_min = static_cast<std::uint32_t>(min);
    spec.concurrency_max = static_cast<std::uint32_t>(max);
    section->warn_unknown();
    return {};
}

Result<void> read_retry(SpecReader& document, TransformSpec& spec) {
    MILLRACE_TRY_ASSIGN(std::optional<SpecReader> section, document.section("retry"));
    if (!section) return {};
    std::uint64_t restarts = spec.restarts_max;
    MILLRACE_TRY(section->count("restarts", kRestartsMax, restarts));
    if (spec.kind != Kind::filter) spec.restarts_max = static_cast<std::uint32_t>(restarts);
    section->warn_unknown();
    return {};
}

Result<void> read_retry_statuses(SpecReader& document, TransformSpec& spec) {
    MILLRACE_TRY_ASSIGN(const auto words, document.list("retry_statuses"));
    if (!document.has("retry_statuses")) return {};
    const std::string wanted = "must be a list of exit statuses from 1 to 255, such as [75]";
    if (!words) return document.error("retry_statuses", wanted);
    std::set<int> statuses;
    for (const std::string& word : *words) {
        const auto status = parse_whole<std::uint32_t>(word);
        if (!status || *status < 1 || *status > 255) return document.error("retry_statuses", wanted + ", not " + quoted_for_message(word));
        statuses.insert(static_cast<int>(*status));
    }
    spec.retry_statuses.assign(statuses.begin(), statuses.end());
    return {};
}

Result<void> read_limits(SpecReader& document, TransformSpec& spec) {
    MILLRACE_TRY_ASSIGN(std::optional<SpecReader> section, document.section("limits"));
    if (!section) return {};
    Limits& limits = spec.limits;
    MILLRACE_TRY(section->size("memory", kAnySize, limits.memory_bytes));
    MILLRACE_TRY(section->size("file_size", kAnySize, limits.file_bytes));
    MILLRACE_TRY(section->count("open_files", kAnyCount, limits.open_files));
    MILLRACE_TRY(section->count("processes", kAnyCount, limits.processes));
    milliseconds cpu_time{0};
    MILLRACE_TRY(section->duration("cpu_time", cpu_time));
    if (cpu_time.count() % 1000 != 0) return section->error("cpu_time", "must be whole seconds");
    if (section->has("cpu_time")) limits.cpu_seconds = static_cast<std::uint64_t>(cpu_time.count() / 1000);
    if (limits.open_files != 0 && limits.open_files < 8) return section->error("open_files", "must be 0 (no limit) or at least 8");
    section->warn_unknown();
    return {};
}

// Refuses what Kubernetes would refuse.
Result<void> check_quantities(SpecReader& amounts, std::uint64_t& memory_bytes, std::uint32_t& cpu_millis) {
    std::string text;
    MILLRACE_TRY(amounts.text("memory", text));
    if (amounts.has("memory")) {
        const auto memory = parse_memory_quantity(text.substr(0, 60));
        if (!memory.has_value()) return amounts.error("memory", memory.error().context + placeholder_hint(text));
        memory_bytes = *memory;
    }
    MILLRACE_TRY(amounts.text("cpu", text));
    if (amounts.has("cpu")) {
        const auto cpu = parse_cpu_quantity(text.substr(0, 60));
        if (!cpu.has_value()) return amounts.error("cpu", cpu.error().context + placeholder_hint(text));
        cpu_millis = *cpu;
    }
    amounts.warn_unknown();
    return {};
}

Result<void> read_version(SpecReader& document, std::string& version) {
    MILLRACE_TRY(document.text("version", version));
    const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
    if (version.size() <= kVersionBytesMax && std::ranges::none_of(version, is_control)) return {};
    return document.error("version", "must be one line of at most 64 bytes");
}

}  // namespace

Result<void> read_settings(SpecReader& document, TransformSpec& spec) {
    MILLRACE_TRY(refuse_keys_of_other_kinds(document, spec.kind));
    MILLRACE_TRY(read_version(document, spec.version));
    MILLRACE_TRY(read_delivery(document, spec));
    MILLRACE_TRY(read_timeout(document, "init_timeout", spec.kind, spec.init_timeout_ms));
    MILLRACE_TRY(read_timeout(document, "obj_timeout", spec.kind, spec.obj_timeout_ms));
    MILLRACE_TRY(document.variables("env", spec.env));
    if (spec.kind != Kind::filter) apply_variables(spec);
    MILLRACE_TRY(document.boolean("file_paths", spec.file_paths));
    MILLRACE_TRY(read_absolute_path(document, "workdir", spec.workdir));
    std::uint64_t stderr_bytes = spec.stderr_bytes_max;
    MILLRACE_TRY(document.size("stderr_max", kStderrBytesMax, stderr_bytes));
    spec.stderr_bytes_max = static_cast<std::uint32_t>(stderr_bytes);
    if (spec.kind == Kind::oci) MILLRACE_TRY(read_container(document, spec.container));
    MILLRACE_TRY(read_concurrency(document, spec));
    MILLRACE_TRY(read_retry(document, spec));
    if (spec.kind == Kind::filter) MILLRACE_TRY(read_retry_statuses(document, spec));
    MILLRACE_TRY(read_limits(document, spec));
    if (spec.kind != Kind::oci) MILLRACE_TRY(read_sandbox(document, spec.sandbox));
    return read_resources(document, spec);
}

Result<void> read_communication(SpecReader& reader, const std::string& key, Communication& out) {
    constexpr std::array<std::pair<std::string_view, Communication>, 4> kCommunications{{{"hpush://", Communication::hpush},
                                                                                         {"hpull://", Communication::hpull},
                                                                                         {"ws://", Communication::ws},
                                                                                         {"stream://", Communication::stream}}};
    return read_choice(reader, key, kCommunications, "hpush://, hpull://, ws:// or stream://", out);
}

Result<void> read_resources(SpecReader& reader, TransformSpec& spec) {
    MILLRACE_TRY_ASSIGN(std::optional<SpecReader> resources, reader.section("resources"));
    if (!resources) return {};
    std::uint64_t memory_bytes = 0;
    std::uint32_t cpu_millis = 0;
    MILLRACE_TRY_ASSIGN(std::optional<SpecReader> requests, resources->section("requests"));
    if (requests) {
        MILLRACE_TRY(check_quantities(*requests, memory_bytes, cpu_millis));
        resources->warn("requests", "is ignored: transforms reserve nothing");
        memory_bytes = 0;
        cpu_millis = 0;
    }
    MILLRACE_TRY_ASSIGN(std::optional<SpecReader> limits, resources->section("limits"));
    if (limits) {
        MILLRACE_TRY(check_quantities(*limits, memory_bytes, cpu_millis));
        if (memory_bytes != 0 && spec.limits.memory_bytes != 0 && memory_bytes != spec.limits.memory_bytes) {
            return limits->error("memory", "differs from 'limits.memory'; give one of them");
        }
        if (memory_bytes != 0) spec.limits.memory_bytes = memory_bytes;
        if (limits->has("cpu") && spec.kind != Kind::oci) limits->warn("cpu", "is ignored: only containers ('runtime') have a limit of processors");
        if (limits->has("cpu") && spec.kind == Kind::oci) spec.container.cpu_millis = cpu_millis;
    }
    resources->warn_unknown();
    return {};
}

Result<void> read_image(SpecReader& reader, Container& container) {
    MILLRACE_TRY(reader.text("image", container.image));
    const std::string& image = container.image;
    if (image.empty()) return reader.error("image", "is missing; name a container image such as aistorage/transformer_md5:latest");
    const bool starts_well = std::isalnum(static_cast<unsigned char>(image[0])) != 0;
    if (image.size() > kImageBytesMax || !starts_well || !all_of_letters_digits_and(image, "._-/:@+")) {
        return reader.error("image", quoted_for_message(image) + " is not the name of a container image" + placeholder_hint(image));
    }
    return {};
}

Result<void> read_port(SpecReader& reader, const std::string& key, Container& container) {
    std::uint64_t port = container.port;
    MILLRACE_TRY(reader.count(key, 65'535, port));
    if (port == 0) return reader.error(key, "must be from 1 to 65535");
    container.port = static_cast<std::uint16_t>(port);
    return {};
}

Result<void> read_absolute_path(SpecReader& reader, const std::string& key, std::string& out) {
    MILLRACE_TRY(reader.text(key, out));
    if (!reader.has(key)) return {};
    const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
    if (out.starts_with('/') && std::ranges::none_of(out, is_control)) return {};
    return reader.error(key, quoted_for_message(out) + " must be an absolute path" + placeholder_hint(out));
}

Result<void> check_communication(const SpecReader& reader, const std::string& key, const TransformSpec& spec) {
    const std::string name(communication_name(spec.communication));
    if (spec.kind == Kind::filter && spec.communication != Communication::hpush) {
        return reader.error(key, name + " needs a server ('command' or 'runtime'); a filter ('cmd') reads its standard input: leave it out");
    }
    if (spec.kind == Kind::oci && spec.communication == Communication::ws && !spec.direct_put) {
        return reader.error(key, "ws:// needs 'support_direct_put: true', and a server that can do that");
    }
    if (spec.kind == Kind::process && spec.communication == Communication::stream && spec.listen == Listen::tcp) {
        return reader.error("listen", "stream:// goes over a Unix socket; use 'listen: unix'");
    }
    return {};
}

void apply_variables(TransformSpec& spec) {
    const auto found = spec.env.find("ETL_DIRECT_FQN");
    if (found == spec.env.end()) return;
    std::string value = found->second;
    std::ranges::transform(value, value.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (value == "true") spec.file_paths = true;
}

}  // namespace millrace::spec
