#include "store/object_record.h"

#include <algorithm>
#include <optional>

#include "core/msgpack_reader.h"
#include "core/names.h"
#include "state/record.h"

namespace millrace::store {
namespace {

struct DiskProvenance {
    std::string job;
    std::uint64_t epoch = 0;
    std::string bucket;
    std::string name;
    std::uint64_t version = 0;
    std::uint64_t sum = 0;
    std::uint64_t transform = 0;
    MSGPACK_DEFINE_MAP(job, epoch, bucket, name, version, sum, transform)
};

struct DiskParts {
    std::uint32_t count = 0;
    std::uint64_t max = 0;
    MSGPACK_DEFINE_MAP(count, max)
};

struct DiskObject {
    std::uint64_t size = 0;
    std::uint64_t sum = 0;
    std::uint64_t version = 0;
    std::uint64_t seq = 0;
    std::int64_t written = 0;
    std::string mount;
    std::string file;
    std::map<std::string, std::string> custom;
    std::optional<DiskProvenance> from;
    std::uint64_t edition = 0;  // 0: not counted yet when it was written
    std::optional<DiskParts> parts;
    MSGPACK_DEFINE_MAP(size, sum, version, seq, written, mount, file, custom, from, edition, parts)
};

struct DiskBucket {
    std::uint64_t small_max = 0;
    std::int64_t created = 0;
    std::uint64_t generation = 0;
    std::string uid;
    std::string key;
    MSGPACK_DEFINE_MAP(small_max, created, generation, uid, key)
};

// Of a bucket with a key of its own: who does not know of keys must not take its objects for gone.
constexpr char kKeyedBucketVersion = 2;

Error damaged(const std::string& what, const std::string& why) {
    return fail(Code::corrupt, "the record of " + what + " is damaged: " + why);
}

// The map behind the version that state::encode_record() wrote.
Result<std::string_view> map_of(std::string_view bytes, const std::string& what) {
    if (bytes.empty()) return damaged(what, "it is empty");
    if (bytes.size() > kRecordBytesMax) return damaged(what, "it is too long");
    // Versions count up from 1: any byte far from that was never one.
    constexpr char kPlausibleVersionMax = 15;
    const char version = bytes.front();
    if (version < 1 || version > kPlausibleVersionMax) return damaged(what, "it has no version");
    if (version > state::kRecordVersion) {
        return fail(Code::unsupported_version, "the record of " + what + " has version " + std::to_string(version) +
            ", newer than this millrace understands (" + std::to_string(state::kRecordVersion) + "); use a newer millrace");
    }
    return bytes.substr(1);
}

Result<void> check_read(const MsgpackReader& reader, const std::string& what) {
    if (!reader.ok()) return damaged(what, "it ends too early, or a member of it is of another kind");
    if (!reader.is_complete()) return damaged(what, "bytes follow its end");
    return {};
}

Provenance read_provenance(MsgpackReader& reader) {
    Provenance from;
    for (std::uint32_t members = reader.map(); members > 0 && reader.ok(); --members) {
        const std::string_view member = reader.text();
        if (member == "job") from.job = reader.text();
        else if (member == "epoch") from.epoch = reader.count();
        else if (member == "bucket") from.source_bucket = reader.text();
        else if (member == "name") from.source_name = reader.text();
        else if (member == "version") from.source_version = reader.count();
        else if (member == "sum") from.source_checksum = reader.count();
        else if (member == "transform") from.transform_digest = reader.count();
        else reader.skip();
    }
    return from;
}

Parts read_parts(MsgpackReader& reader) {
    Parts parts;
    for (std::uint32_t members = reader.map(); members > 0 && reader.ok(); --members) {
        const std::string_view member = reader.text();
        if (member == "count") {
            const std::uint64_t count = reader.count();
            if (count > UINT32_MAX) reader.fail();
            parts.count = static_cast<std::uint32_t>(count);
        }
        else if (member == "max") parts.size_max = reader.count();
        else reader.skip();
    }
    return parts;
}

std::map<std::string, std::string> read_custom(MsgpackReader& reader) {
    std::map<std::string, std::string> custom;
    const std::uint32_t entries = reader.map();
    if (entries > kCustomEntriesMax) reader.fail();
    for (std::uint32_t i = 0; i < entries && reader.ok(); ++i) {
        const std::string_view key = reader.text();
        custom.insert_or_assign(std::string(key), reader.text());
    }
    return custom;
}

// What encode() wrote; an edition of 0: not counted yet when it was.
ObjectRecord read_object(MsgpackReader& reader) {
    ObjectRecord record;
    ObjectInfo& info = record.info;
    info.version = 0;
    info.edition = 0;
    for (std::uint32_t members = reader.map(); members > 0 && reader.ok(); --members) {
        const std::string_view member = reader.text();
        if (member == "size") info.size = reader.count();
        else if (member == "sum") info.checksum = reader.count();
        else if (member == "version") info.version = reader.count();
        else if (member == "seq") info.created_seq = reader.count();
        else if (member == "written") info.written_unix_ns = reader.number();
        else if (member == "mount") record.location.mountpath = reader.text();
        else if (member == "file") record.location.file = reader.text();
        else if (member == "custom") info.custom = read_custom(reader);
        else if (member == "edition") info.edition = reader.count();
        else if (member == "from" && !reader.nil()) info.provenance = read_provenance(reader);
        else if (member == "parts" && !reader.nil()) info.parts = read_parts(reader);
        else if (member != "from" && member != "parts") reader.skip();
    }
    return record;
}

// The first thing that is wrong with a well-formed record, or "".
std::string fault_of(const ObjectRecord& record) {
    const ObjectInfo& info = record.info;
    const FileLocation& location = record.location;
    if (info.version == 0) return "the object's version is missing";
    if (info.created_seq == 0 || info.created_seq > info.version) return "the object's creation number is not between 1 and its version";
    if (info.edition > info.version) return "it counts more contents than there can have been";
    if (location.mountpath.empty() != location.file.empty()) return "it names a mountpath without a file, or a file without a mountpath";
    if (!location.file.empty() && !is_inner_path(location.file)) return "its file lies outside of the mountpath";
    return {};
}

}  // namespace

std::string encode(const ObjectRecord& record) {
    DiskObject disk{
        .size = record.info.size,
        .sum = record.info.checksum,
        .version = record.info.version,
        .seq = record.info.created_seq,
        .written = record.info.written_unix_ns,
        .mount = record.location.mountpath,
        .file = record.location.file,
        .custom = record.info.custom,
        .from = std::nullopt,
        .edition = record.info.edition,
        .parts = std::nullopt,
    };
    if (const auto& parts = record.info.parts) disk.parts = DiskParts{parts->count, parts->size_max};
    if (const auto& from = record.info.provenance) {
        disk.from = DiskProvenance{
            .job = from->job,
            .epoch = from->epoch,
            .bucket = from->source_bucket,
            .name = from->source_name,
            .version = from->source_version,
            .sum = from->source_checksum,
            .transform = from->transform_digest,
        };
    }
    return state::encode_record(disk);
}

std::string encode(const BucketRecord& record) {
    std::string bytes = state::encode_record(DiskBucket{
        .small_max = record.small_object_bytes_max,
        .created = record.created_unix_ns,
        .generation = record.generation,
        .uid = record.uid,
        .key = record.key,
    });
    if (!record.key.empty()) bytes.front() = kKeyedBucketVersion;
    return bytes;
}

Result<ObjectRecord> decode_object(std::string_view bytes, const std::string& what) {
    MILLRACE_TRY_ASSIGN(const std::string_view map, map_of(bytes, what));
    MsgpackReader reader(map);
    ObjectRecord record = read_object(reader);
    MILLRACE_TRY(check_read(reader, what));
    if (const std::string fault = fault_of(record); !fault.empty()) return damaged(what, fault);
    // Until contents were counted the version was what clients saw: it goes on from there, so that it never falls.
    if (record.info.edition == 0) record.info.edition = record.info.version;
    return record;
}

Result<BucketRecord> decode_bucket(std::string_view bytes, const std::string& what) {
    std::string plain(bytes);
    if (plain.starts_with(kKeyedBucketVersion)) plain.front() = state::kRecordVersion;
    MILLRACE_TRY_ASSIGN(const std::string_view map, map_of(plain, what));
    MsgpackReader reader(map);
    BucketRecord record;
    for (std::uint32_t members = reader.map(); members > 0 && reader.ok(); --members) {
        const std::string_view member = reader.text();
        if (member == "small_max") record.small_object_bytes_max = reader.count();
        else if (member == "created") record.created_unix_ns = reader.number();
        else if (member == "generation") record.generation = reader.count();
        else if (member == "uid") record.uid = reader.text();
        else if (member == "key") record.key = reader.text();
        else reader.skip();
    }
    MILLRACE_TRY(check_read(reader, what));
    if (record.generation == 0) return damaged(what, "the bucket's generation is missing");
    if (!record.key.empty() && (record.key.find('/') != record.key.npos || !is_inner_path(record.key))) {
        return damaged(what, "its key is not a folder's name");
    }
    return record;
}

namespace {

bool is_text(std::string_view text) {
    return is_utf8(text) && std::ranges::all_of(text, [](unsigned char c) { return c >= ' ' && c != 127; });
}

}  // namespace

Result<void> validate_custom(const std::map<std::string, std::string>& custom) {
    std::size_t bytes = 0;
    for (const auto& [key, value] : custom) {
        bytes += key.size() + value.size();
        if (key.empty() || !is_text(key) || !is_text(value)) {
            return fail(Code::invalid_argument, "custom metadata is UTF-8 without control characters, and its keys are not empty");
        }
    }
    if (bytes > kCustomBytesMax || custom.size() > kCustomEntriesMax) {
        return fail(Code::too_large, "custom metadata has " + std::to_string(custom.size()) + " entries of " + std::to_string(bytes) +
            " bytes in all; at most " + std::to_string(kCustomEntriesMax) + " of " + std::to_string(kCustomBytesMax) + " are allowed");
    }
    return {};
}

bool is_inner_path(std::string_view path) {
    for (std::size_t start = 0; start <= path.size();) {
        const std::size_t end = std::min(path.find('/', start), path.size());
        const std::string_view component = path.substr(start, end - start);
        if (component.empty() || component == "." || component == "..") return false;
        if (component.find('\0') != component.npos) return false;
        start = end + 1;
    }
    return true;
}

}  // namespace millrace::store
