#include "aistore/configuration.h"

#include "aistore/bucket_props.h"
#include "aistore/cluster_view.h"

namespace millrace::aistore {
namespace {

using nlohmann::json;

// How AIStore's nodes send objects to each other.
json stream() { return {{"compression", "never"}, {"bundle_multiplier", 1}, {"burst_buffer", 0}}; }

json with(json section, const json& more) {
    section.update(more);
    return section;
}

void add_jobs(json& all) {
    for (const char* job : {"tcb", "tco", "arch"}) all[job] = stream();
    all["lso"] = with(stream(), {{"walk_buffer", 0}, {"idle_time", "15s"}, {"quiescent", "0s"}});
    all["get_batch"] = with(stream(), {{"max_wait", "0s"}, {"warmup_workers", -1}, {"max_soft_errs", 0}, {"max_gfn", 0}});
    all["rebalance"] = with(stream(), {{"dest_retry_time", "0s"}, {"enabled", false}});
    all["resilver"] = {{"enabled", false}};
    all["downloader"] = {{"timeout", "0s"}};
    all["transport"] = {{"max_header", 0}, {"burst_buffer", 0}, {"idle_teardown", "0s"}, {"quiescent", "0s"}, {"lz4_block", "0B"},
                        {"lz4_frame_checksum", false}};
}

void add_storage(json& all) {
    all["space"] = {{"cleanupwm", 100}, {"lowwm", 100}, {"highwm", 100}, {"out_of_space", 100}, {"batch_size", 0}, {"dont_cleanup_time", "0s"}};
    all["disk"] = {{"disk_util_low_wm", 20}, {"disk_util_high_wm", 80}, {"disk_util_max_wm", 95}, {"iostat_time_long", "0s"},
                   {"iostat_time_short", "500ms"}, {"iostat_time_smooth", "0s"}};
    all["fshc"] = {{"test_files", 0}, {"error_limit", 0}, {"io_err_limit", 0}, {"io_err_time", "0s"}, {"enabled", false}};
    all["memsys"] = {{"min_free", "0B"}, {"default_buf", "64KiB"}, {"to_gc", "0B"}, {"hk_time", "0s"}, {"min_pct_total", 0}, {"min_pct_free", 0}};
}

void add_network(json& all, const std::string& proxy_url) {
    all["proxy"] = {{"primary_url", proxy_url}, {"original_url", proxy_url}, {"discovery_url", ""}, {"non_electable", false}};
    all["net"] = {{"l4", {{"proto", "tcp"}, {"sndrcv_buf_size", 0}}},
                  {"http", {{"use_https", false}, {"skip_verify", false}, {"chunked_transfer", true}, {"server_crt", ""}, {"server_key", ""},
                            {"domain_tls", ""}, {"client_ca_tls", ""}, {"client_auth_tls", 0}, {"idle_conn_time", "1m15s"},
                            {"backend_idle_conn_time", "0s"}, {"idle_conns", 0}, {"idle_conns_per_host", 0}, {"write_buffer_size", 0},
                            {"read_buffer_size", 0}}},
                  {"use_ipv6", false}};
    all["timeout"] = {{"cplane_operation", "500ms"}, {"max_keepalive", "5s"}, {"max_host_busy", "20s"}, {"startup_time", "0s"}, {"join_startup_time", "0s"},
                      {"send_file_time", "15m"}, {"ec_streams_time", "0s"}, {"object_md", "0s"}, {"cold_get_conflict", "0s"}};
    all["client"] = {{"client_timeout", "10s"}, {"client_long_timeout", "5m"}, {"list_timeout", "5m"}};
    const json heartbeat{{"name", "heartbeat"}, {"interval", "500ms"}, {"factor", 10}};
    all["keepalivetracker"] = {{"proxy", heartbeat}, {"target", heartbeat}, {"num_retries", 0}, {"retry_factor", 0}};
    all["periodic"] = {{"stats_time", "0s"}, {"retry_sync_time", "500ms"}, {"notif_time", "1s"}};
}

Result<void> said_where(const Result<void>& checked) {
    if (checked) return checked;
    return fail(Code::invalid_argument, checked.error().context + ". What there is a choice of is set in the configuration file of each node "
        "(docs/CONFIGURATION.md) and takes effect when the node is started again");
}

}  // namespace

json cluster_configuration(const std::string& proxy_url, const std::string& cluster_id) {
    json all{{"uuid", cluster_id}, {"lastupdate_time", ""}, {"config_version", "1"}, {"features", "0"}, {"backend", json::object()}};
    all["auth"] = {{"enabled", false}, {"client_auth_required", false}};
    all["log"] = {{"level", "3"}, {"max_size", "1MiB"}, {"max_total", "1MiB"}, {"flush_time", "0s"}, {"stats_time", "0s"}, {"to_stderr", true}};
    const json props = bucket_props({});  // every bucket's
    for (const char* section : {"checksum", "versioning", "mirror", "ec", "lru", "chunks", "write_policy", "rate_limit"}) all[section] = props[section];
    add_jobs(all);
    add_storage(all);
    add_network(all, proxy_url);
    return all;
}

json node_configuration(json cluster, const std::string& node_url, const std::vector<std::string>& folders) {
    const json net = network(node_url);
    const json port = net["daemon_port"], host = net["node_hostname"];
    cluster["confdir"] = "";
    cluster["log_dir"] = "";
    cluster["host_net"] = {{"hostname", host}, {"hostname_intra_control", host}, {"hostname_intra_data", host},
                           {"port", port}, {"port_intra_control", port}, {"port_intra_data", port}};
    json& paths = cluster["fspaths"] = json::object();
    for (const std::string& folder : folders) paths[folder] = "";
    cluster["test_fspaths"] = {{"root", ""}, {"count", 0}, {"instance", 0}};
    return cluster;
}

Result<void> check_settings(const Query& settings, const json& configuration) {
    for (const auto& [path, value] : settings.items()) {
        if (path != "transient" && path != "node") MILLRACE_TRY(said_where(check_wanted(path, value, configuration)));
    }
    return {};
}

Result<void> check_settings(const json& settings, const json& configuration) { return said_where(check_wanted(settings, configuration)); }

}  // namespace millrace::aistore
