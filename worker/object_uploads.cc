#include "worker/object_uploads.h"

namespace millrace::worker {
namespace {

constexpr std::uint32_t kAppendedPiece = 1;
constexpr auto kPublishTimeMax = std::chrono::minutes(10);
constexpr auto kPublishPause = milliseconds(20);

Error empty_part(std::uint32_t number) {
    return fail(Code::invalid_argument, "part " + std::to_string(number) + " has an invalid size (0): a part has at least one byte");
}

}  // namespace

Result<void> ObjectUploads::check(const std::string& bucket, const std::string& name) const {
    MILLRACE_TRY(gate_.may_change(name));
    return store_.check_bucket(bucket);
}

// --- Upload in parts ---

Result<std::string> ObjectUploads::begin(const std::string& bucket, const std::string& name) {
    MILLRACE_TRY(check(bucket, name));
    MILLRACE_TRY_ASSIGN(const store::DraftName draft, drafts_.begin(bucket, name));
    return draft.id;
}

Task<Result<std::uint64_t>> ObjectUploads::put_part(const store::DraftName& upload, std::uint32_t number, Source& body, PartOptions options) {
    MILLRACE_CO_TRY(check(upload.bucket, upload.object));
    if (!options.may_be_empty && body.size() == 0) co_return empty_part(number);  // before it takes the place of one that was sent earlier
    co_return co_await write(upload, number, body, std::move(options));
}

Task<Result<store::ObjectInfo>> ObjectUploads::complete(const store::DraftName& upload, std::vector<std::uint32_t> numbers,
                                                        store::Precondition* condition) {
    MILLRACE_CO_TRY(check(upload.bucket, upload.object));
    const bool is_waited_for = drafts_.is_publishing(upload);
    co_await wait_for_publishing(upload);
    if (!is_waited_for && drafts_.is_answered(upload)) {
        co_return fail(Code::not_found, "the upload '" + upload.id + "' does not exist any more: it was completed");
    }
    store::WriteOptions options;
    options.parts.emplace();
    options.condition = condition;
    co_return co_await publish(upload, std::move(numbers), std::move(options));
}

Result<void> ObjectUploads::abort(const store::DraftName& upload) {
    MILLRACE_TRY(check(upload.bucket, upload.object));
    if (!store::is_draft_id(upload.id)) return fail(Code::invalid_argument, "uploadId '" + upload.id + "' is not one that mpt-upload answered with");
    const Result<void> discarded = drafts_.discard(upload);
    const bool is_gone = !discarded && discarded.error().code == Code::not_found;
    return is_gone ? Result<void>() : discarded;
}

// --- Append ---

Task<Result<ObjectUploads::Appended>> ObjectUploads::append(const std::string& bucket, const std::string& name, const std::optional<Appended>& to,
                                                            Source& body, std::optional<std::uint64_t> expected_checksum) {
    MILLRACE_CO_TRY(check(bucket, name));
    if (to) {
        const store::DraftName draft{to->id, bucket, name};
        MILLRACE_CO_TRY_ASSIGN(const std::uint64_t length, co_await extend(draft, to->length, body, expected_checksum));
        co_return Appended{to->id, length};
    }
    MILLRACE_CO_TRY_ASSIGN(const store::DraftName draft, drafts_.begin(bucket, name));
    const Result<std::uint64_t> length = co_await begin_with_content(draft, body, expected_checksum);
    if (!length) {
        (void)drafts_.discard(draft);  // nobody learns of it
        co_return length.error();
    }
    co_return Appended{draft.id, *length};
}

Task<Result<store::ObjectInfo>> ObjectUploads::flush(const std::string& bucket, const std::string& name, const std::optional<Appended>& to, Source& body,
                                                     std::optional<std::uint64_t> expected_checksum, store::Precondition* condition) {
    MILLRACE_CO_TRY(check(bucket, name));
    store::DraftName draft{"", bucket, name};
    if (to) {
        draft.id = to->id;
        co_await wait_for_publishing(draft);
        // Also when nothing is added: what the client does not know of goes.
        const Result<std::uint64_t> length = co_await extend(draft, to->length, body, expected_checksum);
        const bool may_be_published = !length && length.error().code == Code::not_found;
        if (!length && !may_be_published) co_return length.error();
    } else {
        MILLRACE_CO_TRY_ASSIGN(const Appended begun, co_await append(bucket, name, to, body, expected_checksum));
        draft.id = begun.id;
    }
    std::vector<std::uint32_t> numbers{kAppendedPiece};
    store::WriteOptions options;
    options.condition = condition;
    co_return co_await publish(draft, std::move(numbers), std::move(options));
}

Task<Result<std::uint64_t>> ObjectUploads::extend(const store::DraftName& draft, std::uint64_t length, Source& body,
                                                  std::optional<std::uint64_t> expected_checksum) {
    const PartOptions options{expected_checksum, length, true};
    co_return co_await write(draft, kAppendedPiece, body, options);
}

// Appending to an object that exists begins with what it has.
Task<Result<std::uint64_t>> ObjectUploads::begin_with_content(const store::DraftName& draft, Source& body, std::optional<std::uint64_t> expected_checksum) {
    std::uint64_t length = 0;
    const auto reader = store_.open(draft.bucket, draft.object);
    if (reader) {
        store::PieceOptions options;
        options.size = (*reader)->info().size;
        options.expected_checksum = (*reader)->info().checksum;
        MILLRACE_CO_TRY_ASSIGN(const std::unique_ptr<store::PieceWriter> writer, drafts_.write_piece(draft, kAppendedPiece, options));
        MILLRACE_CO_TRY(co_await pump(**reader, *writer));
        MILLRACE_CO_TRY_ASSIGN(length, writer->commit());
    } else if (reader.error().code != Code::not_found) {
        co_return reader.error();
    }
    co_return co_await extend(draft, length, body, expected_checksum);
}

// --- Both ---

Task<Result<std::uint64_t>> ObjectUploads::write(const store::DraftName& draft, std::uint32_t number, Source& body, PartOptions options) {
    store::PieceOptions piece{.extend_at = options.extend_at, .size = body.size(), .expected_checksum = options.expected_checksum, .sync = sync_puts_};
    MILLRACE_CO_TRY_ASSIGN(const std::unique_ptr<store::PieceWriter> writer, drafts_.write_piece(draft, number, piece));
    MILLRACE_CO_TRY_ASSIGN(const std::uint64_t moved, co_await pump(body, *writer));
    if (!options.may_be_empty && moved == 0) co_return empty_part(number);
    co_return writer->commit();
}

Task<Result<store::ObjectInfo>> ObjectUploads::publish(const store::DraftName& draft, std::vector<std::uint32_t> numbers, store::WriteOptions options) {
    options.sync = sync_puts_;
    co_return co_await drafts_.publish(draft, std::move(numbers), std::move(options));
}

Task<void> ObjectUploads::wait_for_publishing(const store::DraftName& draft) const {
    const Instant deadline = steady_now() + kPublishTimeMax;
    while (drafts_.is_publishing(draft) && steady_now() < deadline) co_await sleep_for(kPublishPause);
}

}  // namespace millrace::worker
