// Objects in the making: content that arrives in several requests and that nobody sees before it is published whole. Append and
// multipart upload are both this.
//
// A draft has numbered pieces, each a file that may grow. What the database says of a piece is always true of its file's
// beginning, so a crash or a full disk takes no more than the bytes that were just arriving:
//   1. what is to be written over is taken out of the record, then the file is cut there;
//   2. the bytes are added to the file;
//   3. the record gets the new length and checksum.
// publish() copies the pieces, one behind the other, into an ordinary write of the store, then notes the draft as published: the
// same request again is answered alike and changes nothing. Drafts survive a restart. They go when they are discarded, when
// nothing has come for them for a while, and when their bucket is destroyed.
//
// Any thread. Calls block for the time of a write to the page cache; publish() lets other tasks of its executor run.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/hash.h"
#include "state/node_clock.h"
#include "store/bucket_table.h"
#include "store/durability.h"
#include "store/folder_remover.h"
#include "store/object_store.h"
#include "store/publisher.h"

namespace millrace::store {

struct DraftLimits {
    std::size_t drafts_max = 1024;       // more is Code::overloaded
    std::size_t pieces_max = 100'000;    // of all drafts together
    Duration lifetime = std::chrono::hours(24);  // since the last piece
};

inline constexpr std::uint32_t kPieceNumberMax = 10'000;

// Whether begin() may have given such an id.
bool is_draft_id(std::string_view id);

// Which draft, and the object it was begun for, by its bucket's name as it is now: only together do they name one.
struct DraftName {
    std::string id;
    std::string bucket;
    std::string object;
};

struct PieceOptions {
    // Continue behind so many bytes: all there are, or those before the last addition, which is then written over (a repeated
    // request). Without: the piece begins anew.
    std::optional<std::uint64_t> extend_at;
    std::optional<std::uint64_t> size;               // of what is added; other than announced is Code::incomplete_body
    std::optional<std::uint64_t> expected_checksum;  // of what is added; another is Code::checksum_mismatch
    bool sync = false;                               // durable against power loss before commit() returns
};

// Adds bytes to a piece. Without commit() the piece stays as the record says.
class PieceWriter : public Sink {
public:
    // The length of the piece. From then on others may write it, and publish it.
    virtual Result<std::uint64_t> commit() = 0;
};

class Drafts {
public:
    Drafts(state::Kv& kv, const Mountpaths& mountpaths, const BucketTable& buckets, const ObjectIndex& index, Publisher& publisher,
           Durability& durability, FolderRemover& remover, DraftLimits limits)
        : kv_(kv), mountpaths_(mountpaths), buckets_(buckets), index_(index), publisher_(publisher), durability_(durability), remover_(remover),
          limits_(limits) {}

    // Reads the drafts and removes what no record names. Once, before the others.
    Result<void> load();

    Result<DraftName> begin(const std::string& bucket, const std::string& object);
    // Code::not_found: there is no such draft (it was published, discarded, or expired); unavailable: the piece is being written by
    // another request; conflict: extend_at fits nothing.
    Result<std::unique_ptr<PieceWriter>> write_piece(const DraftName& name, std::uint32_t number, PieceOptions options);
    // The object out of its pieces in order of their numbers, which are 1, 2, 3 and so on: a list that leaves one out, or has one twice,
    // was meant otherwise, and is Code::invalid_argument. options: size and checksum are found here, and its parts, if it has any.
    Task<Result<ObjectInfo>> publish(DraftName name, std::vector<std::uint32_t> numbers, WriteOptions options);
    // Whoever asked for it has heard that it is published.
    void note_answered(const DraftName& name);
    // Code::conflict: it was published, or is just being.
    Result<void> discard(const DraftName& name);
    // Removes those whose time is over, by the node's clock, or whose bucket is gone.
    void expire() { expire(clock_->now_ns()); }
    void expire(std::int64_t now_ns);

    // Whether a publish() of it is under way.
    bool is_publishing(const DraftName& name) const;
    // Since this start: see note_answered().
    bool is_answered(const DraftName& name) const;
    std::size_t size() const;

private:
    class Writer;

    struct Piece {
        bool recorded = false;
        std::uint64_t size = 0;
        std::uint64_t checksum = 0;
        std::uint64_t size_before = 0;    // the last addition
        bool busy = false;                // a writer has it: nobody else touches the other members
        std::optional<Checksum> running;  // of the first `size` bytes, where it is known
    };
    struct Draft {
        DraftName name;                // its bucket may have been renamed since
        std::uint64_t generation = 0;  // of the bucket
        std::string mountpath;
        std::int64_t touched_ns = 0;  // by the node's clock
        std::uint64_t published_version = 0;  // 0: not published
        std::map<std::uint32_t, Piece> pieces;
        std::size_t users = 0;                // writers of pieces, and publish()
        bool publishing = false;
        bool answered = false;
        bool gone = false;
    };
    // Says that publish() works on a draft.
    class Claim;

    // These require the lock.
    Result<std::shared_ptr<Draft>> find(const DraftName& name) const;
    Result<void> make_room();
    Result<void> save(const Draft& draft);
    Result<void> save_piece(const Draft& draft, std::uint32_t number, bool sync);
    Result<void> reserve(Draft& draft, std::uint32_t number, const PieceOptions& options);
    Result<void> remove(const std::shared_ptr<Draft>& draft);
    bool is_over(const Draft& draft, std::int64_t now_ns) const;

    // numbers are sorted.
    Result<std::unique_ptr<Claim>> claim(const DraftName& name, const std::vector<std::uint32_t>& numbers);
    Result<ObjectInfo> published_object(const Draft& draft) const;
    void finish(Draft& draft, std::uint64_t version);
    Result<std::string> folder_of(const Draft& draft) const;
    void remove_folder(const Draft& draft) const;
    Result<void> load_drafts();
    Result<void> load_pieces();
    Result<void> remove_unknown_files() const;
    Result<void> remove_unknown_pieces(const std::string& folder, const Draft& draft) const;

    state::Kv& kv_;
    const Mountpaths& mountpaths_;
    const BucketTable& buckets_;
    const ObjectIndex& index_;
    Publisher& publisher_;
    Durability& durability_;
    FolderRemover& remover_;
    const DraftLimits limits_;
    std::optional<state::NodeClock> clock_;  // since load()

    mutable std::mutex mutex_;  // guards what follows and what it points to; held for short writes
    std::map<std::string, std::shared_ptr<Draft>> drafts_;  // by id
    std::size_t pieces_ = 0;                                // of all of them
};

}  // namespace millrace::store
