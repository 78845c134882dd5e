// Notes about published files that are not known to be durable. Their records reach the log before they reach the disk, so a power cut can
// take a file whose record it leaves; the note says what the object was before, and that comes back.
//
// A note is written in the batch that switches the record to the file, and goes after the next sync of the store. A file
// that it names, and that a kill left behind, is read whole at the next start: no other way tells.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"
#include "state/kv.h"
#include "store/mountpath.h"
#include "store/object_index.h"

namespace millrace::store {

class UnsyncedFiles {
public:
    // before: the object's record before, if there was one. Its content stays until forget() is durable.
    static void remember(state::Batch& batch, const FileLocation& location, std::string_view object_key, const std::optional<ObjectRecord>& before);
    static void forget(state::Batch& batch, const FileLocation& location);

    static bool has_notes(const state::Kv& kv);
    // Gives each object whose file did not survive the newest content before that did; what had none goes. Then forgets the notes. Durable
    // on return. Everything was synced before, and no file is removed yet.
    static Result<void> recover(state::Kv& kv, const Mountpaths& mountpaths, const ObjectIndex& index);
};

}  // namespace millrace::store
