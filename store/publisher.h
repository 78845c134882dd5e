// Switches an object's name to new content, or away from it, so that a reader and a crash see the old or the new, whole.
//
// Changes of one name happen one after the other. Any thread.
#pragma once
#include <optional>
#include <string>

#include "core/result.h"
#include "state/kv.h"
#include "store/bucket_table.h"
#include "store/durability.h"
#include "store/file_io.h"
#include "store/mountpath.h"
#include "store/name_locks.h"
#include "store/object_index.h"
#include "store/sequence.h"

namespace millrace::store {

// Complete content that nobody sees yet: a file below mountpath's tmp/, or else the bytes themselves.
struct Content {
    std::string bytes;
    std::optional<TempFile> file;
    const Mountpath* mountpath = nullptr;
};

class Publisher {
public:
    Publisher(state::Kv& kv, const Mountpaths& mountpaths, const ObjectIndex& index, Sequence& sequence, Durability& durability,
              NameLocks& names)
        : kv_(kv), mountpaths_(mountpaths), index_(index), sequence_(sequence), durability_(durability), names_(names) {}

    // `info` has everything but version, edition, created_seq and time, which are set here. On failure the old object stays, and
    // nothing of the new one; an error after the switch (a lost reply, so to speak) may leave the new one.
    Result<ObjectInfo> publish(Bucket& bucket, const std::string& name, Content content, ObjectInfo info, bool sync, const ChangeGuard* guard,
                               Precondition* condition);
    // See ObjectStore::erase_created_before(). Of a damaged object nothing is known: it goes.
    Result<ObjectInfo> erase(Bucket& bucket, const std::string& name, std::uint64_t created_seq_end, const ChangeGuard* guard,
                             Precondition* condition);
    // Changes the record alone.
    Result<ObjectInfo> set_custom(Bucket& bucket, const std::string& name, const std::map<std::string, std::string>& custom, bool replace, bool sync,
                                  Precondition* condition);

private:
    struct Old {
        std::optional<ObjectRecord> record;
        bool damaged = false;  // there is one, but it cannot be read
    };

    Result<Old> find_old(const std::string& key) const;
    static Result<void> check(Precondition* condition, const Old& old, const std::string& key);
    Result<void> place_file(const FileLocation& location, const std::string& key, Content& content, bool sync);
    Result<void> move_file(const std::string& path, Content& content, bool sync);
    Result<void> switch_record(const std::string& key, const ObjectRecord& record, const Content& content, const Old& old, bool sync);
    void withdraw_file(const FileLocation& location);

    state::Kv& kv_;
    const Mountpaths& mountpaths_;
    const ObjectIndex& index_;
    Sequence& sequence_;
    Durability& durability_;
    NameLocks& names_;
};

}  // namespace millrace::store
