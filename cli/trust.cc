#include "cli/trust.h"

#include "cli/endpoint.h"
#include "http/tls_context.h"

namespace millrace::cli {
namespace {

std::string variable(const Console& console, const char* name) { return console.environment(name).value_or(""); }

std::string authority(const Console& console) {
    for (const char* name : {"MILLRACE_CA", "AIS_CLIENT_CA"}) {
        if (std::string file = variable(console, name); !file.empty()) return file;
    }
    return setting(console, "ca_file").value;
}

}  // namespace

Result<void> set_trust(const Console& console) {
    if (variable(console, "AIS_SKIP_VERIFY_CRT") == "true") {
        http::set_client_tls(http::TlsContext::without_verification());
        return {};
    }
    http::TlsFiles files{variable(console, "AIS_CRT"), variable(console, "AIS_CRT_KEY"), authority(console)};
    if (files.key.empty()) files.certificate.clear();
    MILLRACE_TRY_ASSIGN(auto context, http::TlsContext::open(std::move(files), http::TlsContext::Role::client));
    http::set_client_tls(std::move(context));
    return {};
}

}  // namespace millrace::cli
