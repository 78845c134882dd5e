// The verbs about certificates: they are made here, by whoever has the authority's key.
#include <nlohmann/json.hpp>
#include <ostream>

#include "auth/certificates.h"
#include "cli/output.h"
#include "cli/verbs.h"

namespace millrace::cli {

int run(Console& console, bool as_json, const CaInit& verb) {
    const auto made = auth::make_authority(verb.folder);
    if (!made) {
        report(console, "ca init", made.error().context);
        return exit_status(made.error().code);
    }
    if (as_json) {
        print_json(console.out, {{"key", made->key}, {"certificate", made->certificate}});
        return kExitDone;
    }
    console.out << "The authority's key is " << made->key << ": keep it to yourself, no node needs it.\n"
                << "Nodes and clients believe what it signs by " << made->certificate << ". For each node:\n\n"
                << "  millrace ca issue " << verb.folder << " NAME --host ADDRESS\n\nFor clients:\n\n  export MILLRACE_CA=" << made->certificate << '\n';
    return kExitDone;
}

int run(Console& console, bool as_json, const CaIssue& verb) {
    const auto issued = auth::issue_certificate(verb.folder, {.name = verb.name, .hosts = verb.hosts, .days = verb.days, .out = verb.out});
    if (!issued) {
        report(console, "ca issue", issued.error().context);
        return exit_status(issued.error().code);
    }
    if (as_json) {
        print_json(console.out, {{"tls_key", issued->key}, {"tls_certificate", issued->certificate}, {"tls_ca", verb.folder + "/ca.pem"}});
        return kExitDone;
    }
    console.out << "In the configuration of " << verb.name << ":\n\n  tls_certificate: " << issued->certificate << "\n  tls_key: " << issued->key
                << "\n  tls_ca: " << verb.folder << "/ca.pem\n";
    return kExitDone;
}

}  // namespace millrace::cli
