// The files of a draft's pieces: one being read for the last time, one being written.
#pragma once
#include <memory>
#include <string>

#include "core/descriptor.h"
#include "store/drafts.h"
#include "store/file_io.h"

namespace millrace::store {

// The whole piece, as its record describes it; another content is Code::corrupt, at the end at the latest.
class PieceReader final : public Source {
public:
    PieceReader(std::string path, std::uint64_t size, std::uint64_t checksum) : path_(std::move(path)), size_(size), expected_(checksum) {}

    std::optional<std::uint64_t> size() const override { return size_; }
    Task<Result<std::size_t>> read(std::span<std::byte> buffer) override { co_return read_some(buffer); }
    Result<std::size_t> read_some(std::span<std::byte> buffer);

private:
    Error damaged() const;

    const std::string path_;
    const std::uint64_t size_;
    const std::uint64_t expected_;
    Descriptor file_;
    std::uint64_t position_ = 0;
    Checksum checksum_;
};

// A piece that was reserved for this writer, which gives it back: with its commit, so that whoever is told of that finds the draft
// free, or when it goes without one.
class Drafts::Writer final : public PieceWriter {
public:
    Writer(Drafts& drafts, std::shared_ptr<Draft> draft, std::uint32_t number, const PieceOptions& options);
    ~Writer() override;

    // Steps 1 of drafts.h; before everything else.
    Result<void> open();
    Task<Result<void>> write(std::span<const std::byte> bytes) override { co_return append(bytes); }
    Result<std::uint64_t> commit() override;

private:
    Result<void> append(std::span<const std::byte> bytes);
    Result<void> cut(std::uint64_t offset);
    // The checksum of the piece's first bytes, from the file.
    Result<Checksum> checksum_of(std::uint64_t length) const;
    Result<void> check_what_came() const;
    Result<void> sync_file() const;
    std::string label() const;
    // Requires the lock.
    void give_back();

    Drafts& drafts_;
    const std::shared_ptr<Draft> draft_;
    const std::uint32_t number_;
    const PieceOptions options_;
    Piece& piece_;  // of draft_; until it was given back

    std::string folder_;
    std::string path_;
    Descriptor file_;
    std::uint64_t offset_ = 0;  // where the addition begins
    std::uint64_t added_ = 0;
    Checksum running_;          // of the piece
    Checksum addition_;
    bool failed_ = false;
    bool given_back_ = false;   // the piece is not this writer's any more
};

}  // namespace millrace::store
