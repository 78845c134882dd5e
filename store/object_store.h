// Where a target keeps its objects. An interface, so that other back ends can stand behind it.
//
// Any thread; calls on one reader or writer come from one task at a time. Small calls run in place (microseconds);
// sync() blocks for milliseconds (use a BlockingPool).
#pragma once
#include <concepts>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/body.h"
#include "core/result.h"
#include "core/task.h"

namespace millrace::store {

// Which job made an object, from what: what a claim of a job rests on.
struct Provenance {
    std::string job;
    std::uint64_t epoch = 0;
    std::string source_bucket;
    std::string source_name;
    std::uint64_t source_version = 0;
    std::uint64_t source_checksum = 0;
    std::uint64_t transform_digest = 0;  // of the transform's specification and the job's arguments
};

// An object that came by an upload in parts.
struct Parts {
    std::uint32_t count = 0;
    std::uint64_t size_max = 0;  // of the largest
    friend bool operator==(const Parts&, const Parts&) = default;
};

struct ObjectInfo {
    std::uint64_t size = 0;
    std::uint64_t checksum = 0;      // XXH64 of the content
    std::uint64_t version = 1;       // of this content: rises with every overwrite, and never comes again under this name
    std::uint64_t edition = 1;       // how many contents the object has had, for people; one that is created anew begins with 1
    std::uint64_t created_seq = 0;   // this target's counter at first creation; an overwrite keeps it
    std::int64_t written_unix_ns = 0;
    std::map<std::string, std::string> custom;
    std::optional<Provenance> provenance;
    std::optional<Parts> parts;
};

// A bucket by its name. With a uid only that very bucket: while another has the name, or none has, it is Code::unavailable.
// Views: for the time of a call.
struct BucketRef {
    template <class Text>
        requires std::convertible_to<const Text&, std::string_view>
    BucketRef(const Text& bucket) : name(bucket) {}  // implicit: most callers mean whatever has the name
    BucketRef(std::string_view bucket, std::string_view bucket_uid) : name(bucket), uid(bucket_uid) {}

    std::string_view name;
    std::string_view uid;
};

// One bucket's new name. uid: what tells it from others of the same name; by it a renaming is known that was done already.
struct BucketRenaming {
    std::string uid;
    std::string from;
    std::string to;
};

struct ListedObject {
    std::string name;
    ObjectInfo info;
};

struct ScanPage {
    std::vector<ListedObject> objects;  // in byte order of their names
    bool at_end = false;
};

// The end of a content that is not what was stored is not handed out: reading fails with Code::corrupt before it. Of a part of a large
// object nobody can tell.
class ObjectReader : public Source {
public:
    virtual const ObjectInfo& info() const = 0;
    // Reads what nobody has read yet, so that it is known whether all of it is what was stored: else Code::corrupt. For whoever
    // goes on without the end, or took the content from file_path().
    virtual Task<Result<void>> verify() = 0;
    // The path of the file that holds the content, or "" when it is not in a file.
    virtual std::string file_path() const = 0;
};

// Whether a change may still be made: a job's run that was stopped may change nothing any more.
class ChangeGuard {
public:
    virtual ~ChangeGuard() = default;
    // The lock under which the calling thread makes its changes.
    virtual std::mutex& lock() const = 0;
    // Asked right before a change becomes visible, with the lock held: the answer stays true as long.
    virtual Result<void> check() const = 0;
};

// What has to hold of an object for it to be changed.
class Precondition {
public:
    virtual ~Precondition() = default;
    // Asked while nobody else can change the object: what it is, or null where there is none. A refusal is the change's own error.
    virtual Result<void> check(const ObjectInfo* current) = 0;
};

// What to read of an object.
struct Part {
    std::uint64_t offset = 0;
    std::optional<std::uint64_t> length;  // without: to the end
};
// Says it once it is known what the object is. May be asked again, when that has just become something else.
using ChoosePart = std::function<Part(const ObjectInfo& info)>;

struct WriteOptions {
    std::optional<std::uint64_t> size;               // announced length: a shorter or longer body is Code::incomplete_body
    std::optional<std::uint64_t> expected_checksum;  // another content is Code::checksum_mismatch
    std::map<std::string, std::string> custom;
    std::optional<Provenance> provenance;
    std::optional<Parts> parts;
    bool sync = false;                               // durable against power loss before commit() returns
    // ObjectReader::file_path() of the object that is copied, with its size and checksum above: the two then share a file, where that
    // can be. What is written is only checked.
    std::string copy_of;
    const ChangeGuard* guard = nullptr;              // commit() passes on its refusal; lives as long as the writer
    Precondition* condition = nullptr;               // the same
};

// Nothing is visible before commit(); destroying a writer without it leaves nothing behind.
class ObjectWriter : public Sink {
public:
    // Publishes atomically, over an older object of that name.
    virtual Task<Result<ObjectInfo>> commit() = 0;
};

class ObjectStore {
public:
    virtual ~ObjectStore() = default;

    // small_object_bytes_max: contents up to that size are kept inside the database. uid: what tells it from others of its name.
    virtual Result<void> create_bucket(const std::string& bucket, std::uint64_t small_object_bytes_max, const std::string& uid) = 0;
    // Removes the bucket and every object. Code::not_found when there is none.
    virtual Result<void> destroy_bucket(const std::string& bucket) = 0;
    // All at once, so names may be exchanged; durable on return. What has its new name already, or does not exist, is passed over.
    // Code::already_exists when another bucket keeps the name.
    virtual Result<void> rename_buckets(const std::vector<BucketRenaming>& renamings) = 0;
    // The name that it has now, if such a bucket is here.
    virtual std::optional<std::string> bucket_of_uid(const std::string& uid) const = 0;
    // Code::not_found or Code::unavailable when it is not here.
    virtual Result<void> check_bucket(const BucketRef& bucket) const = 0;
    bool has_bucket(const BucketRef& bucket) const { return check_bucket(bucket).has_value(); }
    virtual std::vector<std::string> buckets() const = 0;

    // A damaged object (file gone or of another size) is Code::corrupt and names itself.
    virtual Result<std::unique_ptr<ObjectReader>> open(const BucketRef& bucket, const std::string& name) = 0;
    // The same. With others that the same loop opens in this turn it costs less.
    virtual Task<Result<std::unique_ptr<ObjectReader>>> open_gathered(BucketRef bucket, std::string name) { co_return open(bucket, name); }
    // Part of it. The part must lie inside, else Code::range.
    virtual Result<std::unique_ptr<ObjectReader>> open_part(const BucketRef& bucket, const std::string& name, const ChoosePart& choose) = 0;
    virtual Result<ObjectInfo> stat(const BucketRef& bucket, const std::string& name) = 0;
    virtual Result<std::unique_ptr<ObjectWriter>> begin_write(const BucketRef& bucket, const std::string& name, WriteOptions options) = 0;
    virtual Result<void> erase(const std::string& bucket, const std::string& name, Precondition* condition = nullptr) = 0;
    // The same, but what has this created_seq or a later one stays: Code::not_found. What the object was.
    virtual Result<ObjectInfo> erase_created_before(const BucketRef& bucket, const std::string& name, std::uint64_t created_seq_end,
        const ChangeGuard* guard = nullptr) = 0;
    // Adds to an object's custom metadata, or replaces all of it. Content, version and times stay as they are: a version
    // stands for a content. The object as it is afterwards.
    virtual Result<ObjectInfo> set_custom(const std::string& bucket, const std::string& name, const std::map<std::string, std::string>& custom,
        bool replace, bool sync, Precondition* condition = nullptr) = 0;

    // Objects after a name (exclusive) whose names start with prefix; at most objects_max.
    virtual Result<ScanPage> scan(const BucketRef& bucket, const std::string& prefix, const std::string& after, std::size_t objects_max) = 0;
    // The counter that the next created object will get: objects with a smaller created_seq exist by now.
    virtual std::uint64_t next_created_seq() const = 0;

    // Everything committed so far becomes durable against power loss, as one group.
    virtual Result<void> sync() = 0;
    // The same for what lies outside of the store's database: the rest becomes durable with whatever is written to that next, durably.
    virtual Result<void> sync_files() { return sync(); }
    // Reads the content and compares it with the recorded checksum.
    virtual Task<Result<void>> verify(const std::string& bucket, const std::string& name) = 0;
};

}  // namespace millrace::store
