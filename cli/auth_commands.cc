// The verbs about tokens: keys and tokens are made here, by whoever has the key; a cluster only checks them.
#include <nlohmann/json.hpp>
#include <ostream>

#include "auth/token.h"
#include "cli/output.h"
#include "cli/session.h"
#include "cli/token.h"
#include "cli/verbs.h"
#include "core/file.h"
#include "core/ids.h"
#include "core/json_members.h"
#include "core/private_files.h"
#include "core/secrets.h"
#include "core/units.h"
#include "core/whole_number.h"

namespace millrace::cli {
namespace {

using nlohmann::json;

constexpr const char* kSigningKey = "signing.pem";
constexpr const char* kPublicKey = "auth.pem";

std::int64_t now_unix() { return unix_now_ns() / 1'000'000'000; }
std::string at(std::int64_t unix_seconds) { return rfc3339(unix_seconds * 1'000'000'000); }

int complain(Console& console, std::string_view what, const Error& error) {
    report(console, what, error.context);
    return exit_status(error.code);
}

// As parse_duration, and in days.
Result<std::int64_t> life_of(const std::string& text) {
    if (text.ends_with('d')) {
        const auto days = parse_whole<std::int64_t>(std::string_view(text).substr(0, text.size() - 1));
        if (days && *days > 0 && *days <= 366) return *days * 24 * 3600;
    }
    MILLRACE_TRY_ASSIGN(const milliseconds life, parse_duration(text));
    return std::chrono::duration_cast<std::chrono::seconds>(life).count();
}

Result<std::string> issue(const AuthIssue& verb) {
    MILLRACE_TRY_ASSIGN(const std::string pem, read_file(verb.key, 64 << 10));
    auto key = auth::SigningKey::parse(pem);
    if (!key) return key.error().during(verb.key);
    std::vector<auth::Grant> grants;
    for (const std::string& text : verb.grants) {
        MILLRACE_TRY_ASSIGN(auth::Grant grant, auth::Grant::parse(text));
        grants.push_back(std::move(grant));
    }
    MILLRACE_TRY_ASSIGN(const std::int64_t life, life_of(verb.expires));
    const std::int64_t now = now_unix();
    return auth::sign_token({random_id("t-"), verb.subject, now, now + life, auth::Grants(std::move(grants))}, *key);
}

json document_of(const auth::Token& token) {
    json grants = json::array();
    for (const auth::Grant& grant : token.grants.list()) grants.push_back(grant.text());
    return {{"id", token.id}, {"subject", token.subject}, {"grants", std::move(grants)}, {"issued", at(token.issued_unix)},
            {"expires", at(token.expires_unix)}};
}

int show_revoked(Context& context) {
    const auto rows = context.session.list("/v1/tokens/revoked");
    if (!rows) return context.fail("auth show --revoked", rows.error());
    if (context.json) {
        print_json(context.console.out, *rows);
        return kExitDone;
    }
    Table table({{"TOKEN"}, {"SUBJECT"}, {"ISSUED UNTIL"}, {"REMEMBERED UNTIL"}});
    for (const json& row : *rows) table.add({text_of(row, "token"), text_of(row, "subject"), text_of(row, "issued_until"), text_of(row, "until")});
    table.print(context.console.out);
    return kExitDone;
}

// What the cluster is told to refuse.
Result<json> revocation(const Console& console, const AuthRevoke& verb) {
    if ((verb.token.empty() ? 0 : 1) + (verb.file.empty() ? 0 : 1) + (verb.subject.empty() ? 0 : 1) != 1) {
        return fail(Code::invalid_argument, "name one of: the token's id (as 'auth show' says it), --file FILE, --subject NAME");
    }
    if (!verb.subject.empty()) return json{{"subject", verb.subject}};
    if (verb.token.find('.') != std::string::npos) {
        return fail(Code::invalid_argument, "others see the arguments of a command: name the token's id, or --file FILE, or --file - for standard input");
    }
    if (!verb.token.empty()) return json{{"token", verb.token}};
    MILLRACE_TRY_ASSIGN(const std::string text, read_token_file(verb.file, console));
    MILLRACE_TRY_ASSIGN(const auth::Token token, auth::read_token(text));
    return json{{"token", token.id}, {"expires", token.expires_unix}};
}

}  // namespace

int run(Console& console, bool as_json, const AuthInit& verb) {
    keep_files_private();
    const auth::SigningKey key = auth::SigningKey::generate();
    const std::string secret = verb.folder + "/" + kSigningKey;
    const std::string open = verb.folder + "/" + kPublicKey;
    Result<void> made = make_folder(verb.folder);
    if (made) made = write_new_file(secret, key.pem());
    if (made) made = write_new_file(open, key.public_pem());
    if (!made) return complain(console, "auth init", made.error());
    if (as_json) {
        print_json(console.out, {{"signing_key", secret}, {"auth_key", open}});
        return kExitDone;
    }
    console.out << "The key that signs tokens is " << secret << ": keep it to yourself, no node needs it.\n"
                << "Give every node a copy of " << open << ", and in its configuration:\n\n  auth_key: " << open << "\n\n"
                << "Then make tokens, your own first:\n\n  millrace auth issue --key " << secret << " --subject me --grant admin > my.token\n"
                << "  export MILLRACE_TOKEN_FILE=my.token\n";
    return kExitDone;
}

int run(Console& console, bool as_json, const AuthIssue& verb) {
    keep_files_private();
    const auto token = issue(verb);
    if (!token) return complain(console, "auth issue", token.error());
    if (as_json) {
        print_json(console.out, {{"token", *token}});
    } else {
        console.out << *token << '\n';
    }
    return kExitDone;
}

int run(Context& context, const AuthShow& verb) {
    if (verb.revoked) return show_revoked(context);
    const auto text = verb.file.empty() ? find_token(context.console) : read_token_file(verb.file, context.console);
    if (!text) return context.fail("auth show", text.error());
    if (text->empty()) {
        return context.fail("auth show", fail(Code::not_found, "there is no token: MILLRACE_TOKEN, MILLRACE_TOKEN_FILE or --file name one"));
    }
    const auto token = auth::read_token(*text);
    if (!token) return context.fail("auth show", token.error());
    const json document = document_of(*token);
    if (context.json) {
        print_json(context.console.out, document);
        return kExitDone;
    }
    std::string grants;
    for (const auth::Grant& grant : token->grants.list()) grants += (grants.empty() ? "" : ", ") + grant.text();
    const bool is_over = token->expires_unix <= now_unix();
    print_fields(context.console.out, {{"id", token->id}, {"subject", token->subject}, {"grants", grants}, {"issued", at(token->issued_unix)},
                                       {"expires", at(token->expires_unix) + (is_over ? " (it has)" : "")}});
    return kExitDone;
}

int run(Context& context, const AuthRevoke& verb) {
    const auto what = revocation(context.console, verb);
    if (!what) return context.fail("auth revoke", what.error());
    const auto done = context.session.send("POST", "/v1/tokens/revoked", *what);
    if (!done) return context.fail("auth revoke", done.error());
    return kExitDone;
}

}  // namespace millrace::cli
