#include "tests/unit/wire/samples.h"

namespace millrace::wire {
namespace {

ClusterMap map() { return {.version = 300, .targets = {{"t1", "http://a:1", true, "key"}, {"t2", "", false}}}; }

JobSpec spec() {
    return {.transform = "to-wav", .pipeline = {"squeeze"}, .source = "in", .destination = "out", .prefix = "", .name_template = "", .has_list = true,
            .objects = {"a", "b"}, .ext = {{"flac", "wav"}}, .prepend = "x/", .args = "-v", .overwrite = Overwrite::changed,
            .num_workers = 4, .dry_run = DryRun::run, .object_timeout_ms = 70000, .attempts = 5,
            .on_error = OnError::abort_after_percent, .on_error_limit = 10, .operation = Operation::transform, .kind = "etl-bck",
            .ext_any_case = true, .empty_output = EmptyOutput::fail};
}

JobSpec part_of_a_list() {
    JobSpec part = spec();
    part.objects = {"b", "a"};
    return part;
}
Lineage lineage() { return {.store_id = "store-1", .branches = {"br-1"}, .generation = 3, .age = 400, .boot_id = "b1"}; }

}  // namespace

std::vector<Sample> samples() {
    return {
        {"Hello", Hello{.version = 1, .compat_version = 1, .target_id = "t1", .boot_id = "b1", .endpoint = "http://a:1",
                        .cluster_id = "c1", .catalog_version = 7, .lineage = lineage(), .proxy = {.store_id = "p1", .generation = 2},
                        .accepts_loss = true, .asks = true}},
        {"Welcome", Welcome{.version = 1, .compat_version = 1, .proxy_id = "p1", .boot_id = "b2", .cluster_id = "c1", .refused = "no",
                            .map = map(), .http_port = 8080, .lineage = lineage(), .new_branch = "br-2", .wants_catalog = true}},
        {"Heartbeat", Heartbeat{.boot_id = "b1", .catalog_version = 7, .map_version = 300, .running_slices = 2, .age = 500,
                                .unix_ms = 1'700'000'000'000}},
        {"Catalog", Catalog{.version = 7, .buckets = {{"in", "u1", 65536, 1'700'000'000'000'000'000}}, .destroyed_uids = {"u0"},
                            .transforms = {{"to-wav", "{}", true, "sha256:1"}},
                            .revoked = {{"t-1", "", 0, 1'800'000'000}, {"", "alice", 1'700'000'000, 1'800'000'000}}}},
        {"TransformStatus", TransformStatus{.catalog_version = 7,
                                            .transforms = {{"to-wav", "running", "why", "d1", 42, 1, 100, 3, "died", "log", 1500, 4096,
                                                            "forked", "sha256:1", "landlock 7", "seccomp"}},
                                            .problems = {{"in", "why"}}}},
        {"Directive", Directive{.job = "job-1", .revision = 9, .desired = Desired::run, .epoch = 2, .pass = 3, .has_spec = true,
                                .spec = part_of_a_list(), .part = 1, .parts = 3, .pins = {"u1", "u2", {{"to-wav", 300}}}, .age = 11,
                                .boot_id = "b-1"}},
        {"DirectiveAck", DirectiveAck{.job = "job-1", .revision = 9, .needs_spec = true, .part = 2}},
        {"SliceStatus", SliceStatus{.job = "job-1", .revision = 9, .incarnation = 4, .seq = 5, .state = SliceState::stalled, .reason = "why",
                                    .counters = {1, 2, 3, 4, 5, 600, 70'000, 1ull << 33, 9}, .total_objects = 10, .total_bytes = 1000,
                                    .total_known = true, .in_flight = 6, .checkpoint_bytes = 77, .failures_forgiven = 3, .outputs_lost = 2, .age = 8,
                                    .total_unmapped = 11}},
        {"StatusAck", StatusAck{.job = "job-1", .incarnation = 4, .seq = 5}},
        {"ClusterMap", map()},
        {"Goodbye", Goodbye{.boot_id = "b1"}},
    };
}

}  // namespace millrace::wire
