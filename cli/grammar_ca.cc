#include "cli/grammar.h"

namespace millrace::cli {

void Grammar::add_ca() {
    CLI::App* ca = noun("ca", "Make certificates, so that a cluster speaks https", "  millrace ca init ./ca\n  millrace ca issue ./ca proxy --host 10.0.0.1");
    auto init = verb<CaInit>(ca, "init", "Make an authority that signs the certificates of nodes", "  millrace ca init ./ca");
    init.app->add_option("FOLDER", init.verb->folder, "Where ca.key and ca.pem are written; made if it is not there")->required();

    auto issue = verb<CaIssue>(ca, "issue", "Make a certificate for a node, and its key",
                               "  millrace ca issue ./ca proxy --host 10.0.0.1 --host mill.example\n"
                               "  millrace ca issue ./ca t1 --host 10.0.0.2 --days 90 --out ./t1");
    issue.app->add_option("FOLDER", issue.verb->folder, "That of 'ca init'")->required();
    issue.app->add_option("NAME", issue.verb->name, "Of the node; the files are NAME.pem and NAME.key")->required();
    issue.app->add_option("--host", issue.verb->hosts, "A host name or address by which it is reached; may be repeated")
        ->type_name("HOST")->allow_extra_args(false);
    issue.app->add_option("--days", issue.verb->days, "How long it is good, 365 if not given; at most 3650")->type_name("N");
    issue.app->add_option("--out", issue.verb->out, "The folder for both files, instead of FOLDER")->type_name("DIR");
}

}  // namespace millrace::cli
