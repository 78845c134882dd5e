#include "worker/progress_record.h"

#include "core/clock.h"

namespace millrace::worker {

state::SliceCheckpoint to_record(const Progress& progress) {
    return {.phase = static_cast<int>(progress.phase), .phase_pass = progress.phase_pass, .retried_pass = progress.retried_pass,
            .watermark = progress.watermark, .settled_ahead = progress.settled_ahead, .counters = progress.counters,
            .survey_after = progress.survey.after, .survey_objects = progress.survey.objects, .survey_bytes = progress.survey.bytes,
            .survey_unmapped = progress.survey.unmapped, .survey_done = progress.survey.done, .failure = progress.failure};
}

Progress from_record(const state::SliceCheckpoint& record) {
    return {.phase = record.phase == 1 ? Phase::retry : record.phase == 2 ? Phase::finished : Phase::main,
            .phase_pass = record.phase_pass, .retried_pass = record.retried_pass, .watermark = record.watermark,
            .settled_ahead = record.settled_ahead,
            .counters = record.counters,
            .survey = {record.survey_after, record.survey_objects, record.survey_bytes, record.survey_unmapped, record.survey_done}, .failure = record.failure};
}

state::LedgerChanges to_record(const FailureChanges& changes) {
    state::LedgerChanges rows;
    for (const auto& [name, failed] : changes) {
        std::optional<state::LedgerRow>& row = rows[name];
        if (!failed) continue;
        row = state::LedgerRow{.quarantined = failed->quarantined, .code = static_cast<int>(failed->error.code),
                               .message = failed->error.context.substr(0, 4096), .stderr_tail = failed->stderr_tail,
                               .attempts = failed->attempts, .pass = failed->pass, .at_unix_ns = unix_now_ns()};
    }
    return rows;
}

}  // namespace millrace::worker
