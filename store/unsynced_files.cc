#include "store/unsynced_files.h"

#include <fcntl.h>

#include <cerrno>
#include <map>
#include <vector>

#include "core/body.h"
#include "core/descriptor.h"
#include "core/hash.h"
#include "core/log.h"
#include "state/families.h"
#include "store/durability.h"
#include "store/file_io.h"

namespace millrace::store {
namespace {

namespace family = state::target_family;
constexpr std::string_view kUnsyncedPrefix = "unsynced-file/";

struct Note {
    std::string object_key;
    std::optional<ObjectRecord> before;
};
using Notes = std::map<std::string, Note>;  // by the key in the database

std::string unsynced_key(const FileLocation& location) { return std::string(kUnsyncedPrefix) + location.mountpath + "/" + location.file; }

// bucket, name and, where there was an object before, its record, with a NUL between them.
Result<Note> parse_note(std::string_view note, std::string_view value) {
    const std::size_t name = value.find('\0');
    const std::size_t end = name == value.npos ? value.npos : value.find('\0', name + 1);
    if (end == value.npos) return fail(Code::corrupt, "the store's key '" + std::string(note) + "' does not name an object");
    Note parsed{std::string(value.substr(0, end)), std::nullopt};
    const std::string_view before = value.substr(end + 1);
    if (before.empty()) return parsed;
    MILLRACE_TRY_ASSIGN(parsed.before, decode_object(before, object_label(parsed.object_key)));
    return parsed;
}

Result<Notes> read_notes(const state::Kv& kv) {
    Notes notes;
    state::Cursor cursor = kv.cursor(family::meta, state::prefix_end(kUnsyncedPrefix));
    for (cursor.seek(kUnsyncedPrefix); cursor.valid(); cursor.next()) {
        MILLRACE_TRY_ASSIGN(Note note, parse_note(cursor.key(), cursor.value()));
        notes.emplace(cursor.key(), std::move(note));
    }
    MILLRACE_TRY(cursor.status());
    return notes;
}

// False when it certainly did not survive; a disk that is away or cannot be read tells nothing.
bool may_be_whole(const Mountpaths& mountpaths, const ObjectRecord& record) {
    const auto path = mountpaths.path_of(record.location);
    if (!path) return true;
    const Descriptor file(::open(path->c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.is_open()) return errno != ENOENT && errno != ENOTDIR;
    Checksum checksum;
    std::uint64_t at = 0;
    std::vector<std::byte> chunk(kBodyChunkBytes);
    for (;;) {
        const auto count = read_at(file.get(), chunk, at, *path);
        if (!count) return true;
        checksum.update(std::span(chunk).first(*count));
        at += *count;
        if (at > record.info.size) return false;
        if (*count < chunk.size()) break;
    }
    return at == record.info.size && checksum.value() == record.info.checksum;
}

class Recovery {
public:
    Recovery(const Mountpaths& mountpaths, const ObjectIndex& index, const Notes& notes) : mountpaths_(mountpaths), index_(index), notes_(notes) {}

    // What the object is from now on; nullopt for none.
    std::optional<ObjectRecord> newest_whole(const std::string& object_key, std::optional<ObjectRecord> record) const {
        while (record && !is_whole(object_key, *record)) {
            const auto note = notes_.find(unsynced_key(record->location));
            if (note == notes_.end()) return record;  // it had been durable: damage, which reading it names
            record = note->second.before;
        }
        return record;
    }

private:
    bool is_whole(const std::string& object_key, const ObjectRecord& record) const {
        if (!record.location.empty()) return may_be_whole(mountpaths_, record);
        return index_.content(object_key, record).has_value();
    }

    const Mountpaths& mountpaths_;
    const ObjectIndex& index_;
    const Notes& notes_;
};

}  // namespace

void UnsyncedFiles::remember(state::Batch& batch, const FileLocation& location, std::string_view object_key, const std::optional<ObjectRecord>& before) {
    std::string value(object_key);
    value += '\0';
    if (before) value += encode(*before);
    batch.put(family::meta, unsynced_key(location), value);
}

void UnsyncedFiles::forget(state::Batch& batch, const FileLocation& location) { batch.erase(family::meta, unsynced_key(location)); }

bool UnsyncedFiles::has_notes(const state::Kv& kv) {
    state::Cursor cursor = kv.cursor(family::meta, state::prefix_end(kUnsyncedPrefix));
    cursor.seek(kUnsyncedPrefix);
    return cursor.valid();
}

Result<void> UnsyncedFiles::recover(state::Kv& kv, const Mountpaths& mountpaths, const ObjectIndex& index) {
    MILLRACE_TRY_ASSIGN(const Notes notes, read_notes(kv));
    if (notes.empty()) return {};
    const Recovery recovery(mountpaths, index, notes);
    state::Batch batch;
    std::size_t taken_back = 0;
    for (const auto& [key, note] : notes) {
        batch.erase(family::meta, key);
        auto record = index.find(note.object_key);
        if (!record || !*record || (*record)->location.empty() || unsynced_key((*record)->location) != key) continue;
        const auto survived = recovery.newest_whole(note.object_key, **record);
        const bool is_kept = survived && survived->location == (*record)->location;
        if (!is_kept) {
            ++taken_back;
            log::warn("content was not durable and did not survive", {{"object", object_label(note.object_key)}, {"version", (*record)->info.version},
                      {"instead", survived ? survived->info.version : 0}});
            Durability::remember(batch, (*record)->location, note.object_key);
            if (survived) ObjectIndex::put(batch, note.object_key, *survived);
            else ObjectIndex::erase(batch, note.object_key);
        }
        // The content of a small version before.
        if (!survived || !survived->location.empty()) ObjectIndex::erase_content(batch, note.object_key);
    }
    batch.use_reserve();
    MILLRACE_TRY(kv.write(std::move(batch), true));
    log::info("files that had not been made durable were read", {{"files", notes.size()}, {"taken_back", taken_back}});
    return {};
}

}  // namespace millrace::store
