#include "store/draft_pieces.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <vector>

#include "core/clock.h"
#include "core/fault.h"

namespace millrace::store {

// --- PieceReader ---

Error PieceReader::damaged() const { return fail(Code::corrupt, "the part in " + path_ + " is damaged; send it again"); }

Result<std::size_t> PieceReader::read_some(std::span<std::byte> buffer) {
    if (!file_.is_open()) {
        file_ = Descriptor(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
        if (!file_.is_open()) return errno == ENOENT ? damaged() : file_error("open " + path_, errno);
    }
    const std::size_t wanted = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), size_ - position_));
    if (wanted == 0 && checksum_.value() != expected_) return damaged();
    MILLRACE_TRY_ASSIGN(const std::size_t count, read_at(file_.get(), buffer.first(wanted), position_, path_));
    if (count < wanted) return damaged();
    checksum_.update(buffer.first(count));
    position_ += count;
    return count;
}

// --- Drafts::Writer ---

Drafts::Writer::Writer(Drafts& drafts, std::shared_ptr<Draft> draft, std::uint32_t number, const PieceOptions& options)
    : drafts_(drafts), draft_(std::move(draft)), number_(number), options_(options), piece_(draft_->pieces.at(number)) {}

Drafts::Writer::~Writer() {
    const std::lock_guard lock(drafts_.mutex_);
    if (given_back_) return;
    give_back();
    if (draft_->gone) return;
    if (piece_.recorded) {
        // What was not committed gives its space back; if that fails, the next writer cuts the file.
        if (file_.is_open()) (void)!::ftruncate(file_.get(), static_cast<off_t>(piece_.size));
        return;
    }
    if (file_.is_open()) ::unlink(path_.c_str());
    draft_->pieces.erase(number_);
    --drafts_.pieces_;
}

Result<void> Drafts::Writer::open() {
    MILLRACE_TRY_ASSIGN(folder_, drafts_.folder_of(*draft_));
    path_ = folder_ + "/" + std::to_string(number_);
    MILLRACE_TRY(make_folders(folder_));
    offset_ = options_.extend_at.value_or(0);
    MILLRACE_TRY(cut(offset_));
    file_ = Descriptor(::open(path_.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    if (!file_.is_open()) return file_error("open " + path_, errno);
    if (::ftruncate(file_.get(), static_cast<off_t>(offset_)) != 0) return file_error("cut " + path_, errno);
    if (::lseek(file_.get(), 0, SEEK_END) < 0) return file_error("write to " + path_, errno);
    return {};
}

// The record must not speak of bytes that are about to change.
Result<void> Drafts::Writer::cut(std::uint64_t offset) {
    if (offset == piece_.size && piece_.running) {
        running_ = std::move(*piece_.running);
    } else if (offset > 0) {
        MILLRACE_TRY_ASSIGN(running_, checksum_of(offset));
        if (offset == piece_.size && running_.value() != piece_.checksum) return fail(Code::corrupt, label() + " is damaged; begin again");
    }
    piece_.running.reset();
    if (!piece_.recorded || offset == piece_.size) return {};
    const std::lock_guard lock(drafts_.mutex_);
    piece_.recorded = offset > 0;
    piece_.size = offset;
    piece_.size_before = offset;
    piece_.checksum = running_.value();
    return drafts_.save_piece(*draft_, number_, false);
}

Result<Checksum> Drafts::Writer::checksum_of(std::uint64_t length) const {
    const Descriptor file(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.is_open()) return file_error("open " + path_, errno);
    Checksum checksum;
    std::vector<std::byte> chunk(kBodyChunkBytes);
    for (std::uint64_t at = 0; at < length;) {
        const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(chunk.size(), length - at));
        MILLRACE_TRY_ASSIGN(const std::size_t count, read_at(file.get(), std::span(chunk).first(wanted), at, path_));
        if (count < wanted) return fail(Code::corrupt, label() + " is damaged; begin again");
        checksum.update(std::span(chunk).first(count));
        at += count;
    }
    return checksum;
}

Result<void> Drafts::Writer::append(std::span<const std::byte> bytes) {
    if (failed_) return fail(Code::io, label() + ": an earlier write failed");
    failed_ = true;
    if (options_.size && bytes.size() > *options_.size - added_) {
        return fail(Code::incomplete_body, label() + ": more bytes arrived than the " + std::to_string(*options_.size) + " announced");
    }
    MILLRACE_TRY(write_all(file_.get(), bytes, path_));
    running_.update(bytes);
    if (options_.expected_checksum) addition_.update(bytes);
    added_ += bytes.size();
    failed_ = false;
    return {};
}

Result<std::uint64_t> Drafts::Writer::commit() {
    if (failed_) return fail(Code::io, label() + ": a write failed, or it was committed already");
    failed_ = true;
    MILLRACE_TRY(check_what_came());
    if (options_.sync) MILLRACE_TRY(sync_file());
    MILLRACE_TRY(MILLRACE_FAULT_POINT("store.before_draft_piece"));
    const std::lock_guard lock(drafts_.mutex_);
    const Piece before{.recorded = piece_.recorded, .size = piece_.size, .checksum = piece_.checksum, .size_before = piece_.size_before};
    piece_.recorded = true;
    piece_.size_before = offset_;
    piece_.size = offset_ + added_;
    piece_.checksum = running_.value();
    draft_->touched_ns = drafts_.clock_->now_ns();
    if (const auto saved = drafts_.save_piece(*draft_, number_, options_.sync); !saved) {
        piece_.recorded = before.recorded;
        piece_.size = before.size;
        piece_.checksum = before.checksum;
        piece_.size_before = before.size_before;
        return saved.error();
    }
    piece_.running = std::move(running_);
    drafts_.durability_.file_published();
    MILLRACE_TRY(MILLRACE_FAULT_POINT("store.after_draft_piece"));
    give_back();
    return offset_ + added_;
}

void Drafts::Writer::give_back() {
    given_back_ = true;
    --draft_->users;
    piece_.busy = false;
}

Result<void> Drafts::Writer::check_what_came() const {
    if (options_.size && added_ != *options_.size) {
        return fail(Code::incomplete_body, label() + ": " + std::to_string(added_) + " of " + std::to_string(*options_.size) +
            " announced bytes arrived; send it again");
    }
    if (options_.expected_checksum && addition_.value() != *options_.expected_checksum) {
        return fail(Code::checksum_mismatch, label() + ": the content has checksum " + checksum_text(addition_.value()) + " instead of " +
            checksum_text(*options_.expected_checksum) + "; send it again");
    }
    return {};
}

Result<void> Drafts::Writer::sync_file() const {
    if (::fdatasync(file_.get()) != 0) return file_error("sync " + path_, errno);
    const std::filesystem::path folder(folder_);
    MILLRACE_TRY(sync_folder(folder));
    MILLRACE_TRY(sync_folder(folder.parent_path()));
    return sync_folder(folder.parent_path().parent_path());
}

std::string Drafts::Writer::label() const {
    return "part " + std::to_string(number_) + " of '" + draft_->name.id + "' for " + object_label(object_key(draft_->name.bucket, draft_->name.object));
}

}  // namespace millrace::store
