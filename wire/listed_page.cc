#include "wire/listed_page.h"

#include <algorithm>
#include <msgpack.hpp>

namespace millrace::wire {
namespace {

// A row is an array: the name alone, or with size, checksum, version and time, or with custom metadata behind them.
constexpr std::uint32_t kFolderItems = 1;
constexpr std::uint32_t kObjectItems = 5;
constexpr std::uint32_t kCustomItems = 6;

struct TextStream {
    std::string& text;
    void write(const char* bytes, std::size_t count) { text.append(bytes, count); }
};

void pack_text(msgpack::packer<TextStream>& packer, std::string_view text) {
    const auto bytes = static_cast<std::uint32_t>(text.size());
    packer.pack_str(bytes).pack_str_body(text.data(), bytes);
}

ListedRow read_row(MsgpackReader& reader) {
    const std::uint32_t items = reader.array();
    ListedRow row{.name = reader.text(), .folder = items == kFolderItems};
    if (row.folder) return row;
    if (items != kObjectItems && items != kCustomItems) reader.fail();
    row.size = reader.count();
    row.checksum = reader.count();
    row.version = reader.count();
    row.written_unix_ns = reader.number();
    if (items == kCustomItems) {
        row.custom = reader.skip();
        MsgpackReader pairs(row.custom);
        for (std::uint64_t texts = 2 * std::uint64_t{pairs.map()}; texts > 0 && pairs.ok(); --texts) pairs.text();
        if (!pairs.is_complete()) reader.fail();
    }
    return row;
}

}  // namespace

std::string packed_custom(const std::map<std::string, std::string>& custom) {
    std::string packed;
    TextStream stream{packed};
    msgpack::pack(stream, custom);
    return packed;
}

void ListedPageWriter::add(const ListedRow& row) {
    TextStream stream{rows_};
    msgpack::packer<TextStream> packer(stream);
    packer.pack_array(row.folder ? kFolderItems : row.custom.empty() ? kObjectItems : kCustomItems);
    pack_text(packer, row.name);
    ++count_;
    if (row.folder) return;
    packer.pack(row.size).pack(row.checksum).pack(row.version).pack(row.written_unix_ns);
    rows_.append(row.custom);
}

std::string ListedPageWriter::finish(std::string_view last, bool at_end) && {
    std::string head;
    TextStream stream{head};
    msgpack::packer<TextStream> packer(stream);
    packer.pack_array(3).pack(at_end);
    pack_text(packer, last);
    packer.pack_array(count_);
    rows_.insert(0, head);
    return std::move(rows_);
}

Result<void> ListedPage::read() {
    MsgpackReader reader(bytes_);
    if (reader.array() != 3) reader.fail();
    at_end_ = reader.flag();
    last_ = reader.text();
    const std::uint32_t count = reader.array();
    rows_.reserve(std::min<std::size_t>(count, bytes_.size() / 2));  // a row has two bytes at least
    for (std::uint32_t i = 0; i < count && reader.ok(); ++i) {
        rows_.push_back(read_row(reader));
        const bool is_in_order = i == 0 || rows_[i - 1].name < rows_[i].name;
        if (!is_in_order) reader.fail();
    }
    if (!rows_.empty() && last_ < rows_.back().name) reader.fail();
    if (!reader.is_complete()) return fail(Code::invalid_argument, "not a page of a listing");
    return {};
}

}  // namespace millrace::wire
