#include "spec/pod_spec.h"

#include <array>

#include "spec/settings.h"

namespace millrace::spec {
namespace {

constexpr std::array kPodKeysWithoutMeaning{
    "activeDeadlineSeconds", "automountServiceAccountToken", "dnsConfig", "dnsPolicy", "enableServiceLinks", "ephemeralContainers", "hostAliases",
    "hostIPC", "hostNetwork", "hostPID", "hostname", "imagePullSecrets", "initContainers", "nodeName", "nodeSelector", "os", "overhead",
    "preemptionPolicy", "priority", "priorityClassName", "readinessGates", "restartPolicy", "runtimeClassName", "schedulerName", "securityContext",
    "serviceAccount", "serviceAccountName", "shareProcessNamespace", "subdomain", "terminationGracePeriodSeconds", "tolerations",
    "topologySpreadConstraints", "volumes"};
constexpr std::array kContainerKeysWithoutMeaning{
    "envFrom", "lifecycle", "livenessProbe", "securityContext", "startupProbe", "stdin", "stdinOnce", "terminationMessagePath",
    "terminationMessagePolicy", "tty", "volumeDevices", "volumeMounts"};

template <std::size_t N>
void warn_of(SpecReader& reader, const std::array<const char*, N>& keys) {
    for (const char* key : keys) {
        if (reader.has(key)) reader.warn(key, "means nothing to a transform and is ignored");
        reader.ignore(key);
    }
}

// An annotation that nobody filled in is warned about when it is read; it says nothing.
Result<bool> says_something(SpecReader& annotations, const std::string& key) {
    std::string text;
    MILLRACE_TRY(annotations.text(key, text));
    return !text.empty() && !text.starts_with("${");
}

Result<void> read_annotations(SpecReader& annotations, bool is_wrapped, TransformSpec& spec) {
    MILLRACE_TRY_ASSIGN(const bool says_communication, says_something(annotations, "communication_type"));
    if (says_communication && !is_wrapped) MILLRACE_TRY(read_communication(annotations, "communication_type", spec.communication));
    MILLRACE_TRY_ASSIGN(const bool says_timeout, says_something(annotations, "wait_timeout"));
    if (says_timeout) MILLRACE_TRY(annotations.duration("wait_timeout", spec.init_timeout_ms));
    MILLRACE_TRY(annotations.boolean("support_direct_put", spec.direct_put));
    annotations.warn_unknown();
    return {};
}

Result<void> read_metadata(SpecReader& pod, bool is_wrapped, TransformSpec& spec) {
    MILLRACE_TRY_ASSIGN(std::optional<SpecReader> metadata, pod.section("metadata"));
    if (!metadata) return is_wrapped ? Result<void>{} : pod.error("metadata.name", "is missing");
    MILLRACE_TRY(metadata->text("name", spec.name));
    metadata->ignore("labels");
    metadata->ignore("namespace");
    MILLRACE_TRY_ASSIGN(std::optional<SpecReader> annotations, metadata->section("annotations"));
    if (annotations) {
        MILLRACE_TRY(read_annotations(*annotations, is_wrapped, spec));
        if (!is_wrapped) MILLRACE_TRY(check_communication(*annotations, "communication_type", spec));
    }
    metadata->warn_unknown();
    return {};
}

Result<void> read_ports(SpecReader& container, TransformSpec& spec) {
    MILLRACE_TRY_ASSIGN(std::vector<SpecReader> ports, container.sections("ports"));
    if (ports.size() != 1) {
        return container.error("ports", "must be exactly one port, {name: default, containerPort: …}, not " + std::to_string(ports.size()));
    }
    SpecReader& port = ports[0];
    std::string name;
    MILLRACE_TRY(port.text("name", name));
    if (name != "default") return port.error("name", "the port must be named 'default', not " + quoted_for_message(name));
    if (!port.has("containerPort")) return port.error("containerPort", "is missing");
    MILLRACE_TRY(read_port(port, "containerPort", spec.container));
    port.ignore("protocol");
    port.warn_unknown();
    return {};
}

Result<void> read_probe(SpecReader& container, TransformSpec& spec) {
    MILLRACE_TRY_ASSIGN(std::optional<SpecReader> probe, container.section("readinessProbe"));
    if (!probe) return container.error("readinessProbe", "is missing; give 'httpGet: {path: /health, port: default}'");
    MILLRACE_TRY_ASSIGN(std::optional<SpecReader> get, probe->section("httpGet"));
    if (!get) return probe->error("httpGet", "is missing; give {path: /health, port: default}");
    std::string path;
    std::string port;
    MILLRACE_TRY(get->text("path", path));
    MILLRACE_TRY(get->text("port", port));
    if (path.empty()) return get->error("path", "is missing; give a path such as /health");
    if (port != "default") return get->error("port", "must be 'default', not " + quoted_for_message(port));
    // Kubernetes takes it without the slash too.
    if (path.starts_with('/')) {
        MILLRACE_TRY(read_absolute_path(*get, "path", spec.health_path));
    } else {
        spec.health_path = "/" + path;
    }
    get->warn_unknown();
    for (const char* key : {"failureThreshold", "initialDelaySeconds", "periodSeconds", "successThreshold", "timeoutSeconds"}) probe->ignore(key);
    probe->warn_unknown();
    return {};
}

Result<void> read_pull_policy(SpecReader& container, TransformSpec& spec) {
    std::string policy;
    MILLRACE_TRY(container.text("imagePullPolicy", policy));
    if (policy.empty()) return {};
    if (policy != "Always" && policy != "IfNotPresent" && policy != "Never") {
        return container.error("imagePullPolicy", quoted_for_message(policy) + " is not known; use Always, IfNotPresent or Never");
    }
    spec.container.pull = policy == "Always" ? PullPolicy::always : policy == "Never" ? PullPolicy::never : PullPolicy::missing;
    return {};
}

Result<void> read_pod_container(SpecReader& container, TransformSpec& spec) {
    container.ignore("name");
    MILLRACE_TRY(read_image(container, spec.container));
    MILLRACE_TRY(read_pull_policy(container, spec));
    MILLRACE_TRY(container.command("command", spec.argv));
    std::vector<std::string> arguments;
    MILLRACE_TRY(container.command("args", arguments));
    if (spec.argv.empty() && !arguments.empty()) {
        return container.error("args", "without 'command' would go to the image's own entry point, which is not looked up; give 'command' too");
    }
    spec.argv.insert(spec.argv.end(), arguments.begin(), arguments.end());
    MILLRACE_TRY(container.variables("env", spec.env));
    MILLRACE_TRY(read_absolute_path(container, "workingDir", spec.workdir));
    MILLRACE_TRY(read_ports(container, spec));
    MILLRACE_TRY(read_probe(container, spec));
    MILLRACE_TRY(read_resources(container, spec));
    warn_of(container, kContainerKeysWithoutMeaning);
    container.warn_unknown();
    return {};
}

Result<void> refuse_affinity(SpecReader& body) {
    MILLRACE_TRY_ASSIGN(std::optional<SpecReader> affinity, body.section("affinity"));
    if (!affinity) return {};
    for (const std::string key : {"nodeAffinity", "podAntiAffinity"}) {
        if (affinity->has(key)) return affinity->error(key, "is not possible: a transform runs on every target");
    }
    body.warn("affinity", "means nothing to a transform and is ignored");
    return {};
}

}  // namespace

Result<void> read_pod(SpecReader& pod, bool is_wrapped, TransformSpec& spec) {
    spec.kind = Kind::oci;
    std::string kind;
    MILLRACE_TRY(pod.text("kind", kind));
    if (kind != "Pod") return pod.error("kind", "must be Pod, not " + quoted_for_message(kind));
    pod.ignore("apiVersion");
    MILLRACE_TRY(read_metadata(pod, is_wrapped, spec));
    MILLRACE_TRY_ASSIGN(std::optional<SpecReader> body, pod.section("spec"));
    if (!body) return pod.error("spec", "is missing");
    MILLRACE_TRY_ASSIGN(std::vector<SpecReader> containers, body->sections("containers"));
    if (containers.size() != 1) return body->error("containers", "must be exactly one container, not " + std::to_string(containers.size()));
    MILLRACE_TRY(read_pod_container(containers[0], spec));
    MILLRACE_TRY(refuse_affinity(*body));
    warn_of(*body, kPodKeysWithoutMeaning);
    body->warn_unknown();
    pod.ignore("status");
    pod.warn_unknown();
    apply_variables(spec);
    return {};
}

}  // namespace millrace::spec
