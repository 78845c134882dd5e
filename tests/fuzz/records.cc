// Records on disk: what is read can be written again, and means the same.
#include "core/check.h"
#include "scheduler/job.h"
#include "state/record.h"
#include "state/slice_store.h"
#include "store/draft_record.h"
#include "store/object_record.h"
#include "tests/fuzz/fuzz.h"
#include "wire/messages.h"
#include "worker/progress_record.h"

using namespace millrace;

namespace {

template <class Record>
void try_record(std::string_view bytes) {
    const auto record = state::decode_record<Record>("the record", bytes);
    if (!record) return;
    const std::string written = state::encode_record(*record);
    const auto again = state::decode_record<Record>("the record", written);
    MILLRACE_CHECK(again && state::encode_record(*again) == written);
}

// By store/: each has a decoder of its own.
template <class Decode>
void try_stored(std::string_view bytes, Decode decode) {
    const auto record = decode(bytes, "the record");
    if (!record) return;
    const std::string written = store::encode(*record);
    const auto again = decode(written, "the record");
    MILLRACE_CHECK(again && store::encode(*again) == written);
}

void try_checkpoint(std::string_view bytes) {
    if (const auto record = state::decode_record<state::SliceCheckpoint>("the checkpoint", bytes)) {
        const auto same = worker::to_record(worker::from_record(*record));
        const auto again = worker::to_record(worker::from_record(same));
        MILLRACE_CHECK(state::encode_record(again) == state::encode_record(same));
    }
}

}  // namespace

void fuzz(std::string_view bytes) {
    switch (take_byte(bytes) % 12) {
        case 0: return try_record<state::SliceOrder>(bytes);
        case 1: return try_record<state::SliceCheckpoint>(bytes);
        case 2: return try_record<state::LedgerRow>(bytes);
        case 3: return try_record<scheduler::Job>(bytes);
        case 4: return try_record<wire::JobSpec>(bytes);
        case 5: return try_record<wire::Catalog>(bytes);
        case 6: return try_record<wire::OwnLineage>(bytes);
        case 7: return try_checkpoint(bytes);
        case 8: return try_stored(bytes, store::decode_object);
        case 9: return try_stored(bytes, store::decode_bucket);
        case 10: return try_stored(bytes, store::decode_draft);
        default: return try_stored(bytes, store::decode_piece);
    }
}
