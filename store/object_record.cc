#include "store/object_record.h"

#include <algorithm>
#include <optional>

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

// The length in front of a string or a collection is not believed beyond what a record can hold.
msgpack::object_handle unpack_map(std::string_view map, std::size_t& consumed) {
    constexpr std::size_t kDepthMax = 8;
    const msgpack::unpack_limit limit(0, kCustomEntriesMax, kRecordBytesMax, 0, 0, kDepthMax);
    return msgpack::unpack(map.data(), map.size(), consumed, nullptr, nullptr, limit);
}

// What state::encode_record() wrote.
template <class Disk>
Result<Disk> decode(std::string_view bytes, const std::string& what) {
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
    bytes.remove_prefix(1);
    try {
        std::size_t consumed = 0;
        const msgpack::object_handle handle = unpack_map(bytes, consumed);
        if (consumed != bytes.size()) return damaged(what, "bytes follow its end");
        if (handle.get().type != msgpack::type::MAP) return damaged(what, "it is not a map");
        return handle.get().as<Disk>();
    } catch (const std::exception& error) {
        return damaged(what, error.what());
    }
}

// The first thing that is wrong with a well-formed record, or "".
std::string fault_of(const DiskObject& disk) {
    if (disk.version == 0) return "the object's version is missing";
    if (disk.seq == 0 || disk.seq > disk.version) return "the object's creation number is not between 1 and its version";
    if (disk.edition > disk.version) return "it counts more contents than there can have been";
    if (disk.mount.empty() != disk.file.empty()) return "it names a mountpath without a file, or a file without a mountpath";
    if (!disk.file.empty() && !is_inner_path(disk.file)) return "its file lies outside of the mountpath";
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
    MILLRACE_TRY_ASSIGN(DiskObject disk, decode<DiskObject>(bytes, what));
    if (const std::string fault = fault_of(disk); !fault.empty()) return damaged(what, fault);
    ObjectRecord record;
    record.info.size = disk.size;
    record.info.checksum = disk.sum;
    record.info.version = disk.version;
    // Until contents were counted the version was what clients saw: it goes on from there, so that it never falls.
    record.info.edition = disk.edition == 0 ? disk.version : disk.edition;
    record.info.created_seq = disk.seq;
    record.info.written_unix_ns = disk.written;
    record.info.custom = std::move(disk.custom);
    if (disk.from) {
        record.info.provenance = Provenance{
            .job = std::move(disk.from->job),
            .epoch = disk.from->epoch,
            .source_bucket = std::move(disk.from->bucket),
            .source_name = std::move(disk.from->name),
            .source_version = disk.from->version,
            .source_checksum = disk.from->sum,
            .transform_digest = disk.from->transform,
        };
    }
    if (disk.parts) record.info.parts = Parts{disk.parts->count, disk.parts->max};
    record.location = {std::move(disk.mount), std::move(disk.file)};
    return record;
}

Result<BucketRecord> decode_bucket(std::string_view bytes, const std::string& what) {
    std::string plain(bytes);
    if (plain.starts_with(kKeyedBucketVersion)) plain.front() = state::kRecordVersion;
    MILLRACE_TRY_ASSIGN(const DiskBucket disk, decode<DiskBucket>(plain, what));
    if (disk.generation == 0) return damaged(what, "the bucket's generation is missing");
    if (!disk.key.empty() && (disk.key.find('/') != disk.key.npos || !is_inner_path(disk.key))) return damaged(what, "its key is not a folder's name");
    return BucketRecord{disk.small_max, disk.created, disk.generation, disk.uid, disk.key};
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
