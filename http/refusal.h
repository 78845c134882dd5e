// Why a request is refused before anybody acts on it, and with which status.
#pragma once
#include "core/result.h"

namespace millrace::http {

struct Refusal {
    Error error;
    int status = 400;
};

}  // namespace millrace::http
