// Whom the command believes over https://, and what it shows. AIStore's variables are read, too.
#pragma once
#include "cli/context.h"

namespace millrace::cli {

// The authority: MILLRACE_CA, AIS_CLIENT_CA, a line 'ca_file: PATH' in ~/.config/millrace/config.yaml; else SSL_CERT_FILE, else the system's. A certificate to
// show: AIS_CRT and AIS_CRT_KEY. AIS_SKIP_VERIFY_CRT=true believes everybody. For all https:// of this process from then on.
Result<void> set_trust(const Console& console);

}  // namespace millrace::cli
