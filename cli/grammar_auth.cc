#include "auth/grants.h"
#include "cli/grammar.h"

namespace millrace::cli {

void Grammar::add_auth() {
    CLI::App* auth = noun("auth", "Make tokens, by which a cluster knows who asks it for something", "  millrace auth init ./keys\n"
                          "  millrace auth issue --key ./keys/signing.pem --subject alice --grant read:audio-*");
    auto init = verb<AuthInit>(auth, "init", "Make a key that signs tokens, and its public half for the nodes", "  millrace auth init ./keys");
    init.app->add_option("FOLDER", init.verb->folder, "Where signing.pem and auth.pem are written; made if it is not there")->required();

    auto issue = verb<AuthIssue>(auth, "issue", "Print a token",
                                 "  millrace auth issue --key ./keys/signing.pem --subject me --grant admin > my.token\n"
                                 "  millrace auth issue --key ./keys/signing.pem --subject alice --grant read:audio-* --grant run --expires 7d");
    issue.app->add_option("--key", issue.verb->key, "signing.pem of 'auth init'")->type_name("FILE")->required();
    issue.app->add_option("--subject", issue.verb->subject, "Whose token it is, as the record of changes will say")->type_name("NAME")->required();
    issue.app->add_option("--grant", issue.verb->grants, "RIGHT or RIGHT:BUCKETS; may be repeated. Rights: " + std::string(auth::kRightNames) +
                          ". BUCKETS is a name in which * stands for anything")->type_name("GRANT")->required()->allow_extra_args(false);
    issue.app->add_option("--expires", issue.verb->expires, "After how long, such as 8h or 30d, which it is otherwise; at most 366d")->type_name("DURATION");

    auto show = verb<AuthShow>(auth, "show", "Say what a token is good for",
                               "  millrace auth show\n  millrace auth show --file my.token\n  millrace auth show --revoked");
    show.app->add_option("--file", show.verb->file, "The token, or - for standard input; instead of the one that requests are made with")->type_name("FILE");
    show.app->add_flag("--revoked", show.verb->revoked, "List the tokens that the cluster refuses, although they have not expired");

    auto revoke = verb<AuthRevoke>(auth, "revoke", "Refuse a token from now on, or all tokens of somebody",
                                   "  millrace auth revoke t-7k2m0q9xw4\n  millrace auth revoke --file stolen.token\n  millrace auth revoke --subject alice");
    revoke.app->add_option("TOKEN", revoke.verb->token, "Its id, as 'auth show' says it");
    revoke.app->add_option("--file", revoke.verb->file, "The token, or - for standard input")->type_name("FILE");
    revoke.app->add_option("--subject", revoke.verb->subject, "Everybody of this name: all that was issued until now")->type_name("NAME");
}

}  // namespace millrace::cli
