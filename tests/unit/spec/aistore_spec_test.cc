// Specifications as AIStore's users have them: accepted without a change.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base64.h"
#include "spec/transform_spec.h"

namespace millrace::spec {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::StartsWith;

ParsedSpec parsed(const std::string& text) {
    auto spec = parse_spec(text, "spec.yaml");
    EXPECT_TRUE(spec.has_value()) << spec.error().context;
    return spec.has_value() ? *spec : ParsedSpec{};
}

std::string error_of(const std::string& text) {
    const auto spec = parse_spec(text, "spec.yaml");
    return spec.has_value() ? "accepted" : spec.error().context;
}

TEST(AisStoreSpec, HelloWorld) {
    const ParsedSpec one = parsed(R"(
name: hello-world-etl
runtime:
  image: aistorage/transformer_hello_world:latest
  # command: ["python", "http_server.py"]
communication: hpush://
argument: fqn
init_timeout: 5m    # until it is ready
obj_timeout: 45s
support_direct_put: true
)");
    EXPECT_THAT(one.warnings, IsEmpty());
    TransformSpec expected;
    expected.name = "hello-world-etl";
    expected.kind = Kind::oci;
    expected.container.image = "aistorage/transformer_hello_world:latest";
    expected.direct_put = true;
    expected.init_timeout_ms = milliseconds(300'000);
    expected.obj_timeout_ms = milliseconds(45'000);
    EXPECT_EQ(one.spec, expected);
}

TEST(AisStoreSpec, FfmpegOpensFilesItself) {
    const std::string text = R"(
name: ffmpeg-etl
runtime:
  image: aistorage/transformer_ffmpeg:latest
  command: ["uvicorn", "fastapi_server:fastapi_app", "--host", "0.0.0.0", "--port", "8000"]
  env:
    - name: AR
      value: "16000"
    - name: ETL_DIRECT_FQN
      value: "true"
communication: ws://
support_direct_put: true
argument: fqn
)";
    const ParsedSpec one = parsed(text);
    EXPECT_THAT(one.warnings, IsEmpty());
    EXPECT_THAT(one.spec.argv, ElementsAre("uvicorn", "fastapi_server:fastapi_app", "--host", "0.0.0.0", "--port", "8000"));
    EXPECT_EQ(one.spec.communication, Communication::ws);
    EXPECT_TRUE(one.spec.file_paths);
    EXPECT_THAT(one.spec.env, ElementsAre(Pair("AR", "16000"), Pair("ETL_DIRECT_FQN", "true")));
    EXPECT_FALSE(parsed(text + "file_paths: false").spec.file_paths);
    EXPECT_FALSE(parsed(text + "env: {ETL_DIRECT_FQN: 'False'}").spec.file_paths);
}

TEST(AisStoreSpec, PlaceholdersStayAsTheyAreWithAWarning) {
    const ParsedSpec one = parsed(R"(
name: compress-transformer-etl
runtime:
  image: aistorage/transformer_compress:latest
  env:
    - name: COMPRESS_OPTIONS
      value: ${COMPRESS_OPTIONS:-"{}"}
communication: hpull://
)");
    EXPECT_THAT(one.spec.env, ElementsAre(Pair("COMPRESS_OPTIONS", "${COMPRESS_OPTIONS:-\"{}\"}")));
    EXPECT_THAT(one.warnings, ElementsAre(AllOf(HasSubstr("line 7, 'runtime.env[0].value'"), HasSubstr("looks like a placeholder"))));
}

// As its Python SDK and its command line send them.
TEST(AisStoreSpec, MessagesOfItsPrograms) {
    const ParsedSpec sdk = parsed(R"({"name": "md5-etl", "communication": "hpush://", "init_timeout": "5m", "obj_timeout": "45s",
        "support_direct_put": false, "runtime": {"image": "aistorage/transformer_md5:latest", "env": [{"name": "arg_type", "value": ""}]}})");
    EXPECT_THAT(sdk.warnings, IsEmpty());
    EXPECT_THAT(sdk.spec.env, ElementsAre(Pair("arg_type", "")));
    const ParsedSpec program = parsed(R"({"name": "md5-etl", "communication": "", "init_timeout": "0s", "obj_timeout": "",
        "env": null, "resources": {}, "runtime": {"image": "x", "command": null, "env": null}})");
    EXPECT_THAT(program.warnings, IsEmpty());
    EXPECT_EQ(program.spec, parsed("name: md5-etl\nruntime: {image: x}").spec);
}

TEST(AisStoreSpec, UnknownKeysOfTheRuntimeAreWarnedAbout) {
    const ParsedSpec one = parsed("name: md5-etl\nruntime: {image: x, comand: [a]}\n");
    EXPECT_THAT(one.warnings, ElementsAre(HasSubstr("'runtime.comand': is not a key of a transform and is ignored; did you mean 'command'?")));
}

constexpr const char* kPod = R"(apiVersion: v1
kind: Pod
metadata:
  name: transformer-md5
  annotations:
    # Values it can take ["hpull://","hpush://"]
    communication_type: "hpull://"
    support_direct_put: "true"
    wait_timeout: 5m
spec:
  containers:
    - name: server
      image: aistorage/transformer_md5:latest
      imagePullPolicy: Always
      ports:
        - name: default
          containerPort: 80
      command: ['/code/server.py', '--listen', '0.0.0.0']
      args: ['--port', '80']
      env: [{name: A, value: pod}, {name: B, value: pod}]
      resources: {limits: {memory: 1Gi, cpu: 2}}
      readinessProbe:
        httpGet:
          path: /health/ready
          port: default
)";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
    const std::size_t at = text.find(from);
    EXPECT_NE(at, text.npos) << from;
    return at == text.npos ? text : text.replace(at, from.size(), to);
}

TEST(AisStorePod, Md5) {
    const ParsedSpec one = parsed(kPod);
    EXPECT_THAT(one.warnings, IsEmpty());
    TransformSpec expected;
    expected.name = "transformer-md5";
    expected.kind = Kind::oci;
    expected.argv = {"/code/server.py", "--listen", "0.0.0.0", "--port", "80"};
    expected.communication = Communication::hpull;
    expected.direct_put = true;
    expected.health_path = "/health/ready";
    expected.container = {.image = "aistorage/transformer_md5:latest", .pull = PullPolicy::always, .port = 80, .cpu_millis = 2000};
    expected.init_timeout_ms = milliseconds(300'000);
    expected.env = {{"A", "pod"}, {"B", "pod"}};
    expected.limits.memory_bytes = 1ull << 30;
    EXPECT_EQ(one.spec, expected);
    const ParsedSpec again = parsed(to_json(one.spec));
    EXPECT_EQ(again.spec, expected);
    EXPECT_THAT(again.warnings, IsEmpty());
}

TEST(AisStorePod, MessageAroundItWins) {
    const std::string spec = base64_encode(kPod);
    const ParsedSpec one = parsed(R"({"name": "md5-etl", "communication": "hpush://", "obj_timeout": "45s", "support_direct_put": false,
        "env": [{"name": "A", "value": "message"}], "argument": "fqn", "spec": ")" + spec + "\"}");
    EXPECT_THAT(one.warnings, IsEmpty());
    EXPECT_EQ(one.spec.name, "md5-etl");
    EXPECT_EQ(one.spec.communication, Communication::hpush);
    EXPECT_FALSE(one.spec.direct_put);
    EXPECT_EQ(one.spec.init_timeout_ms, milliseconds(300'000));
    EXPECT_EQ(one.spec.obj_timeout_ms, milliseconds(45'000));
    EXPECT_THAT(one.spec.env, ElementsAre(Pair("A", "message"), Pair("B", "pod")));
    EXPECT_EQ(one.spec.container.port, 80);
    EXPECT_EQ(parsed("spec: " + spec).spec, parsed(kPod).spec);
}

TEST(AisStorePod, MessageMustNotAskForWhatThePodCannotDo) {
    const std::string pod = replaced(kPod, "\"true\"", "\"false\"");
    EXPECT_THAT(error_of("name: md5-etl\ncommunication: ws://\nspec: " + base64_encode(pod)),
                StartsWith("spec.yaml line 2, 'communication': ws:// needs 'support_direct_put: true'"));
    EXPECT_EQ(error_of("name: md5-etl\ncommunication: ws://\nsupport_direct_put: true\nspec: " + base64_encode(pod)), "accepted");
}

// The server of AIStore does not look at them at all.
TEST(AisStorePod, AnnotationsThatNobodyFilledInSayNothing) {
    const std::string pod = replaced(kPod, "\"hpull://\"\n", "${COMMUNICATION_TYPE:-\"\\\"hpull://\\\"\"}\n");
    const ParsedSpec one = parsed(pod);
    EXPECT_EQ(one.spec.communication, Communication::hpush);
    EXPECT_THAT(one.warnings, ElementsAre(AllOf(HasSubstr("line 7, 'metadata.annotations.communication_type'"), HasSubstr("placeholder"))));
    const std::string old = replaced(kPod, "\"hpull://\"\n", "\"hrev://\"\n");
    EXPECT_THAT(error_of(old), StartsWith("spec.yaml line 7, 'metadata.annotations.communication_type': 'hrev://' is not known"));
    EXPECT_EQ(error_of("name: md5-etl\ncommunication: hpush://\nspec: " + base64_encode(old)), "accepted");
}

TEST(AisStorePod, WhatMeansNothingHereIsWarnedAbout) {
    std::string pod = replaced(kPod, "spec:\n", "spec:\n  restartPolicy: Never\n  volumes: [{name: v}]\n  initContainers: []\n  conatiners: []\n");
    pod = replaced(pod, "      args:", "      volumeMounts: []\n      args:");
    pod += "  affinity: {podAffinity: {}}\n";
    EXPECT_THAT(parsed(pod).warnings,
                ElementsAre(HasSubstr("'spec.containers[0].volumeMounts': means nothing"), HasSubstr("'spec.affinity': means nothing"),
                            HasSubstr("'spec.initContainers': means nothing"), HasSubstr("'spec.restartPolicy': means nothing"),
                            HasSubstr("'spec.volumes': means nothing"), HasSubstr("did you mean 'containers'?")));
}

TEST(AisStorePod, SmallDifferencesThatKubernetesAllows) {
    EXPECT_EQ(parsed(replaced(kPod, "/health/ready", "ready")).spec.health_path, "/ready");
    EXPECT_EQ(parsed(replaced(kPod, "Always", "Never")).spec.container.pull, PullPolicy::never);
    EXPECT_EQ(parsed(replaced(kPod, "Always", "IfNotPresent")).spec.container.pull, PullPolicy::missing);
    EXPECT_EQ(parsed(replaced(kPod, "containerPort: 80", "containerPort: 80\n          protocol: TCP")).spec.container.port, 80);
}

struct BadPod {
    const char* from;
    const char* to;
    const char* error;
};

TEST(AisStorePod, ErrorsNameLineAndField) {
    const std::vector<BadPod> bad{
        {"kind: Pod", "kind: Deployment", "spec.yaml line 2, 'kind': must be Pod, not 'Deployment'"},
        {"kind: Pod", "# no kind", "spec.yaml line 1, 'kind': must be Pod, not ''"},
        {"name: transformer-md5", "name: Md5", "spec.yaml line 1, 'metadata.name': transform name 'Md5' must be"},
        {"  name: transformer-md5\n", "", "spec.yaml line 1, 'metadata.name': is missing"},
        {"\"hpull://\"\n", "\"ws://\"\n    x: y\n", "accepted"},
        {"\"hpull://\"\n    support_direct_put: \"true\"\n", "\"ws://\"\n",
         "spec.yaml line 7, 'metadata.annotations.communication_type': ws:// needs 'support_direct_put: true'"},
        {"\"true\"", "\"perhaps\"", "spec.yaml line 8, 'metadata.annotations.support_direct_put': 'perhaps' is not true or false"},
        {"wait_timeout: 5m", "wait_timeout: soon", "spec.yaml line 9, 'metadata.annotations.wait_timeout': 'soon' is not a duration"},
        {"    - name: server\n", "    - {}\n    - name: server\n", "spec.yaml line 12, 'spec.containers': must be exactly one container, not 2"},
        {"  containers:\n", "  containers: []\n  others:\n", "spec.yaml line 11, 'spec.containers': must be exactly one container, not 0"},
        {"  containers:\n", "  containers: {}\n  others:\n", "spec.yaml line 11, 'spec.containers': must be a list"},
        {"      image:", "      imag:", "spec.yaml line 12, 'spec.containers[0].image': is missing"},
        {"imagePullPolicy: Always", "imagePullPolicy: Often", "spec.yaml line 14, 'spec.containers[0].imagePullPolicy': 'Often' is not known"},
        {"        - name: default\n", "        - {name: second}\n        - name: default\n",
         "spec.yaml line 16, 'spec.containers[0].ports': must be exactly one port"},
        {"      ports:\n", "      other:\n", "spec.yaml line 12, 'spec.containers[0].ports': must be exactly one port"},
        {"- name: default", "- name: http", "spec.yaml line 16, 'spec.containers[0].ports[0].name': the port must be named 'default', not 'http'"},
        {"containerPort: 80", "hostPort: 80", "spec.yaml line 16, 'spec.containers[0].ports[0].containerPort': is missing"},
        {"containerPort: 80", "containerPort: 0", "spec.yaml line 17, 'spec.containers[0].ports[0].containerPort': must be from 1"},
        {"      command: ['/code/server.py', '--listen', '0.0.0.0']\n", "",
         "spec.yaml line 18, 'spec.containers[0].args': without 'command' would go"},
        {"readinessProbe:\n", "livenessProbe:\n", "spec.yaml line 12, 'spec.containers[0].readinessProbe': is missing"},
        {"httpGet:\n", "tcpSocket:\n", "spec.yaml line 23, 'spec.containers[0].readinessProbe.httpGet': is missing"},
        {"path: /health/ready", "path: ''", "spec.yaml line 24, 'spec.containers[0].readinessProbe.httpGet.path': is missing"},
        {"port: default\n", "port: 80\n", "spec.yaml line 25, 'spec.containers[0].readinessProbe.httpGet.port': must be 'default', not '80'"},
        {"spec:\n", "spec:\n  affinity:\n    nodeAffinity: {}\n", "spec.yaml line 12, 'spec.affinity.nodeAffinity': is not possible"},
        {"spec:\n", "spec:\n  affinity:\n    podAntiAffinity: {}\n", "spec.yaml line 12, 'spec.affinity.podAntiAffinity': is not possible"},
        {"spec:\n", "other:\n", "spec.yaml line 1, 'spec': is missing"},
    };
    for (const BadPod& one : bad) EXPECT_THAT(error_of(replaced(kPod, one.from, one.to)), StartsWith(one.error)) << one.from;
}

TEST(AisStorePod, DamagedOnesDoNoHarm) {
    const std::string pod = kPod;
    for (std::size_t at = 0; at < pod.size(); ++at) {
        std::string text = pod;
        text[at] = "[{*&:-\n\xff"[at % 8];
        const std::string error = error_of(text);
        EXPECT_TRUE(error == "accepted" || error.starts_with("spec.yaml")) << error;
        // The message has a name and a communication of its own.
        const std::string inside = error_of("name: md5-etl\ncommunication: hpush://\nspec: " + base64_encode(text));
        EXPECT_TRUE(inside == "accepted" || (error != "accepted" && inside.starts_with("spec.yaml"))) << inside;
    }
}

TEST(AisStorePod, ErrorsInsideOfAMessageNameThePod) {
    const auto message = [](const std::string& pod) { return "name: md5-etl\nspec: " + base64_encode(pod); };
    EXPECT_THAT(error_of(message(replaced(kPod, "kind: Pod", "kind: Job"))), StartsWith("spec.yaml (pod in 'spec') line 2, 'kind': must be Pod"));
    EXPECT_THAT(error_of(message("a: [")), StartsWith("spec.yaml (pod in 'spec') line 1: not valid YAML"));
    EXPECT_THAT(error_of(message("\xff")), StartsWith("spec.yaml (pod in 'spec'): is not UTF-8"));
    EXPECT_THAT(error_of(message(std::string(kPod) + "---\n" + kPod)), StartsWith("spec.yaml line 2, 'spec': holds 2 documents"));
    EXPECT_THAT(error_of("name: md5-etl\nspec:\n  containers: []\n"), StartsWith("spec.yaml line 1, 'kind': must be Pod, not ''"));
    EXPECT_THAT(error_of("name: md5-etl\nspec: [a]\n"), StartsWith("spec.yaml line 2, 'spec': must be a text, not a list"));
}

}  // namespace
}  // namespace millrace::spec
