// Changes of who may take part: decided (scheduler/admission.h), written down, and only then in force and told. Control loop only.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "core/clock.h"
#include "scheduler/admission.h"
#include "scheduler/control_plane.h"
#include "state/metadata_store.h"
#include "wire/allowed_keys.h"
#include "wire/join_code.h"

namespace millrace::scheduler {

class AdmissionService {
public:
    // allowed: what the control port's socket asks; set from what was written down.
    static Task<Result<std::unique_ptr<AdmissionService>>> open(ControlPlane& control, state::MetadataStore& metadata,
                                                                std::shared_ptr<wire::AllowedKeys> allowed);

    // The secret of the invitation. Good for so long.
    Task<Result<std::string>> invite(Duration good_for);
    // Errors as Admission::join(); those of permission are logged with the reason, and told without.
    Task<Result<void>> join(std::string token, std::string node, std::string key);
    // Its messages are dropped from now on, and nothing is sent to it.
    Task<Result<void>> revoke(std::string node);
    const Admission& admission() const { return admission_; }

private:
    AdmissionService(ControlPlane& control, state::MetadataStore& metadata, std::shared_ptr<wire::AllowedKeys> allowed, Admission admission);
    using Change = std::function<Result<void>(Admission& changed)>;
    Task<Result<void>> change(Change how);
    Task<Result<void>> change_in_turn(const Change& how);

    ControlPlane& control_;
    state::MetadataStore& metadata_;
    const std::shared_ptr<wire::AllowedKeys> allowed_;
    Admission admission_;
};

}  // namespace millrace::scheduler
