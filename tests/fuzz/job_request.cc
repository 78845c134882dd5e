// Requests for jobs, ours and AIStore's: what is taken is a specification that is believed, and one of AIStore's becomes one of ours or an error.
#include "aistore/bulk_request.h"
#include "aistore/message.h"
#include "aistore/object_page.h"
#include "core/check.h"
#include "scheduler/job_request.h"
#include "tests/fuzz/fuzz.h"

using namespace millrace;

namespace {

void try_native(std::string_view bytes) {
    const auto request = scheduler::parse_job_request(std::string(bytes));
    if (!request) return;
    MILLRACE_CHECK(request->spec.validate());
    MILLRACE_CHECK(std::ranges::is_sorted(request->objects));
}

void try_aistore(std::string_view bytes) {
    const auto message = aistore::parse_action(std::string(bytes));
    if (!message) return;
    (void)aistore::parse_page_request(*message, Query(), "bucket");
    if (!aistore::is_bulk_action(message->action)) return;
    (void)aistore::transforms_of(*message);
    if (const auto native = aistore::native_job_request(*message, "from", "to")) (void)scheduler::parse_job_request(*native);
}

}  // namespace

void fuzz(std::string_view bytes) {
    if (take_byte(bytes) % 2 == 0) return try_native(bytes);
    try_aistore(bytes);
}
