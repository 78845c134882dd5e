#include "scheduler/admission_service.h"

#include "core/log.h"
#include "core/secrets.h"
#include "scheduler/proxy_records.h"
#include "wire/node_key.h"

namespace millrace::scheduler {

Task<Result<std::unique_ptr<AdmissionService>>> AdmissionService::open(ControlPlane& control, state::MetadataStore& metadata,
                                                                       std::shared_ptr<wire::AllowedKeys> allowed) {
    AdmissionRecord record;
    MILLRACE_CO_TRY_ASSIGN(const std::optional<std::string> bytes, co_await metadata.get(kAdmissionKey));
    if (bytes) {
        MILLRACE_CO_TRY_ASSIGN(record, decode<AdmissionRecord>(kAdmissionKey, *bytes));
    }
    Admission admission(std::move(record));
    co_return std::unique_ptr<AdmissionService>(new AdmissionService(control, metadata, std::move(allowed), std::move(admission)));
}

AdmissionService::AdmissionService(ControlPlane& control, state::MetadataStore& metadata, std::shared_ptr<wire::AllowedKeys> allowed, Admission admission)
    : control_(control), metadata_(metadata), allowed_(std::move(allowed)), admission_(std::move(admission)) {
    allowed_->set(admission_.keys());
}

Task<Result<void>> AdmissionService::change(Change how) {
    auto turn = [&] { return change_in_turn(how); };
    co_return co_await control_.in_turn(std::move(turn));
}

Task<Result<void>> AdmissionService::change_in_turn(const Change& how) {
    Admission changed = admission_;
    MILLRACE_CO_TRY(how(changed));
    state::MetadataCommit commit{.changes = {{kAdmissionKey, encode(changed.record())}}};
    const Result<void> written = co_await metadata_.commit(std::move(commit));
    if (!written) co_return written.error().during("the list of nodes could not be written down");
    admission_ = std::move(changed);
    allowed_->set(admission_.keys());
    co_return Result<void>{};
}

Task<Result<std::string>> AdmissionService::invite(Duration good_for) {
    std::string token = random_bytes(wire::kTokenBytes);
    const std::int64_t now = unix_now_ns();
    const std::int64_t expires = now + std::chrono::duration_cast<std::chrono::nanoseconds>(good_for).count();
    Change how = [&](Admission& changed) { return changed.invite(token, expires, now); };
    MILLRACE_CO_TRY(co_await change(std::move(how)));
    log::info("invitation made", {{"expires", rfc3339(expires)}});
    co_return token;
}

Task<Result<void>> AdmissionService::join(std::string token, std::string node, std::string key) {
    Change how = [&](Admission& changed) { return changed.join(token, node, key, unix_now_ns()); };
    const Result<void> joined = co_await change(std::move(how));
    if (joined) {
        log::info("node joined", {{"node", node}, {"key", wire::fingerprint(key)}});
        co_return joined;
    }
    if (joined.error().code != Code::permission) co_return joined;
    log::warn("node may not join", {{"node", node}, {"key", wire::fingerprint(key)}, {"reason", joined.error().context}});
    co_return fail(Code::permission, "this invitation is not good any more: it was used, it has expired, or it never was one; make another: "
        "millrace cluster invite");
}

Task<Result<void>> AdmissionService::revoke(std::string node) {
    Change how = [&](Admission& changed) { return changed.revoke(node); };
    const Result<void> revoked = co_await change(std::move(how));
    if (revoked) log::info("key of a node taken off the list", {{"node", node}});
    co_return revoked;
}

}  // namespace millrace::scheduler
