// The configuration of a node: file < environment < flags. One fields() list per struct, in config.cc, feeds parsing and the dump;
// docs/CONFIGURATION.md is compared with it. An unknown key is an error with a suggestion; relations between values are checked by validate().
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/result.h"

namespace millrace {

struct ProxyConfig {
    std::string dir;                        // where the proxy keeps its state
    std::string host = "127.0.0.1";         // address that HTTP and ZeroMQ listen on
    std::string advertise;                  // "HOST" or "HOST:PORT" that others reach it by; empty: host and port
    std::vector<std::string> hosts;         // names, besides those, that clients use for this node in URLs
    bool insecure = false;                  // may listen where others reach it, though nobody is asked who they are
    std::string auth_key;                   // file of the public keys of tokens; empty: nobody is asked for one
    std::string tls_certificate;            // files, PEM: what this node shows; with them it speaks https alone
    std::string tls_key;
    std::string tls_ca;                     // the authority that nodes' certificates are signed by
    std::uint16_t port = 8080;              // HTTP; 0: any free one, written to <dir>/endpoint
    std::uint16_t control_port = 0;         // ZeroMQ; 0: any free one, written to <dir>/control_endpoint
    bool secure_control = false;            // targets prove their keys to the control port, which encrypts; else whoever reaches it may be one
    std::string log_level = "info";
    std::string log_file;                   // empty: stderr
    milliseconds target_timeout_ms{5000};   // silence after which a target counts as offline
    milliseconds body_idle_max_ms{15 * 60 * 1000};  // a body of which no byte comes or is taken for so long is cut
    milliseconds job_retention_ms{std::chrono::hours(30 * 24)};  // time that the proxy runs after which a job that has ended is forgotten; 0: never
    std::uint32_t ended_jobs_max = 10'000;  // of more the oldest are forgotten earlier

    Result<void> validate() const;
};

struct TargetConfig {
    std::string dir;                        // state, small objects and, unless mountpaths are given, large ones
    std::vector<std::string> mountpaths;    // one folder per disk for large objects
    std::string id;                         // empty: made at first start and kept in dir
    std::string host = "127.0.0.1";
    std::string advertise;                  // as of a proxy
    std::vector<std::string> hosts;         // as of a proxy
    bool insecure = false;
    std::string auth_key;                   // as of a proxy, as those below
    std::string tls_certificate;
    std::string tls_key;
    std::string tls_ca;
    std::uint16_t port = 0;                 // HTTP; 0: any free one, written to <dir>/endpoint
    std::string proxy;                      // ZeroMQ endpoint of the proxy, "tcp://host:port", or "file:PATH" of the file that holds it;
                                            // empty: as it was told when it joined
    std::string proxy_key;                  // the proxy's public key, 40 characters, or "file:PATH" of the file that holds it; empty: as for proxy
    std::string log_level = "info";
    std::string log_file;
    std::uint32_t lanes = 0;                // threads for objects of jobs, and as many for requests; 0: one per processor
    std::uint64_t block_cache_bytes = 32ull << 20;
    std::uint32_t window_objects_max = 1024;             // per slice: between watermark and furthest dispatched object
    milliseconds checkpoint_interval_ms{1000};
    std::uint32_t checkpoint_objects_max = 4096;
    std::uint32_t running_slices_max = 32;               // further slices wait for a place
    std::uint32_t inline_requests_max = 256;             // inline GETs at once, for all transforms
    std::string container_engine;           // socket of a Docker-compatible engine; empty: DOCKER_HOST, then the usual places
    bool fork_server = true;                // filters whose program takes long to load are loaded once and forked
    bool sandbox = true;                    // commands run locked up; else with every right of the target's user, and on the loopback only
    milliseconds body_idle_max_ms{15 * 60 * 1000};  // a body of which no byte comes or is taken for so long is cut
    bool sync_puts = false;                 // make every PUT durable against power loss before it is acknowledged

    Result<void> validate() const;
};

// Where others reach a node that listens on this port.
struct ReachableAt {
    std::string host;
    std::uint16_t port = 0;
};
ReachableAt reachable_at(const std::string& host, const std::string& advertise, std::uint16_t port);
// Every address of a machine, and so none that others reach it by: 0.0.0.0 and ::.
bool is_every_address(const std::string& host);

// 127.0.0.0/8, ::1, localhost.
bool is_loopback(const std::string& host);
// What such a node leaves open to whoever reaches its ports, and how to close it; empty: nothing. Said at every start, and by its /health.
std::string exposure(const ProxyConfig& config);
std::string exposure(const TargetConfig& config);
// Code::permission when such a node listens where others reach it, asks nobody who they are, and was not told that it may. Beside
// validate(), since a flag may tell it.
Result<void> check_exposure(const ProxyConfig& config);
Result<void> check_exposure(const TargetConfig& config);

// Reads a YAML file (none where its name is empty) into the defaults, then MILLRACE_<KEY> from the environment. Errors name file, line and key.
Result<ProxyConfig> load_proxy_config(const std::string& file);
Result<TargetConfig> load_target_config(const std::string& file);
// The YAML that load reads back, every key with its value.
std::string dump(const ProxyConfig& config);
std::string dump(const TargetConfig& config);

// The candidate nearest to the word by edit distance, or "" if none is near. For did-you-mean messages.
std::string nearest_word(const std::string& word, const std::vector<std::string>& candidates);

}  // namespace millrace
