// What the database keeps about a draft and about its pieces. Pure. state/FORMAT.md describes both.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.h"

namespace millrace::store {

struct DraftRecord {
    std::string bucket;
    std::uint64_t generation = 0;  // of the bucket
    std::string object;
    std::int64_t created_unix_ns = 0;
    std::string mountpath;
    std::uint64_t published_version = 0;  // 0: not published

    friend bool operator==(const DraftRecord&, const DraftRecord&) = default;
};

struct PieceRecord {
    std::uint64_t size = 0;
    std::uint64_t checksum = 0;
    std::uint64_t size_before = 0;
    std::int64_t written_unix_ns = 0;

    friend bool operator==(const PieceRecord&, const PieceRecord&) = default;
};

std::string encode(const DraftRecord& record);
std::string encode(const PieceRecord& record);
// Code::corrupt for anything that encode() does not make; `what` says in the error whose record it is.
Result<DraftRecord> decode_draft(std::string_view bytes, const std::string& what);
Result<PieceRecord> decode_piece(std::string_view bytes, const std::string& what);

}  // namespace millrace::store
