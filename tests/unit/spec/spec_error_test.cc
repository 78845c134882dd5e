#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "spec/transform_spec.h"

namespace millrace::spec {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string error_of(const std::string& text) {
    const auto spec = parse_spec(text, "spec.yaml");
    return spec.has_value() ? "accepted" : spec.error().context;
}

struct BadSpec {
    const char* text;    // after "name: to-gzip\n"
    const char* error;   // where it starts, and what it says
    const char* says;
};

TEST(SpecErrors, NameOriginLineAndField) {
    const std::vector<BadSpec> bad{
        {"cmd: gzip\nobj_timeout: 10 parsecs", "spec.yaml line 3, 'obj_timeout': ", "'10 parsecs' is not a duration such as 500ms, 10s or 1m30s"},
        {"cmd: gzip\nobj_timeout: 0s", "spec.yaml line 3, 'obj_timeout': ", "greater than 0"},
        {"cmd: gzip\ninit_timeout: -1s", "spec.yaml line 3, 'init_timeout': ", "not a duration"},
        {"cmd: gzip\ninit_timeout:", "spec.yaml line 3, 'init_timeout': ", "has no value"},
        {"cmd: gzip\ninit_timeout: [1s]", "spec.yaml line 3, 'init_timeout': ", "must be a duration such as 500ms, 10s or 1m30s, not a list"},
        {"cmd: ''", "spec.yaml line 2, 'cmd': ", "the command is empty"},
        {"cmd:", "spec.yaml line 2, 'cmd': ", "must be a text or a list of texts"},
        {"cmd: {a: b}", "spec.yaml line 2, 'cmd': ", "must be a text or a list of texts"},
        {"cmd: \"echo 'a\"", "spec.yaml line 2, 'cmd': ", "never closed"},
        {"cmd: \"a\\0b\"", "spec.yaml line 2, 'cmd': ", "NUL"},
        {"cmd: gzip\nsandbox: maybe", "spec.yaml line 3, 'sandbox': ", "'maybe' is not known; use on, off"},
        {"cmd: gzip\nsandbox: [a]", "spec.yaml line 3, 'sandbox': ", "not a list"},
        {"cmd: gzip\nsandbox:\n  read: models", "spec.yaml line 4, 'sandbox.read': ", "must be a list of absolute paths"},
        {"cmd: gzip\nsandbox:\n  read: [models]", "spec.yaml line 4, 'sandbox.read': ", "not 'models'"},
        {"cmd: gzip\nsandbox:\n  write: [/a/../etc]", "spec.yaml line 4, 'sandbox.write': ", "without '.' and '..'"},
        {"cmd: gzip\nsandbox:\n  network: yes please", "spec.yaml line 4, 'sandbox.network': ", "true or false"},
        {"cmd: gzip\nsandbox:\n  disk: much", "spec.yaml line 4, 'sandbox.disk': ", "size"},
        {"runtime: {image: x}\nsandbox: off", "spec.yaml line 3, 'sandbox': ", "is for 'cmd' and 'command'"},
        {"command: []", "spec.yaml line 2, 'command': ", "the command is empty"},
        {"command: [a, [b]]", "spec.yaml line 2, 'command[1]': ", "must be a text, not a list"},
        {"cmd: gzip\ncommand: [a]", "spec.yaml line 3, 'command': ", "exclude each other"},
        {"obj_timeout: 3s", "spec.yaml line 1: ", "neither 'cmd'"},
        {"cmd: gzip\ncommunication: ws://", "spec.yaml line 3, 'communication': ", "ws:// needs a server ('command' or 'runtime'); a filter"},
        {"cmd: gzip\ncommunication: stream://", "spec.yaml line 3, 'communication': ", "stream:// needs a server"},
        {"command: a\ncommunication: hpush", "spec.yaml line 3, 'communication': ", "use hpush://, hpull://, ws:// or stream://"},
        {"command: a\ncommunication: stream://\nlisten: tcp", "spec.yaml line 4, 'listen': ", "stream:// goes over a Unix socket"},
        {"command: a\nbatch: 3", "spec.yaml line 3, 'batch': ", "is for ws:// and stream://"},
        {"command: a\ncommunication: ws://\nbatch: 513", "spec.yaml line 4, 'batch': ", "not a number from 0 to 512"},
        {"command: a\nhealth: ready", "spec.yaml line 3, 'health': ", "must be an absolute path"},
        {"command: a\nfile_paths: 1", "spec.yaml line 3, 'file_paths': ", "is not true or false"},
        {"command: a\nretry: 3", "spec.yaml line 3, 'retry': ", "must be a mapping"},
        {"command: a\nretry: {restarts: -1}", "spec.yaml line 3, 'retry.restarts': ", "not a number from 0"},
        {"command: a\nsupport_direct_put: ${DIRECT:-true}", "spec.yaml line 3, 'support_direct_put': ", "pass the file through envsubst first"},
        {"command: a\nobj_timeout: ${T:-3s}", "spec.yaml line 3, 'obj_timeout': ", "pass the file through envsubst first"},
        {"command: a\ncommunication: ${C:-\"hpush://\"}", "spec.yaml line 3, 'communication': ", "pass the file through envsubst first"},
        {"command: a\nnetwork: host", "spec.yaml line 3, 'network': ", "is for containers ('runtime')"},
        {"cmd: a\ntmpfs: 1MiB", "spec.yaml line 3, 'tmpfs': ", "is for containers ('runtime')"},
        {"cmd: a\nuser: nobody", "spec.yaml line 3, 'user': ", "is for containers ('runtime')"},
        {"command: a\npull: never", "spec.yaml line 3, 'pull': ", "is for containers ('runtime')"},
        {"command: a\nport: 80", "spec.yaml line 3, 'port': ", "is for containers ('runtime')"},
        {"cmd: a\nhealth: /h", "spec.yaml line 3, 'health': ", "is for servers"},
        {"cmd: a\nbatch: 2", "spec.yaml line 3, 'batch': ", "is for servers"},
        {"cmd: a\nfile_paths: true", "spec.yaml line 3, 'file_paths': ", "is for servers"},
        {"cmd: gzip\ncommunication: smoke", "spec.yaml line 3, 'communication': ", "'smoke' is not known"},
        {"cmd: gzip\nlisten: tcp", "spec.yaml line 3, 'listen': ", "is for servers"},
        {"command: [a]\nlisten: udp", "spec.yaml line 3, 'listen': ", "'udp' is not known; use unix or tcp"},
        {"cmd: gzip\nenv: 3", "spec.yaml line 3, 'env': ", "must be a list of {name, value}"},
        {"cmd: gzip\nenv:\n  - name: A\n  - value: b", "spec.yaml line 5, 'env[1].name': ", "is missing"},
        {"cmd: gzip\nenv:\n  - {name: A, value: [b]}", "spec.yaml line 4, 'env[0].value': ", "not a list"},
        {"cmd: gzip\nenv:\n  - {name: A, valueFrom: {x: y}}", "spec.yaml line 4, 'env[0].valueFrom': ", "not supported"},
        {"cmd: gzip\nenv:\n  - {name: A, valu: b}", "spec.yaml line 4, 'env[0].valu': ", "is not known"},
        {"cmd: gzip\nenv:\n  - {name: A}\n  - {name: A}", "spec.yaml line 5, 'env[1].name': ", "given twice"},
        {"cmd: gzip\nenv: {A: \"***\"}", "spec.yaml line 3, 'env': ", "stands for one that is not shown"},
        {"cmd: gzip\nenv: {A=B: c}", "spec.yaml line 3, 'env': ", "cannot be the name"},
        {"cmd: gzip\nenv: {A: }", "spec.yaml line 3, 'env.A': ", "has no value"},
        {"cmd: gzip\nworkdir: tmp", "spec.yaml line 3, 'workdir': ", "must be an absolute path"},
        {"cmd: gzip\nstderr_max: 2MiB", "spec.yaml line 3, 'stderr_max': ", "more than"},
        {"cmd: gzip\nstderr_max: lots", "spec.yaml line 3, 'stderr_max': ", "is not a size such as"},
        {"cmd: gzip\nconcurrency: 3", "spec.yaml line 3, 'concurrency': ", "must be a mapping"},
        {"cmd: gzip\nconcurrency: {min: 0}", "spec.yaml line 3, 'concurrency.min': ", "at least 1"},
        {"cmd: gzip\nconcurrency: {min: many}", "spec.yaml line 3, 'concurrency.min': ", "'many' is not a number"},
        {"cmd: gzip\nconcurrency:\n  min: 4\n  max: 2", "spec.yaml line 5, 'concurrency.max': ", "must not be less"},
        {"cmd: gzip\nconcurrency: {max: 99999}", "spec.yaml line 3, 'concurrency.max': ", "is not a number from 0 to 1024"},
        {"cmd: gzip\nlimits:\n  cpu_time: 1500ms", "spec.yaml line 4, 'limits.cpu_time': ", "whole seconds"},
        {"cmd: gzip\nlimits:\n  open_files: 3", "spec.yaml line 4, 'limits.open_files': ", "at least 8"},
        {"cmd: gzip\nlimits:\n  memory: -1", "spec.yaml line 4, 'limits.memory': ", "is not a size"},
        {"cmd: gzip\nlimits: {memory: 1Gi}\nresources:\n  limits:\n    memory: 2Gi", "spec.yaml line 6, 'resources.limits.memory': ", "differs"},
        {"cmd: gzip\nsupport_direct_put: maybe", "spec.yaml line 3, 'support_direct_put': ", "not true or false"},
        {"cmd: gzip\ncmd: cat", "spec.yaml line 3: ", "'cmd' is given twice"},
        {"cmd: gzip\n[a]: b", "spec.yaml line 3", ""},
        {"image: x", "spec.yaml line 2, 'image': ", "belongs below 'runtime': runtime: {image: …}"},
        {"cmd: 'gzip", "spec.yaml line ", "not valid YAML"},
        {"cmd: *nowhere", "spec.yaml line 2: not valid YAML", ""},
    };
    for (const BadSpec& one : bad) {
        const std::string error = error_of(std::string("name: to-gzip\n") + one.text);
        EXPECT_THAT(error, StartsWith(one.error)) << one.text;
        EXPECT_THAT(error, HasSubstr(one.says)) << one.text;
    }
}

TEST(SpecErrors, OfContainers) {
    const std::vector<BadSpec> bad{
        {"runtime:", "spec.yaml line 2, 'runtime': ", "has no value; give {image: …}"},
        {"runtime: x", "spec.yaml line 2, 'runtime': ", "must be a mapping"},
        {"runtime: {command: [a]}", "spec.yaml line 2, 'runtime.image': ", "is missing; name a container image"},
        {"runtime:\n  image: ''", "spec.yaml line 3, 'runtime.image': ", "is missing"},
        {"runtime:\n  image: [a]", "spec.yaml line 3, 'runtime.image': ", "must be a text, not a list"},
        {"runtime:\n  image: -rm", "spec.yaml line 3, 'runtime.image': ", "is not the name of a container image"},
        {"runtime:\n  image: ${REGISTRY}/x", "spec.yaml line 3, 'runtime.image': ", "pass the file through envsubst first"},
        {"runtime:\n  image: x\n  command: {a: b}", "spec.yaml line 4, 'runtime.command': ", "must be a text or a list of texts"},
        {"runtime:\n  image: x\n  command: ['']", "spec.yaml line 4, 'runtime.command': ", "the command is empty"},
        {"runtime:\n  image: x\n  command: ' '", "spec.yaml line 4, 'runtime.command': ", "the command is empty"},
        {"runtime:\n  image: x\n  env: [{name: A}, {name: A}]", "spec.yaml line 4, 'runtime.env[1].name': ", "given twice"},
        {"runtime: {image: x}\ncmd: gzip", "spec.yaml line 3, 'cmd': ", "and 'runtime' (a container) exclude each other"},
        {"runtime: {image: x}\nspec: YQ==", "spec.yaml line 3, 'spec': ", "exclude each other"},
        {"runtime: {image: x}\ncommand: a", "spec.yaml line 3, 'command': ", "belongs below 'runtime'"},
        {"runtime: {image: x}\nimage: y", "spec.yaml line 3, 'image': ", "belongs below 'runtime'"},
        {"runtime: {image: x}\nlisten: tcp", "spec.yaml line 3, 'listen': ", "listens on its 'port'"},
        {"runtime: {image: x}\ncommunication: ws://", "spec.yaml line 3, 'communication': ", "ws:// needs 'support_direct_put: true'"},
        {"runtime: {image: x}\npull: often", "spec.yaml line 3, 'pull': ", "use never, missing or always"},
        {"runtime: {image: x}\nnetwork: none", "spec.yaml line 3, 'network': ", "use target, bridge or host"},
        {"runtime: {image: x}\ntmpfs: 0", "spec.yaml line 3, 'tmpfs': ", "must be at least 4096 bytes"},
        {"runtime: {image: x}\nuser: -x", "spec.yaml line 3, 'user': ", "is not a user"},
        {"runtime: {image: x}\nuser: a b", "spec.yaml line 3, 'user': ", "is not a user"},
        {"runtime: {image: x}\nport: 0", "spec.yaml line 3, 'port': ", "must be from 1 to 65535"},
        {"runtime: {image: x}\nport: 65536", "spec.yaml line 3, 'port': ", "not a number from 0 to 65535"},
        {"runtime: {image: x}\nworkdir: code", "spec.yaml line 3, 'workdir': ", "must be an absolute path"},
        {"runtime: {image: x}\nresources: {limits: {cpu: 5x}}", "spec.yaml line 3, 'resources.limits.cpu': ", "such as 500m, 0.5 or 2"},
        {"runtime: {image: x}\nresources: {limits: {memory: 64MiB}}", "spec.yaml line 3, 'resources.limits.memory': ", "such as 64Mi"},
        {"runtime: {image: x}\nresources: {requests: {memory: lots}}", "spec.yaml line 3, 'resources.requests.memory': ", "such as 64Mi"},
        {"spec: YQ=", "spec.yaml line 2, 'spec': ", "is not a pod in base64"},
        {"spec: YQ==\ncmd: gzip", "spec.yaml line 3, 'cmd': ", "and 'spec' (a container) exclude each other"},
    };
    for (const BadSpec& one : bad) {
        const std::string error = error_of(std::string("name: to-gzip\n") + one.text);
        EXPECT_THAT(error, StartsWith(one.error)) << one.text;
        EXPECT_THAT(error, HasSubstr(one.says)) << one.text;
    }
}

TEST(SpecErrors, Names) {
    EXPECT_THAT(error_of("cmd: gzip"), StartsWith("spec.yaml line 1, 'name': is missing"));
    EXPECT_THAT(error_of("name: X\ncmd: gzip"), StartsWith("spec.yaml line 1, 'name': transform name 'X' must be"));
    EXPECT_THAT(error_of("name: [a]\ncmd: gzip"), StartsWith("spec.yaml line 1, 'name': must be a text"));
}

TEST(SpecErrors, DocumentsThatAreNoMapping) {
    EXPECT_THAT(error_of(""), HasSubstr("holds no transform"));
    EXPECT_THAT(error_of("# nothing\n"), HasSubstr("holds no transform"));
    EXPECT_THAT(error_of("just a text"), HasSubstr("a transform is a mapping"));
    EXPECT_THAT(error_of("- a\n- b"), HasSubstr("a transform is a mapping"));
    EXPECT_THAT(error_of("name: to-gzip\ncmd: a\n---\nname: to-gzip\ncmd: b\n"), HasSubstr("holds 2 documents"));
    EXPECT_THAT(error_of("name: \xff\xfe"), HasSubstr("is not UTF-8"));
}

TEST(SpecErrors, HostileDocumentsDoNoHarm) {
    EXPECT_THAT(error_of(std::string(2 << 20, 'a')), HasSubstr("of more than 256.0 KiB is not read"));
    EXPECT_NE(error_of(std::string(1 << 20, '[')), "accepted");
    EXPECT_NE(error_of(std::string(1 << 20, '{')), "accepted");
    std::string nested;
    for (int i = 0; i < 600; ++i) nested += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
    EXPECT_THAT(error_of(nested), HasSubstr("nested too deeply"));
    std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
    for (int i = 1; i < 60; ++i) {
        const std::string before = "*a" + std::to_string(i - 1);
        bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before + ", " + before + ", " + before + "]\n";
    }
    EXPECT_NE(error_of(bomb), "accepted");
    EXPECT_NE(error_of("name: to-gzip\ncmd: gzip\n" + bomb), "accepted");  // also below a key that nobody looks into
    EXPECT_NE(error_of("name: to-gzip\ncmd: &c [gzip, *c]\n"), "accepted");
    for (int seed = 0; seed < 256; ++seed) {
        std::string text = "name: to-gzip\ncmd: \"gzip\"\nenv: {a: 'b'}\nlimits: [x, &y *y]\n";
        text[static_cast<std::size_t>(seed * 7) % text.size()] = static_cast<char>(seed);
        (void)error_of(text);
    }
}

}  // namespace
}  // namespace millrace::spec
