#include "store/draft_record.h"

#include "core/names.h"
#include "state/record.h"

namespace millrace::store {
namespace {

struct DiskDraft {
    std::string bucket;
    std::uint64_t generation = 0;
    std::string object;
    std::int64_t created = 0;
    std::string mount;
    std::uint64_t published = 0;
    MSGPACK_DEFINE_MAP(bucket, generation, object, created, mount, published)
};

struct DiskPiece {
    std::uint64_t size = 0;
    std::uint64_t sum = 0;
    std::uint64_t before = 0;
    std::int64_t written = 0;
    MSGPACK_DEFINE_MAP(size, sum, before, written)
};

}  // namespace

std::string encode(const DraftRecord& record) {
    return state::encode_record(DiskDraft{record.bucket, record.generation, record.object, record.created_unix_ns, record.mountpath,
                                          record.published_version});
}

std::string encode(const PieceRecord& record) {
    return state::encode_record(DiskPiece{record.size, record.checksum, record.size_before, record.written_unix_ns});
}

Result<DraftRecord> decode_draft(std::string_view bytes, const std::string& what) {
    MILLRACE_TRY_ASSIGN(DiskDraft disk, state::decode_record<DiskDraft>(what, bytes));
    if (!validate_bucket_name(disk.bucket) || !validate_object_name(disk.object)) return fail(Code::corrupt, what + " is damaged: it names no object");
    return DraftRecord{std::move(disk.bucket), disk.generation, std::move(disk.object), disk.created, std::move(disk.mount), disk.published};
}

Result<PieceRecord> decode_piece(std::string_view bytes, const std::string& what) {
    MILLRACE_TRY_ASSIGN(const DiskPiece disk, state::decode_record<DiskPiece>(what, bytes));
    if (disk.before > disk.size) return fail(Code::corrupt, what + " is damaged: it was longer before than it is");
    return PieceRecord{disk.size, disk.sum, disk.before, disk.written};
}

}  // namespace millrace::store
