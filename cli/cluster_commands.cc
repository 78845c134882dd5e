#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/document.h"
#include "cli/output.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "core/units.h"

namespace millrace::cli {

int run(Context& context, const ClusterShow&) {
    const auto cluster = context.session.get("/v1/cluster");
    if (!cluster) return context.fail("cluster show", cluster.error());
    std::ostream& out = context.console.out;
    if (context.json) {
        print_json(out, *cluster);
        return kExitDone;
    }
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
    return kExitDone;
}

}  // namespace millrace::cli
