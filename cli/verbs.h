// What a command line can ask for: one plain struct per verb, filled by cli/arguments.h and carried out by run().
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "cli/context.h"
#include "cli/spec_edit.h"
#include "core/clock.h"

namespace millrace::cli {

struct Help {
    std::string text;
    int status = kExitDone;  // not 0: the command line lacks a verb
};
struct Version {};
struct Completion {
    std::string shell;
};

// Whether to wait for what was started, and how.
struct Waiting {
    bool wait = false;
    bool watch = false;   // with its progress
    std::string timeout;  // a duration; empty: as long as it takes

    bool is_wanted() const { return wait || watch; }
};

struct ClusterShow {};
struct ClusterAccept {
    std::string node;
};
struct ClusterInvite {
    std::string ttl = "1h";  // a duration
};
struct ClusterRevoke {
    std::string node;
};

struct CaInit {
    std::string folder;
};
struct CaIssue {
    std::string folder;
    std::string name;
    std::vector<std::string> hosts;
    int days = 365;
    std::string out;
};

struct AuthInit {
    std::string folder;
};
struct AuthIssue {
    std::string key;                  // file of the signing key
    std::string subject;
    std::vector<std::string> grants;  // each RIGHT or RIGHT:BUCKETS
    std::string expires = "720h";     // a duration, also in days: "30d"
};
struct AuthShow {
    std::string file;      // of a token, or "-"; empty: the one that requests are made with
    bool revoked = false;  // instead: the tokens that the cluster refuses
};
struct AuthRevoke {
    std::string token;  // its id, or
    std::string file;   // of the token, or "-", or
    std::string subject;
};

struct BucketCreate {
    std::string bucket;
    std::string small_object_max;  // a size, or empty for the cluster's default
};
struct BucketList {};
struct BucketRemove {
    std::string bucket;
    Waiting waiting;
};
struct BucketMove {
    std::string from;
    std::string to;
    Waiting waiting;
};
struct BucketHead {
    std::string bucket;
};

struct Put {
    std::string source;  // a file, a folder or "-"
    std::string destination;
    bool follow_links = false;
};
struct Get {
    std::string object;
    std::string output;  // a file, a folder, "-", or empty: the object's own last name
    std::string transform;
    std::string arguments;
};
struct List {
    std::string uri;
};
struct JobSubmit {
    std::string operation;  // "copy", "delete", or empty: the transform
    std::string transform;
    std::string source;
    std::string destination;
    std::string prefix;
    std::vector<std::string> lists;  // each "a,b,c"
    std::string list_file;
    std::string name_template;
    std::vector<std::string> extensions;  // each "old:new"
    bool ext_any_case = false;
    std::string empty_output;
    std::string prepend;
    std::string arguments;
    std::string overwrite;
    std::optional<std::uint32_t> num_workers;
    std::string dry_run;
    std::string object_timeout;
    std::optional<std::uint32_t> attempts;
    std::string on_error;
    std::string idempotency_key;
    Waiting waiting;
};
struct Remove {
    std::vector<std::string> objects;  // or, with recursive, the one place that a job empties
    bool recursive = false;
    JobSubmit job;                     // that job's flags
};
struct Head {
    std::string object;
};

struct EtlInit {
    std::string file;   // or a command and a name
    std::string cmd;
    SpecValues values;  // these win over those of the file
};
struct EtlList {};
struct EtlShow {
    std::string name;
};
struct EtlControl {
    std::string verb;  // "start", "stop", "restart" or "rm"
    std::string name;  // or
    std::string file;  // of specifications: their names
    std::optional<std::string> new_version;  // restart only: what it computes is another thing now
    Waiting waiting;                         // start and restart only
};
struct EtlLogs {
    std::string name;
    std::string target;
    bool follow = false;
};
struct EtlErrors {
    std::string name;
};

struct JobList {
    std::string state;
};
struct JobShow {
    std::string job;
};
struct JobWatch {
    std::string job;
    std::string timeout;
};
struct JobWait {
    std::string job;
    std::string timeout;
};
struct JobControl {
    std::string verb;  // "pause", "resume", "retry" or "cancel"
    std::string job;
    bool with_current = false;  // resume and retry: with the destination and transforms that are there now
    Waiting waiting;            // resume and retry
};
struct JobErrors {
    std::string job;
    std::uint64_t limit = 0;  // 0: all
};
struct JobReport {
    std::string job;
};
struct JobVerify {
    std::string job;
    bool contents = false;
};
struct JobRemove {
    std::string job;
    std::string older_than;  // a duration: all that ended longer ago; then there is no job
};

struct BenchLoad {
    std::string operation;     // "put", "get", "mixed" or "inline"
    std::string bucket;
    std::string size = "4KiB";
    std::string transform;
    std::string arguments;
    std::optional<std::uint64_t> count;
    std::string duration;      // empty: 10 s, or with a count no bound
    std::uint32_t concurrency = 16;
    double rate = 0;
    std::uint64_t seed = 1;
    std::uint32_t put_share = 30;  // of "mixed", in percent
};
struct BenchJob {
    std::string source;
    std::string destination;
    std::string preset;        // or
    std::string transform;
    std::uint32_t num_workers = 0;
    std::string timeout;
};

using Verb =
    std::variant<std::monostate, Help, Version, Completion, ClusterShow, ClusterAccept, ClusterInvite, ClusterRevoke,
                 CaInit, CaIssue, AuthInit, AuthIssue, AuthShow, AuthRevoke, BucketCreate, BucketList, BucketRemove,
                 BucketMove, BucketHead, Put, Get, List, Remove, Head, EtlInit, EtlList, EtlShow, EtlControl, EtlLogs, EtlErrors,
                 JobSubmit, JobList, JobShow, JobWatch, JobWait, JobControl, JobErrors, JobReport, JobVerify, JobRemove,
                 BenchLoad, BenchJob>;

// Each carries out one verb and returns the exit status.
int run(Context& context, const ClusterShow& verb);
int run(Context& context, const ClusterAccept& verb);
int run(Context& context, const ClusterInvite& verb);
int run(Context& context, const ClusterRevoke& verb);
int run(Console& console, bool json, const CaInit& verb);
int run(Console& console, bool json, const CaIssue& verb);
int run(Console& console, bool json, const AuthInit& verb);   // here, without a cluster
int run(Console& console, bool json, const AuthIssue& verb);  // here, too
int run(Context& context, const AuthShow& verb);
int run(Context& context, const AuthRevoke& verb);
int run(Context& context, const BucketCreate& verb);
int run(Context& context, const BucketList& verb);
int run(Context& context, const BucketRemove& verb);
int run(Context& context, const BucketMove& verb);
int run(Context& context, const BucketHead& verb);
int run(Context& context, const Put& verb);
int run(Context& context, const Get& verb);
int run(Context& context, const List& verb);
int run(Context& context, const Remove& verb);
int run(Context& context, const Head& verb);
int run(Context& context, const EtlInit& verb);
int run(Context& context, const EtlList& verb);
int run(Context& context, const EtlShow& verb);
int run(Context& context, const EtlControl& verb);
int run(Context& context, const EtlLogs& verb);
int run(Context& context, const EtlErrors& verb);
int run(Context& context, const JobSubmit& verb);
int run(Context& context, const JobList& verb);
int run(Context& context, const JobShow& verb);
int run(Context& context, const JobWatch& verb);
int run(Context& context, const JobWait& verb);
int run(Context& context, const JobControl& verb);
int run(Context& context, const JobErrors& verb);
int run(Context& context, const JobReport& verb);
int run(Context& context, const JobVerify& verb);
int run(Context& context, const JobRemove& verb);
int run(Context& context, const BenchLoad& verb);
int run(Context& context, const BenchJob& verb);

}  // namespace millrace::cli
