// Objects that arrive in several requests: append, and upload in parts (store/drafts.h), of this target's own objects. What a dialect
// says in its words, these do. Runs on the lane of the connection.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "store/drafts.h"
#include "store/object_store.h"
#include "worker/object_gate.h"

namespace millrace::worker {

class ObjectUploads {
public:
    // sync_puts: what is stored is durable before it is said to be.
    ObjectUploads(store::ObjectStore& store, store::Drafts& drafts, const ObjectGate& gate, bool sync_puts)
        : store_(store), drafts_(drafts), gate_(gate), sync_puts_(sync_puts) {}

    // Its id.
    Result<std::string> begin(const std::string& bucket, const std::string& name);
    struct PartOptions {
        std::optional<std::uint64_t> expected_checksum;  // of the body; another is Code::checksum_mismatch
        std::optional<std::uint64_t> extend_at;          // as PieceOptions::extend_at
        bool may_be_empty = false;                       // of the body: one that is extended may end with nothing
    };
    // The length of the part. Code::not_found when there is no such upload (any more).
    Task<Result<std::uint64_t>> put_part(const store::DraftName& upload, std::uint32_t number, Source& body, PartOptions options);
    // The object out of these parts, which must be all there are. Until its answer is out it may be asked for again, which answers alike and
    // changes nothing: a client that got no answer in time asks while the first request still works, and hears how that ended.
    // condition: about the object; null: none. When it refuses, the upload stays.
    Task<Result<store::ObjectInfo>> complete(const store::DraftName& upload, std::vector<std::uint32_t> numbers, store::Precondition* condition = nullptr);
    // The answer to complete() is out: from now on there is no such upload.
    void note_answered(const store::DraftName& upload) { drafts_.note_answered(upload); }
    // One that is not there (any more) is as good as given up, but of one that is the object by now nothing can be given up: Code::conflict.
    Result<void> abort(const store::DraftName& upload);

    // How far an append has come: of the draft so many bytes are known to be stored. So one whose answer was lost can be
    // repeated: it does not double its bytes.
    struct Appended {
        std::string id;
        std::uint64_t length = 0;
    };
    // Adds the body, where there is nothing to go on with to what the object has. Nobody sees it before flush().
    Task<Result<Appended>> append(const std::string& bucket, const std::string& name, const std::optional<Appended>& to, Source& body,
                                  std::optional<std::uint64_t> expected_checksum);
    // The same, and the object has it. May be repeated.
    Task<Result<store::ObjectInfo>> flush(const std::string& bucket, const std::string& name, const std::optional<Appended>& to, Source& body,
                                          std::optional<std::uint64_t> expected_checksum, store::Precondition* condition = nullptr);

private:
    Result<void> check(const std::string& bucket, const std::string& name) const;
    Task<Result<std::uint64_t>> extend(const store::DraftName& draft, std::uint64_t length, Source& body, std::optional<std::uint64_t> expected_checksum);
    Task<Result<std::uint64_t>> begin_with_content(const store::DraftName& draft, Source& body, std::optional<std::uint64_t> expected_checksum);
    Task<Result<std::uint64_t>> write(const store::DraftName& draft, std::uint32_t number, Source& body, PartOptions options);
    Task<Result<store::ObjectInfo>> publish(const store::DraftName& draft, std::vector<std::uint32_t> numbers, store::WriteOptions options);
    Task<void> wait_for_publishing(const store::DraftName& draft) const;

    store::ObjectStore& store_;
    store::Drafts& drafts_;
    const ObjectGate& gate_;
    const bool sync_puts_;
};

}  // namespace millrace::worker
