// The messages between a proxy and its targets. PROTOCOL.md gives the grammar and the sequences.
//
// The member name is the key on the wire. Evolution is additive: a new member has a default. Numbers of enumerators travel
// and are never reused. validate() says whether a decoded message may be believed; codec.h calls it.
#pragma once
#include <cstdint>
#include <map>
#include <msgpack.hpp>
#include <string>
#include <vector>

#include "core/rename.h"
#include "core/result.h"
#include "core/slice_counters.h"
#include "wire/lineage.h"

namespace millrace::wire {

inline constexpr std::uint32_t kVersion = 3;        // of this program
inline constexpr std::uint32_t kCompatVersion = 3;  // oldest peer that it can talk to: those of 2 do not show who they are

enum class Operation : int { transform = 0, copy = 1, remove = 2 };
enum class Overwrite : int { always = 0, never = 1, changed = 2 };
enum class DryRun : int { no = 0, plan = 1, run = 2 };
// What is done about results with next to nothing in them (worker/near_empty.h): they are counted; taken as they are; not made.
enum class EmptyOutput : int { warn = 0, keep = 1, fail = 2 };
enum class OnError : int { go_on = 0, abort_after_count = 1, abort_after_percent = 2 };
enum class Desired : int { prepare = 1, run = 2, pause = 3, stop = 4, forget = 5 };
enum class SliceState : int { preparing = 1, ready = 2, running = 3, stalled = 4, paused = 5, finished = 6, stopped = 7, failed = 8 };

// What one slice has to do. The same for every target but for `objects`.
struct JobSpec {
    std::string transform;                   // of a transform only, like the pipeline and the arguments
    std::vector<std::string> pipeline;       // further transforms, each fed with what the one before has made
    std::string source;
    std::string destination;                 // empty when objects are removed
    std::string prefix;
    std::string name_template;
    bool has_list = false;
    std::vector<std::string> objects;        // of the list: those that this target owns, sorted, each once
    std::map<std::string, std::string> ext;  // see RenameRule
    std::string prepend;
    std::string args;
    Overwrite overwrite = Overwrite::always;
    std::uint32_t num_workers = 0;           // 0: adaptive
    DryRun dry_run = DryRun::no;
    std::uint64_t object_timeout_ms = 0;     // 0: the transform's
    std::uint32_t attempts = 3;
    OnError on_error = OnError::go_on;
    std::uint64_t on_error_limit = 0;        // failures, or percent, that are still tolerated
    Operation operation = Operation::transform;
    std::string kind;                        // free text of the submitter
    bool ext_any_case = false;
    EmptyOutput empty_output = EmptyOutput::warn;
    MSGPACK_DEFINE_MAP(transform, pipeline, source, destination, prefix, name_template, has_list, objects, ext, prepend, args, overwrite,
                       num_workers, dry_run, object_timeout_ms, attempts, on_error, on_error_limit, operation, kind, ext_any_case,
                       empty_output)
    Result<void> validate() const;
    Result<void> validate_part() const;  // the objects are a part of a list, and descend
    // Those that every object passes through, in order; none when it is copied or removed.
    std::vector<std::string> transforms() const;
    RenameRule rename() const { return {ext, prepend, ext_any_case}; }
    // Whether it makes objects in the destination.
    bool writes() const { return operation != Operation::remove && dry_run == DryRun::no; }
};

struct PinnedTransform {
    std::string name;
    std::uint64_t digest = 0;  // of what it computes: spec::digest()
    MSGPACK_DEFINE_MAP(name, digest)
    friend bool operator==(const PinnedTransform&, const PinnedTransform&) = default;
};

// What the names in a JobSpec meant when the job was submitted: another bucket or transform of the name is not it. Empty, as of a job
// from before there were pins: whatever has the name.
struct Pins {
    std::string source_uid;
    std::string destination_uid;              // empty when nothing is written
    std::vector<PinnedTransform> transforms;  // those of JobSpec::transforms(), in order
    MSGPACK_DEFINE_MAP(source_uid, destination_uid, transforms)
    bool empty() const { return source_uid.empty(); }
    friend bool operator==(const Pins&, const Pins&) = default;
};

struct Node {
    std::string id;
    std::string endpoint;  // "http://host:port"; empty while never seen
    bool online = false;
    // By which the receiver of the map proves itself to this node; its own entry: what the others' come from (auth/node_keys.h). Empty: as it was told before.
    std::string key{};
    MSGPACK_DEFINE_MAP(id, endpoint, online, key)
};

struct ClusterMap {
    std::uint64_t version = 0;
    std::vector<Node> targets;  // sorted by id; an offline target still owns its objects
    MSGPACK_DEFINE_MAP(version, targets)
    Result<void> validate() const;
};

// Gives the nodes of a map that was sent without keys those that are known of an earlier one. False when one is missing.
bool keep_keys(ClusterMap& map, const ClusterMap& known);

// target → proxy, until welcomed: at first every few milliseconds, then ten times a second
struct Hello {
    std::uint32_t version = kVersion;
    std::uint32_t compat_version = kCompatVersion;
    std::string target_id;
    std::string boot_id;     // fresh at every start of the process
    std::string endpoint;    // of its HTTP server
    std::string cluster_id;  // of the cluster it belongs to; empty at its first start
    std::uint64_t catalog_version = 0;
    Lineage lineage;         // of the target's folder
    Lineage proxy;           // what the target remembers of the proxy that it belongs to
    bool accepts_loss = false;  // it was started in spite of a loss that its operator knows of: the proxy need not be told to accept it
    bool asks = false;          // whoever wants something of its HTTP server is asked for a token
    MSGPACK_DEFINE_MAP(version, compat_version, target_id, boot_id, endpoint, cluster_id, catalog_version, lineage, proxy, accepts_loss, asks)
    Result<void> validate() const;
};

// proxy → target
struct Welcome {
    std::uint32_t version = kVersion;
    std::uint32_t compat_version = kCompatVersion;
    std::string proxy_id;
    std::string boot_id;
    std::string cluster_id;
    std::string refused;  // not empty: why the target may not join
    ClusterMap map;
    std::uint16_t http_port = 0;  // of the proxy's HTTP server, on the host of its control endpoint; 0: not told
    Lineage lineage;              // of the proxy's folder
    std::string new_branch;       // not empty: the target was accepted as it is; it adds this to its branches
    bool wants_catalog = false;   // with a refusal: the target sends the catalog that it has
    MSGPACK_DEFINE_MAP(version, compat_version, proxy_id, boot_id, cluster_id, refused, map, http_port, lineage, new_branch, wants_catalog)
    Result<void> validate() const;
};

// both ways, twice a second
struct Heartbeat {
    std::string boot_id;                // of the sender
    std::uint64_t catalog_version = 0;  // what the sender has
    std::uint64_t map_version = 0;
    std::uint32_t running_slices = 0;   // from targets
    std::uint64_t age = 0;              // durable changes of the sender's folder
    std::int64_t unix_ms = 0;           // from targets: the time of day when it was sent; 0: not told
    MSGPACK_DEFINE_MAP(boot_id, catalog_version, map_version, running_slices, age, unix_ms)
    Result<void> validate() const;
};

struct BucketEntry {
    std::string name;
    std::string uid;  // tells a bucket from an earlier one of the same name
    std::uint64_t small_object_bytes_max = 0;
    std::int64_t created_unix_ns = 0;
    MSGPACK_DEFINE_MAP(name, uid, small_object_bytes_max, created_unix_ns)
};

struct TransformEntry {
    std::string name;
    std::string spec_json;
    bool enabled = true;  // false: stopped by the user
    std::string image{};  // of a container: the content digest that every target must run; empty: none has run it yet
    MSGPACK_DEFINE_MAP(name, spec_json, enabled, image)
};

// Tokens that are refused although they have not expired: one by its id, or all of a subject that were issued until then.
struct RevokedEntry {
    std::string token;
    std::string subject;
    std::int64_t issued_until_unix = 0;
    std::int64_t until_unix = 0;  // from then on they have expired anyway, and the entry goes
    MSGPACK_DEFINE_MAP(token, subject, issued_until_unix, until_unix)
    friend bool operator==(const RevokedEntry&, const RevokedEntry&) = default;
};

// What both sides say of an entry: the proxy before it takes it, a target before it applies it.
Result<void> check(const BucketEntry& bucket);
Result<void> check(const TransformEntry& transform);

// proxy → target: the whole desired catalog; a target with an older version applies it, entry by entry. Target → proxy: what a target
// has, for a proxy that runs from an older copy. Data is removed only for buckets
// whose uid is listed as destroyed, never because an entry is missing.
struct Catalog {
    std::uint64_t version = 0;
    std::vector<BucketEntry> buckets;
    std::vector<std::string> destroyed_uids;
    std::vector<TransformEntry> transforms;
    std::vector<RevokedEntry> revoked;  // in order of what they name
    MSGPACK_DEFINE_MAP(version, buckets, destroyed_uids, transforms, revoked)
    Result<void> validate() const;
};

// An entry of the catalog that a target could not apply (yet).
struct CatalogProblem {
    std::string name;    // of the bucket or transform
    std::string reason;
    MSGPACK_DEFINE_MAP(name, reason)
    friend bool operator==(const CatalogProblem&, const CatalogProblem&) = default;
};

struct TransformReport {
    std::string name;
    std::string state;
    std::string reason;
    std::string spec_json_digest;  // of the specification it runs, as text
    int pid = 0;
    std::uint64_t restarts = 0;
    std::uint64_t runs = 0;
    std::uint64_t failures = 0;
    std::string last_death;        // how its server ended last, and the last lines it wrote before
    std::string last_death_log;
    std::uint64_t cpu_millis = 0;  // processor time of the server that runs
    std::uint64_t memory_bytes = 0;
    std::string start;             // of a filter's processes: "forked" or "spawned"; "": of a server, or not told
    std::string image;             // of a container: the content digest of the image that it runs; "" otherwise
    std::string sandbox;           // what keeps its processes in: "landlock 7, seccomp, own uid, no network", "off"; "": of a container, or not told
    std::string sandbox_lacks;     // what this kernel or this target cannot do of it
    MSGPACK_DEFINE_MAP(name, state, reason, spec_json_digest, pid, restarts, runs, failures, last_death, last_death_log, cpu_millis, memory_bytes,
                       start, image, sandbox, sandbox_lacks)
};

// target → proxy: on every change, and every few seconds
struct TransformStatus {
    std::uint64_t catalog_version = 0;  // that was applied
    std::vector<TransformReport> transforms;
    std::vector<CatalogProblem> problems;  // what of this catalog is not applied; it tries again
    MSGPACK_DEFINE_MAP(catalog_version, transforms, problems)
    Result<void> validate() const;
};

// proxy → target: what a slice should be doing. Repeated until acknowledged; an older revision is ignored.
struct Directive {
    std::string job;
    std::uint64_t revision = 0;  // rises with every change of the job's desired state
    Desired desired = Desired::prepare;
    std::uint64_t epoch = 1;
    std::uint64_t pass = 1;      // rises with every retry of the failed objects
    bool has_spec = false;       // the specification is sent until the target has it
    JobSpec spec;
    // A long list comes in parts, one for each request: then `objects` are those of this part, and descend, so that a target that
    // knows nothing of parts drops the message instead of taking one for the whole.
    std::uint32_t part = 0;
    std::uint32_t parts = 1;
    Pins pins;                   // of this epoch
    std::uint64_t age = 0;       // of the proxy's folder, as in Heartbeat: a copy from before this directive is noticed
    std::string boot_id;         // of the proxy's process, whose folder it is; empty: not told, by a Millrace from before
    MSGPACK_DEFINE_MAP(job, revision, desired, epoch, pass, has_spec, spec, part, parts, pins, age, boot_id)
    Result<void> validate() const;
};

struct DirectiveAck {
    std::string job;
    std::uint64_t revision = 0;
    bool needs_spec = false;  // not carried out: send it again with the specification
    std::uint32_t part = 0;   // and with this part of its list
    MSGPACK_DEFINE_MAP(job, revision, needs_spec, part)
    Result<void> validate() const;
};

// target → proxy: how far a slice is, durably. Repeated until acknowledged.
struct SliceStatus {
    std::string job;
    std::uint64_t revision = 0;     // of the directive it acts on
    std::uint64_t incarnation = 0;  // rises with every start of the slice
    std::uint64_t seq = 0;          // rises with every status of an incarnation
    SliceState state = SliceState::preparing;
    std::string reason;
    SliceCounters counters;         // as of the last durable checkpoint
    std::uint64_t total_objects = 0;
    std::uint64_t total_bytes = 0;
    bool total_known = false;
    std::uint32_t in_flight = 0;
    std::uint64_t checkpoint_bytes = 0;
    std::uint64_t failures_forgiven = 0;  // of attempts that began before this directive: they do not count towards the job's limit
    std::uint64_t outputs_lost = 0;  // of settled objects: not there any more when the job started again; of the first thousand of a slice
    std::uint64_t age = 0;           // of the target's folder, as in Heartbeat: a copy from before this status is noticed
    std::uint64_t total_unmapped = 0;  // of the objects: names that no entry of the map of extensions fits
    MSGPACK_DEFINE_MAP(job, revision, incarnation, seq, state, reason, counters, total_objects, total_bytes, total_known,
                       in_flight, checkpoint_bytes, failures_forgiven, outputs_lost, age, total_unmapped)
    Result<void> validate() const;
};

struct StatusAck {
    std::string job;
    std::uint64_t incarnation = 0;
    std::uint64_t seq = 0;
    MSGPACK_DEFINE_MAP(job, incarnation, seq)
    Result<void> validate() const;
};

// target → proxy: this target stops on purpose
struct Goodbye {
    std::string boot_id;
    MSGPACK_DEFINE_MAP(boot_id)
    Result<void> validate() const;
};

}  // namespace millrace::wire

MSGPACK_ADD_ENUM(millrace::wire::Operation)
MSGPACK_ADD_ENUM(millrace::wire::Overwrite)
MSGPACK_ADD_ENUM(millrace::wire::DryRun)
MSGPACK_ADD_ENUM(millrace::wire::OnError)
MSGPACK_ADD_ENUM(millrace::wire::EmptyOutput)
MSGPACK_ADD_ENUM(millrace::wire::Desired)
MSGPACK_ADD_ENUM(millrace::wire::SliceState)
