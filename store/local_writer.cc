#include "store/local_writer.h"

#include <sys/statvfs.h>

#include <algorithm>

#include "core/units.h"

namespace millrace::store {

LocalWriter::LocalWriter(std::shared_ptr<Bucket> bucket, std::string name, WriteOptions options, const Mountpaths& mountpaths,
                         Publisher& publisher)
    : bucket_(std::move(bucket)), name_(std::move(name)), options_(std::move(options)), mountpaths_(mountpaths), publisher_(publisher) {
    if (options_.size && *options_.size <= bucket_->record().small_object_bytes_max) content_.bytes.reserve(*options_.size);
}

Task<Result<void>> LocalWriter::write(std::span<const std::byte> bytes) {
    MILLRACE_CO_TRY(check_usable());
    auto appended = append(bytes);
    if (!appended) {
        failure_ = appended.error();
        content_.file.reset();
    }
    co_return appended;
}

Task<Result<ObjectInfo>> LocalWriter::commit() {
    MILLRACE_CO_TRY(check_usable());
    Result<void> whole = check_whole();
    if (!whole) {
        content_.file.reset();
        failure_ = whole.error();
        co_return whole.error();
    }
    Publication publication{bucket_, name_, std::move(content_), info(), options_.sync, options_.guard, options_.condition};
    committed_ = true;
    co_await publisher_.publish(publication);
    if (publication.failure) co_return failure_.emplace(std::move(*publication.failure));
    co_return std::move(publication.info);
}

Result<void> LocalWriter::append(std::span<const std::byte> bytes) {
    if (options_.size && bytes.size() > *options_.size - size_) {
        return fail(Code::incomplete_body, label() + ": more bytes arrived than the " + std::to_string(*options_.size) + " announced");
    }
    checksum_.update(bytes);
    size_ += bytes.size();
    const std::uint64_t small_max = bucket_->record().small_object_bytes_max;
    const bool large = size_ > small_max || (options_.size && *options_.size > small_max);
    if (large && !content_.file) MILLRACE_TRY(spill());
    if (shares_file_) return {};
    if (content_.file) return to_file(bytes);
    content_.bytes.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return {};
}

// An object that is nearly as large as its disk when that is full will never fit, whatever else goes.
Result<void> LocalWriter::to_file(std::span<const std::byte> bytes) {
    const std::uint64_t before = content_.file->size();
    Result<void> appended = content_.file->append(bytes);
    if (!appended && appended.error().code == Code::no_space && mountpaths_.drop_spares(*content_.mountpath)) {
        appended = content_.file->append(bytes.subspan(content_.file->size() - before));
    }
    if (appended || appended.error().code != Code::no_space) return appended;
    struct statvfs disk {};
    const std::string& folder = content_.mountpath->folder;
    if (::statvfs(folder.c_str(), &disk) != 0) return appended;
    const std::uint64_t capacity = disk.f_blocks * disk.f_frsize;
    if (size_ < capacity / 10 * 9) return appended;
    return fail(Code::too_large, label() + " is too large for this target: " + folder + ", a disk of " + size_text(capacity) + ", was full after " +
                                     size_text(size_) + " of it");
}

Result<void> LocalWriter::spill() {
    content_.mountpath = &mountpaths_.choose(object_key(bucket_->key(), name_));
    MILLRACE_TRY_ASSIGN(TempFile file, temp_file());
    content_.file.emplace(std::move(file));
    if (!shares_file_) MILLRACE_TRY(content_.file->append(as_bytes(content_.bytes)));
    content_.bytes = {};
    return {};
}

Result<TempFile> LocalWriter::temp_file() {
    if (!options_.copy_of.empty() && options_.size && options_.expected_checksum) {
        Result<TempFile> shared = mountpaths_.link_temp(*content_.mountpath, options_.copy_of);
        shares_file_ = shared.has_value();
        if (shared) return shared;  // else it is written, for whatever reason that was
    }
    return mountpaths_.create_temp(*content_.mountpath);
}

Result<void> LocalWriter::check_usable() const {
    if (failure_) return *failure_;
    if (committed_) return fail(Code::conflict, label() + " was committed already");
    return {};
}

Result<void> LocalWriter::check_whole() const {
    if (options_.size && size_ != *options_.size) {
        return fail(Code::incomplete_body, label() + ": " + std::to_string(size_) + " of " + std::to_string(*options_.size) +
            " announced bytes arrived; send it again");
    }
    const std::uint64_t sum = checksum_.value();
    if (options_.expected_checksum && sum != *options_.expected_checksum) {
        return fail(Code::checksum_mismatch, label() + ": the content has checksum " + checksum_text(sum) + " instead of " +
            checksum_text(*options_.expected_checksum) + "; send it again");
    }
    return {};
}

ObjectInfo LocalWriter::info() {
    ObjectInfo info;
    info.size = size_;
    info.checksum = checksum_.value();
    info.custom = std::move(options_.custom);
    info.provenance = std::move(options_.provenance);
    info.parts = options_.parts;
    return info;
}

std::string LocalWriter::label() const { return object_label(object_key(bucket_->key(), name_)); }

}  // namespace millrace::store
