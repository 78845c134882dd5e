// Switches an object's name to new content, or away from it, so that a reader and a crash see the old or the new, whole.
//
// Changes of one name happen one after the other. Any thread.
#pragma once
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/task.h"
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

// An object's new content on its way to its name, and what became of it.
struct Publication {
    std::shared_ptr<Bucket> bucket;
    std::string name;
    Content content;
    ObjectInfo info;  // everything but version, edition, created_seq and time, which publish() sets
    bool sync = false;
    const ChangeGuard* guard = nullptr;
    Precondition* condition = nullptr;

    std::optional<Error> failure{};  // then the old object stays, and nothing of the new one; after a lost reply, so to speak, the new one may
};

class Publisher {
public:
    Publisher(state::Kv& kv, const Mountpaths& mountpaths, const ObjectIndex& index, Sequence& sequence, Durability& durability,
              NameLocks& names)
        : kv_(kv), mountpaths_(mountpaths), index_(index), sequence_(sequence), durability_(durability), names_(names) {}

    // Sets `info` or `failure`. Together with others that the same loop publishes in this turn: they share what a commit costs beside its
    // bytes, and nothing else. A cancellation does not end the wait.
    Task<void> publish(Publication& publication);
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

    struct Request;  // what publish() was asked for
    struct Change;   // a publication that has not failed

    static void publish_all(std::span<Request* const> requests);
    // Of one bucket, no name twice.
    void publish_group(std::span<Publication* const> group);

    static std::vector<std::unique_lock<std::mutex>> lock_guards(std::span<const Change> changes);
    static Result<Old> old_of(Result<std::optional<ObjectRecord>> found);
    static Result<void> check(Precondition* condition, const Old& old, const std::string& key);
    Result<void> number(Change& change);
    static Result<void> choose_place(Change& change);
    Result<void> note_files(std::span<const Change> changes);
    Result<void> move_file(Change& change);
    void add_switch(state::Batch& batch, const Change& change) const;
    void settle(const Change& change, bool switched);
    void withdraw_file(const FileLocation& location);

    state::Kv& kv_;
    const Mountpaths& mountpaths_;
    const ObjectIndex& index_;
    Sequence& sequence_;
    Durability& durability_;
    NameLocks& names_;
};

}  // namespace millrace::store
