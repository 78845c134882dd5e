// The specification of a transform: what users write in YAML or JSON, checked, with defaults filled in. Pure.
// Specifications of AIStore (the runtime form, pods, and its JSON message around a pod) are accepted as they are: key names
// shared with it mean what they mean there. spec/SPECIFICATION.md is the table of all keys.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/result.h"

namespace millrace::spec {

enum class Kind { filter, process, oci };
enum class Listen { unix_socket, tcp };
enum class Communication { hpush, hpull, ws, stream };  // written hpush:// hpull:// ws:// stream://
enum class PullPolicy { never, missing, always };
enum class Network { target, bridge, host };            // target: no network but the way to its target

struct Limits {  // 0: none. Enforced with rlimits on each process of the transform; memory and processes of an oci one with cgroups.
    std::uint64_t memory_bytes = 0;      // address space; oci: what all of its processes use together
    std::uint64_t cpu_seconds = 0;
    std::uint64_t open_files = 1024;
    std::uint64_t file_bytes = 0;        // largest file it may write
    std::uint64_t processes = 0;         // of its user; not enforced by the kernel for root; oci: in its container
    bool operator==(const Limits&) const = default;
};

struct SandboxSpec {                    // of a filter or process: what it may do beyond its own folder (runtime/SANDBOX.md)
    bool off = false;
    std::vector<std::string> read;       // absolute paths of files and folders
    std::vector<std::string> write;      // read, too
    bool network = false;
    std::uint64_t disk_bytes = 16ull << 30;  // that one run may have in its folder; 0: no bound
    bool operator==(const SandboxSpec&) const = default;
};

struct Container {                       // of an oci transform
    std::string image;
    PullPolicy pull = PullPolicy::missing;
    Network network = Network::target;
    std::uint64_t tmpfs_bytes = 64ull << 20;  // of /tmp, the only place it may write to
    std::string user;                         // empty: the image's, or nobody where that is root
    std::uint16_t port = 8000;                // that its server listens on
    std::uint32_t cpu_millis = 0;             // 0: no limit
    bool operator==(const Container&) const = default;
};

struct TransformSpec {
    std::string name;
    std::string version;                 // the user's own mark: what it computes has changed although nothing else here has; may be empty
    Kind kind = Kind::filter;
    // filter: of `cmd`, which goes through /bin/sh only if it uses shell syntax; process: of `command`; oci: instead of the
    // image's entry point, may be empty.
    std::vector<std::string> argv;
    Communication communication = Communication::hpush;
    Listen listen = Listen::unix_socket; // process: how the server is reached
    bool direct_put = false;             // support_direct_put: it delivers results itself where it is told to
    bool file_paths = false;             // the object is handed over as the path of a file instead of as a body
    std::string health_path = "/health";
    Container container;
    milliseconds init_timeout_ms{45'000};
    milliseconds obj_timeout_ms{10'000};
    std::map<std::string, std::string> env;
    std::string workdir;                 // empty: a fresh folder of its own; oci: the image's
    std::uint32_t stderr_bytes_max = 4096;  // tail kept per object (filter) or per instance (server)
    std::uint32_t concurrency_min = 1;
    std::uint32_t concurrency_max = 0;   // 0: chosen by the runtime, as it goes well: up to 32; stream: what its connections have room for
    std::uint32_t batch_objects_max = 0; // `batch`: in flight on one connection of ws:// or stream://; 0: chosen by the runtime
    std::uint32_t restarts_max = 10;     // `retry.restarts`: in a row, without a good result in between, before it is given up
    std::vector<int> retry_statuses{75}; // filter: exit statuses that ask for another try, ascending; 75 is EX_TEMPFAIL of sysexits.h
    Limits limits;
    SandboxSpec sandbox;
    bool operator==(const TransformSpec&) const = default;
};

struct ParsedSpec {
    TransformSpec spec;
    std::vector<std::string> warnings;   // unknown keys, with a did-you-mean; what is ignored; placeholders nobody filled in
};

// One YAML or JSON document. Errors name origin (a file name or "request body"), line and field:
// "spec.yaml line 4, 'obj_timeout': '10 parsecs' is not a duration such as 500ms, 10s or 1m30s".
Result<ParsedSpec> parse_spec(const std::string& text, const std::string& origin);
// Every document of a multi-document YAML text.
Result<std::vector<ParsedSpec>> parse_specs(const std::string& text, const std::string& origin);
Result<TransformSpec> filter_spec(const std::string& name, const std::string& cmd);

// Its commands run with every right of the target's user: whoever registers that needs a right of its own.
bool wants_no_sandbox(const TransformSpec& spec);

std::string_view kind_name(Kind kind);                             // "filter", "process", "oci"
std::string_view communication_name(Communication communication);  // "hpush://"

// One line of JSON that parse_spec reads back to an equal spec; the form that is stored and sent.
std::string to_json(const TransformSpec& spec);
// In place of the value of a variable, which may be a secret. No specification has it for a value.
inline const std::string kHiddenValue = "***";
// What is shown of a specification.
TransformSpec without_secrets(TransformSpec spec);
// Identifies what the transform computes: name, version, image, command, environment, folder, user and limits. How objects reach it
// (communication, listen, direct put, file paths) and how long it may take do not change results, so they are left out: a job
// goes on with what it finished before such a change.
// image_id: the content digest that the engine knows the image by; empty: there is no image, or it is known by its reference only.
std::uint64_t digest(const TransformSpec& spec, const std::string& image_id = {});

// The specification, as to_json gives it, with another version; an empty one: a number that follows the present one.
Result<std::string> with_version(const std::string& spec_json, const std::string& version);

}  // namespace millrace::spec
