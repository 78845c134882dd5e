// A target's page of a listing, on its way to the proxy, which puts the pages of all targets in order: msgpack, packed row by row and read
// where it lies, since there are as many rows as there are names. Pure.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/msgpack_reader.h"
#include "core/result.h"

namespace millrace::wire {

struct ListedRow {
    std::string_view name;
    bool folder = false;          // has a name only
    std::uint64_t size = 0;
    std::uint64_t checksum = 0;
    std::uint64_t version = 0;    // for people
    std::int64_t written_unix_ns = 0;
    std::string_view custom{};    // packed_custom(), or empty
};

// Pairs of key and value, as a row holds them.
std::string packed_custom(const std::map<std::string, std::string>& custom);
// In the order in which they were packed, which is that of their keys. Requires packed_custom(), or what a page had for it.
template <class Take>
void for_each_custom(std::string_view packed, Take take) {
    if (packed.empty()) return;
    MsgpackReader reader(packed);
    for (std::uint32_t pairs = reader.map(); pairs > 0 && reader.ok(); --pairs) {
        const std::string_view key = reader.text();
        const std::string_view value = reader.text();
        take(key, value);
    }
}

class ListedPageWriter {
public:
    // Requires rows in byte order of their names.
    void add(const ListedRow& row);
    // last: nothing up to here is missing, and the next page is after it.
    std::string finish(std::string_view last, bool at_end) &&;

private:
    std::string rows_;
    std::uint32_t count_ = 0;
};

// What a writer made, with the bytes that its rows look into: it stays where it is.
class ListedPage {
public:
    explicit ListedPage(std::string bytes) : bytes_(std::move(bytes)) {}
    ListedPage(const ListedPage&) = delete;
    ListedPage& operator=(const ListedPage&) = delete;

    // Code::invalid_argument for what no writer makes: rows in another order, too.
    Result<void> read();

    // After read().
    const std::vector<ListedRow>& rows() const { return rows_; }
    std::string_view last() const { return last_; }
    bool is_at_end() const { return at_end_; }

private:
    const std::string bytes_;
    std::vector<ListedRow> rows_;
    std::string_view last_;
    bool at_end_ = true;
};

}  // namespace millrace::wire
