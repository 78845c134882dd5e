#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/document.h"
#include "cli/output.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "core/units.h"
#include "core/uri.h"

namespace millrace::cli {
namespace {

void print_remarks(std::ostream& out, const char* kind, const nlohmann::json& remarks) {
    if (!remarks.is_array() || remarks.empty()) return;
    out << '\n';
    for (const nlohmann::json& remark : remarks) {
        if (remark.is_string()) out << kind << ": " << clean_text(remark.get<std::string>()) << '\n';
    }
}

// Has the proxy do something about a node, and says what it did.
int command_node(Context& context, const std::string& command, const std::string& node) {
    Call call;
    call.method = "POST";
    call.target = "/v1/cluster/nodes/" + percent_encode(node) + "/" + command;
    const auto done = context.session.request(std::move(call));
    if (!done) return context.fail("cluster " + command + " " + node, done.error());
    if (context.json) {
        print_json(context.console.out, *done);
    } else {
        context.console.out << clean_text(text_of(*done, "message")) << '\n';
    }
    return kExitDone;
}

}  // namespace

int run(Context& context, const ClusterShow&) {
    const auto cluster = context.session.get("/v1/cluster");
    if (!cluster) return context.fail("cluster show", cluster.error());
    std::ostream& out = context.console.out;
    if (context.json) {
        print_json(out, *cluster);
        return kExitDone;
    }
    const auto known = context.session.get("/v1/cluster/keys");
    if (!known && known.error().code != Code::not_found) return context.fail("cluster show", known.error());  // one from before has no list
    const auto uptime = milliseconds(static_cast<std::int64_t>(std::min(number_of(*cluster, "uptime_seconds"), 1e9)) *
                                     1000);
    print_fields(out,
                 {{"proxy", text_of(*cluster, "proxy_id")},
                  {"uptime", duration_text(uptime)},
                  {"map version", std::to_string(count_of(*cluster, "version"))},
                  {"map", flag_of(*cluster, "sealed") ? "sealed: a bucket exists, so no more targets may join"
                                                      : "open: targets may join until the first bucket is created"}});
    out << '\n';
    Table table({{"TARGET"}, {"STATE"}, {"SLICES", true}, {"ENDPOINT"}, {"REASON"}});
    for (const nlohmann::json& target : member(*cluster, "targets")) {
        table.add({text_of(target, "id"), flag_of(target, "online") ? "online" : "offline",
                   std::to_string(count_of(target, "running_slices")), text_of(target, "endpoint"),
                   text_of(target, "reason")});
    }
    table.print(out);
    for (const nlohmann::json& stranger : member(*cluster, "refused")) {
        out << "\nrefused: " << text_of(stranger, "id") << " at " << text_of(stranger, "endpoint") << '\n';
    }
    const nlohmann::json keys = known ? *known : nlohmann::json();
    if (flag_of(keys, "secure")) {
        out << "\nkey of the proxy: " << text_of(keys, "proxy_fingerprint") << '\n';
        Table allowed({{"ALLOWED NODE"}, {"KEY"}});
        for (const nlohmann::json& node : member(keys, "nodes")) allowed.add({text_of(node, "id"), text_of(node, "fingerprint")});
        allowed.print(out);
    }
    print_remarks(out, "problem", member(*cluster, "problems"));
    print_remarks(out, "insecure", member(*cluster, "insecure"));
    return kExitDone;
}

int run(Context& context, const ClusterAccept& verb) { return command_node(context, "accept", verb.node); }

int run(Context& context, const ClusterInvite& verb) {
    Call call;
    call.method = "POST";
    call.target = "/v1/cluster/invitations";
    call.headers.set("Content-Type", "application/json");
    call.body = text_body(nlohmann::json{{"ttl", verb.ttl}}.dump());
    const auto invited = context.session.request(std::move(call));
    if (!invited) return context.fail("cluster invite", invited.error());
    if (context.json) {
        print_json(context.console.out, *invited);
        return kExitDone;
    }
    context.console.out << "MILLRACE_JOIN=" << clean_text(text_of(*invited, "code")) << " millrace target --dir DIR\n";
    context.console.err << "Run this line on the new machine, with a folder for DIR. It is a secret, good once and for " << clean_text(text_of(*invited, "ttl"))
                        << "; later starts need no more than --dir.\n";
    return kExitDone;
}

int run(Context& context, const ClusterRevoke& verb) { return command_node(context, "revoke", verb.node); }

}  // namespace millrace::cli
