#include "spec/transform_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/hash.h"

namespace millrace::spec {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

ParsedSpec parsed(const std::string& text) {
    auto spec = parse_spec(text, "spec.yaml");
    EXPECT_TRUE(spec.has_value()) << spec.error().context;
    return spec.has_value() ? *spec : ParsedSpec{};
}

TEST(Spec, SmallestFilterHasDefaults) {
    const ParsedSpec one = parsed("name: to-gzip\ncmd: gzip -9\n");
    EXPECT_EQ(one.spec.name, "to-gzip");
    EXPECT_EQ(one.spec.kind, Kind::filter);
    EXPECT_THAT(one.spec.argv, ElementsAre("gzip", "-9"));
    EXPECT_EQ(one.spec.communication, Communication::hpush);
    EXPECT_EQ(one.spec.restarts_max, 10u);
    EXPECT_EQ(one.spec.init_timeout_ms, milliseconds(45'000));
    EXPECT_EQ(one.spec.obj_timeout_ms, milliseconds(10'000));
    EXPECT_EQ(one.spec.limits.open_files, 1024u);
    EXPECT_THAT(one.warnings, IsEmpty());
}

constexpr const char* kContainer = R"(
name: to-upper
runtime:
  image: localhost:5000/team/upper@sha256:0123
  command: python3 "/srv/the server.py"
  env: [{name: A, value: first}, {name: B, value: below}]
communication: stream://
env: {A: wins}
pull: always
network: bridge
tmpfs: 1MiB
user: "1000:1000"
port: 80
health: /ready
workdir: /code
batch: 4
file_paths: true
resources: {limits: {cpu: 1500m, memory: 64Mi}}
limits: {processes: 9, cpu_time: 3s}
)";

constexpr const char* kEverything = R"(
name: to-upper
command: [python3, /srv/server.py, "--socket={socket}"]
communication: ws://
listen: tcp
support_direct_put: true
file_paths: true
health: /ready?deep=1
batch: 12
retry: {restarts: 3}
init_timeout: 1m30s
obj_timeout: 250ms
env:
  - name: MODEL
    value: "big, \"quoted\" ä \U0001F600 \x01"
  - {name: THREADS, value: 4}
  - name: EMPTY
workdir: /srv/work
stderr_max: 8KiB
concurrency: {min: 2, max: 16}
limits:
  memory: 512MiB
  cpu_time: 2m
  open_files: 256
  file_size: 1GB
  processes: 32
)";

TEST(Spec, EveryKeyIsRead) {
    const ParsedSpec one = parsed(kEverything);
    const TransformSpec& spec = one.spec;
    EXPECT_THAT(one.warnings, IsEmpty());
    EXPECT_EQ(spec.kind, Kind::process);
    EXPECT_THAT(spec.argv, ElementsAre("python3", "/srv/server.py", "--socket={socket}"));
    EXPECT_EQ(spec.communication, Communication::ws);
    EXPECT_EQ(spec.listen, Listen::tcp);
    EXPECT_TRUE(spec.direct_put);
    EXPECT_TRUE(spec.file_paths);
    EXPECT_EQ(spec.health_path, "/ready?deep=1");
    EXPECT_EQ(spec.batch_objects_max, 12u);
    EXPECT_EQ(spec.restarts_max, 3u);
    EXPECT_EQ(spec.init_timeout_ms, milliseconds(90'000));
    EXPECT_EQ(spec.obj_timeout_ms, milliseconds(250));
    EXPECT_THAT(spec.env, ElementsAre(Pair("EMPTY", ""), Pair("MODEL", "big, \"quoted\" ä \U0001F600 \x01"), Pair("THREADS", "4")));
    EXPECT_EQ(spec.workdir, "/srv/work");
    EXPECT_EQ(spec.stderr_bytes_max, 8192u);
    EXPECT_EQ(spec.concurrency_min, 2u);
    EXPECT_EQ(spec.concurrency_max, 16u);
    EXPECT_EQ(spec.limits.memory_bytes, 512ull << 20);
    EXPECT_EQ(spec.limits.cpu_seconds, 120u);
    EXPECT_EQ(spec.limits.open_files, 256u);
    EXPECT_EQ(spec.limits.file_bytes, 1'000'000'000u);
    EXPECT_EQ(spec.limits.processes, 32u);
}

TEST(Spec, EveryKeyOfAContainerIsRead) {
    const ParsedSpec one = parsed(kContainer);
    const TransformSpec& spec = one.spec;
    EXPECT_THAT(one.warnings, IsEmpty());
    EXPECT_EQ(spec.kind, Kind::oci);
    EXPECT_THAT(spec.argv, ElementsAre("python3", "/srv/the server.py"));
    EXPECT_THAT(spec.env, ElementsAre(Pair("A", "wins"), Pair("B", "below")));
    EXPECT_EQ(spec.communication, Communication::stream);
    EXPECT_EQ(spec.container, (Container{.image = "localhost:5000/team/upper@sha256:0123", .pull = PullPolicy::always, .network = Network::bridge,
                                         .tmpfs_bytes = 1 << 20, .user = "1000:1000", .port = 80, .cpu_millis = 1500}));
    EXPECT_EQ(spec.health_path, "/ready");
    EXPECT_EQ(spec.workdir, "/code");
    EXPECT_EQ(spec.batch_objects_max, 4u);
    EXPECT_TRUE(spec.file_paths);
    EXPECT_EQ(spec.limits.memory_bytes, 64ull << 20);
    EXPECT_EQ(spec.limits.processes, 9u);
    EXPECT_EQ(spec.limits.cpu_seconds, 3u);
}

TEST(Spec, JsonIsReadBack) {
    std::vector<TransformSpec> specs{parsed(kEverything).spec, parsed(kContainer).spec, parsed("name: to-gzip\nruntime: {image: x}").spec,
                                     parsed("name: to-gzip\nruntime: {image: x}\nenv: {ETL_DIRECT_FQN: true}\nfile_paths: false").spec,
                                     parsed("name: to-gzip\ncommand: serve\ncommunication: hpull://\nretry: {restarts: 0}").spec,
                                     parsed("name: to-gzip\ncmd: gzip -9").spec};
    specs.push_back(parsed("name: to-gzip\ncmd: |\n  set -e\n  gzip | cat 'a b'\n").spec);
    specs.push_back(parsed("name: to-gzip\ncmd: sed 's/a b/\"c\"/' ''\nlimits: {open_files: 0}\nstderr_max: 0").spec);
    specs.push_back(parsed("name: server\ncommand: FOO=1 ./serve {socket}\nenv: {A: 'line\n\n  two', B: ' ', C: '\\', \"D\": \"~\"}").spec);
    for (const TransformSpec& spec : specs) {
        const std::string json = to_json(spec);
        EXPECT_EQ(json.find('\n'), std::string::npos);
        const ParsedSpec again = parsed(json);
        EXPECT_EQ(again.spec, spec) << json << "\n" << to_json(again.spec);
        EXPECT_THAT(again.warnings, IsEmpty());
        EXPECT_EQ(digest(again.spec), digest(spec));
    }
}

TEST(Spec, DigestIsOfWhatIsComputed) {
    const TransformSpec spec = parsed(kEverything).spec;
    const auto changed = [&](auto change) {
        TransformSpec other = spec;
        change(other);
        return digest(other) != digest(spec);
    };
    EXPECT_TRUE(changed([](TransformSpec& s) { s.name = "another"; }));
    EXPECT_TRUE(changed([](TransformSpec& s) { s.argv.push_back("-v"); }));
    EXPECT_TRUE(changed([](TransformSpec& s) { s.env["MODEL"] = "small"; }));
    EXPECT_TRUE(changed([](TransformSpec& s) { s.limits.memory_bytes = 1; }));
    EXPECT_TRUE(changed([](TransformSpec& s) { s.version = "another"; }));
    EXPECT_FALSE(changed([](TransformSpec& s) { s.obj_timeout_ms = milliseconds(1); }));
    EXPECT_FALSE(changed([](TransformSpec& s) { s.init_timeout_ms = milliseconds(1); }));
    EXPECT_FALSE(changed([](TransformSpec& s) { s.communication = Communication::stream; }));
    EXPECT_FALSE(changed([](TransformSpec& s) { s.file_paths = false; }));
}

TEST(Spec, ASandboxIsOpenedByName) {
    const SandboxSpec closed = parsed("name: to-gzip\ncmd: gzip").spec.sandbox;
    EXPECT_EQ(closed, SandboxSpec());
    EXPECT_FALSE(closed.off);
    EXPECT_EQ(parsed("name: to-gzip\ncmd: gzip\nsandbox: on").spec.sandbox, closed);
    EXPECT_EQ(parsed("name: to-gzip\ncmd: gzip\nsandbox: {}").spec.sandbox, closed);
    const TransformSpec open = parsed("name: to-gzip\ncommand: serve\nsandbox: {read: [/models, /a b], write: [/scratch], network: true, disk: 1MiB}").spec;
    EXPECT_THAT(open.sandbox.read, ElementsAre("/models", "/a b"));
    EXPECT_THAT(open.sandbox.write, ElementsAre("/scratch"));
    EXPECT_TRUE(open.sandbox.network);
    EXPECT_EQ(open.sandbox.disk_bytes, 1u << 20);
    EXPECT_FALSE(wants_no_sandbox(open));
    const TransformSpec off = parsed("name: to-gzip\ncmd: gzip\nsandbox: off").spec;
    EXPECT_TRUE(wants_no_sandbox(off));
    for (const TransformSpec& spec : {open, off}) {
        EXPECT_EQ(parsed(to_json(spec)).spec, spec) << to_json(spec);
        TransformSpec without = spec;
        without.sandbox = closed;
        EXPECT_NE(digest(without), digest(spec)) << "what it may reach can change what it computes";
    }
}

TEST(Spec, DigestOfAContainerDependsOnItsImage) {
    const TransformSpec spec = parsed(kContainer).spec;
    const auto changed = [&](auto change) {
        TransformSpec other = spec;
        change(other);
        return digest(other) != digest(spec);
    };
    EXPECT_TRUE(changed([](TransformSpec& s) { s.container.image = "another"; }));
    EXPECT_TRUE(changed([](TransformSpec& s) { s.container.user = "root"; }));
    EXPECT_TRUE(changed([](TransformSpec& s) { s.container.tmpfs_bytes *= 2; }));
    EXPECT_TRUE(changed([](TransformSpec& s) { s.argv.clear(); }));
    EXPECT_TRUE(changed([](TransformSpec& s) { s.env.clear(); }));
    EXPECT_FALSE(changed([](TransformSpec& s) { s.container.pull = PullPolicy::never; }));
    EXPECT_FALSE(changed([](TransformSpec& s) { s.container.cpu_millis = 1; }));
}

TEST(Spec, AVersionTellsProgramsBehindTheSameWordsApart) {
    const TransformSpec spec = parsed("name: to-gzip\ncmd: gzip -9").spec;
    const std::uint64_t before = digest(spec);
    std::string json = to_json(spec);
    std::vector<std::uint64_t> digests{before};
    for (const char* version : {"", "", "2026-11 beta", ""}) {
        const Result<std::string> next = with_version(json, version);
        ASSERT_TRUE(next) << next.error().context;
        json = *next;
        digests.push_back(digest(parsed(json).spec));
        for (std::size_t i = 0; i + 1 < digests.size(); ++i) EXPECT_NE(digests[i], digests.back());
    }
    EXPECT_EQ(parsed("name: to-gzip\ncmd: gzip -9\nversion: 7").spec.version, "7");
    EXPECT_EQ(parsed(*with_version(to_json(spec), "")).spec.version, "2");
    EXPECT_FALSE(with_version(json, std::string(65, 'x')));
    EXPECT_FALSE(with_version(json, "two\nlines"));
}

TEST(Spec, DigestKnowsTheContentOfAnImage) {
    const TransformSpec spec = parsed(kContainer).spec;
    EXPECT_NE(digest(spec, "sha256:a"), digest(spec, "sha256:b"));
    EXPECT_NE(digest(spec, "sha256:a"), digest(spec));
}

// They are in the records of results.
TEST(Spec, DigestsStayAsTheyAre) {
    EXPECT_EQ(digest(parsed("name: to-gzip\ncmd: gzip -9").spec), xxh64(R"(["to-gzip","filter",["gzip","-9"],{},"",0,0,1024,0,0])"));
    EXPECT_EQ(digest(parsed("name: to-gzip\ncommand: serve\nenv: {A: b}\nworkdir: /srv").spec),
              xxh64(R"(["to-gzip","process",["serve"],{"A":"b"},"/srv",0,0,1024,0,0])"));
}

TEST(Spec, AisStoreFieldsAreUnderstoodBesideACommand) {
    const ParsedSpec one = parsed(R"({"name": "to-upper", "command": "serve --fast", "communication": "hpush://",
        "support_direct_put": true, "env": {"A": "b"}, "resources": {"limits": {"memory": "512Mi", "cpu": "500m"}, "requests": {"cpu": 1}}})");
    EXPECT_THAT(one.spec.argv, ElementsAre("serve", "--fast"));
    EXPECT_TRUE(one.spec.direct_put);
    EXPECT_EQ(one.spec.limits.memory_bytes, 512ull << 20);
    EXPECT_THAT(one.warnings, ElementsAre(HasSubstr("line 2, 'resources.requests': is ignored"),
                                          HasSubstr("line 2, 'resources.limits.cpu': is ignored: only containers")));
}

TEST(Spec, HarmlessKeysOfAFilterAreWarnedAbout) {
    const ParsedSpec one = parsed("name: to-gzip\ncmd: gzip\nsupport_direct_put: true\nretry: {restarts: 3}");
    EXPECT_EQ(one.spec, parsed("name: to-gzip\ncmd: gzip").spec);
    EXPECT_THAT(one.warnings, ElementsAre(HasSubstr("line 4, 'retry': is ignored"), HasSubstr("line 3, 'support_direct_put': is ignored")));
}

TEST(Spec, UnknownKeysAreWarnedAbout) {
    const ParsedSpec one = parsed("name: to-gzip\ncmd: gzip\nobj_timout: 3s\nlimits:\n  memry: 3\nargument: fqn\n");
    EXPECT_THAT(one.warnings, ElementsAre("spec.yaml line 5, 'limits.memry': is not a key of a transform and is ignored; did you mean 'memory'?",
                                          "spec.yaml line 6, 'argument': is not a key of a transform and is ignored",
                                          "spec.yaml line 3, 'obj_timout': is not a key of a transform and is ignored; did you mean 'obj_timeout'?"));
}

TEST(Spec, SeveralDocuments) {
    const auto specs = parse_specs("name: to-gzip\ncmd: gzip\n---\nname: to-upper\ncmd: tr a-z A-Z\n---\n", "two.yaml");
    ASSERT_TRUE(specs.has_value()) << specs.error().context;
    ASSERT_EQ(specs->size(), 2u);
    EXPECT_EQ((*specs)[1].spec.name, "to-upper");
    const auto bad = parse_specs("name: to-gzip\ncmd: gzip\n---\nname: to-upper\n", "two.yaml");
    ASSERT_FALSE(bad.has_value());
    EXPECT_THAT(bad.error().context, HasSubstr("two.yaml line 4: neither 'cmd'"));
}

TEST(Spec, FilterFromACommand) {
    EXPECT_THAT(filter_spec("to-gzip", "gzip -9")->argv, ElementsAre("gzip", "-9"));
    EXPECT_THAT(filter_spec("to-gzip", "gzip | cat")->argv, ElementsAre("/bin/sh", "-c", "gzip | cat"));
    EXPECT_FALSE(filter_spec("to-gzip", "  ").has_value());
    EXPECT_FALSE(filter_spec("Bad_Name", "gzip").has_value());
    EXPECT_FALSE(filter_spec("to-gzip", "\xff").has_value());
    EXPECT_FALSE(filter_spec("to-gzip", std::string(100'000, 'x')).has_value());
}

}  // namespace
}  // namespace millrace::spec
