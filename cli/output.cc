#include "cli/output.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <ostream>

#include "core/names.h"

namespace millrace::cli {
namespace {

using nlohmann::json;

std::size_t sequence_length(std::string_view text) {
    const auto lead = static_cast<unsigned char>(text.front());
    const std::size_t length = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    return length <= text.size() && is_utf8(text.substr(0, length)) ? length : 0;
}

// Requires valid UTF-8, one character.
bool steers_terminal(std::string_view character) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(character[i]); };
    if (character.size() == 1) return byte(0) < 0x20 || byte(0) == 0x7f;
    if (character.size() == 2) return byte(0) == 0xc2 && byte(1) < 0xa0;
    if (character.size() == 3 && byte(0) == 0xe2) {
        // U+200E, U+200F, U+2028 to U+202E; U+2066 to U+2069.
        if (byte(1) == 0x80) return byte(2) == 0x8e || byte(2) == 0x8f || (byte(2) >= 0xa8 && byte(2) <= 0xae);
        return byte(1) == 0x81 && byte(2) >= 0xa6 && byte(2) <= 0xa9;
    }
    return false;
}

std::string cleaned(std::string_view text, std::string_view keep) {
    std::string clean;
    clean.reserve(text.size());
    while (!text.empty()) {
        const std::size_t length = sequence_length(text);
        const std::string_view character = text.substr(0, std::max<std::size_t>(length, 1));
        if (length != 0 && (!steers_terminal(character) || keep.find(character) != keep.npos)) {
            clean += character;
        } else {
            for (const char c : character) {
                char escape[8];
                std::snprintf(escape, sizeof escape, "\\x%02x", static_cast<unsigned char>(c));
                clean += escape;
            }
        }
        text.remove_prefix(character.size());
    }
    return clean;
}

// Characters, near enough to columns on the screen.
std::size_t width_of(std::string_view text) {
    return static_cast<std::size_t>(
        std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

// DEL and C1 characters occur in JSON text inside of strings only, where their escapes mean the same.
std::string with_escaped_controls(std::string dumped) {
    std::string safe;
    safe.reserve(dumped.size());
    for (std::size_t i = 0; i < dumped.size(); ++i) {
        const auto byte = static_cast<unsigned char>(dumped[i]);
        const auto next = i + 1 < dumped.size() ? static_cast<unsigned char>(dumped[i + 1]) : 0;
        if (byte == 0x7f || (byte == 0xc2 && next < 0xa0)) {
            char escape[8];
            std::snprintf(escape, sizeof escape, "\\u%04x", byte == 0x7f ? 0x7fu : static_cast<unsigned>(next));
            safe += escape;
            if (byte != 0x7f) ++i;
        } else {
            safe += dumped[i];
        }
    }
    return safe;
}

std::string dump(const json& value, int indent) {
    return with_escaped_controls(value.dump(indent, ' ', false, json::error_handler_t::replace));
}

}  // namespace

std::string clean_text(std::string_view text) { return cleaned(text, ""); }
std::string clean_lines(std::string_view text) { return cleaned(text, "\n\t"); }

Table::Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

void Table::add(std::vector<std::string> cells) {
    for (std::string& cell : cells) cell = clean_text(cell);
    rows_.push_back(std::move(cells));
}

void Table::print(std::ostream& out) const {
    std::vector<std::size_t> widths;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        std::size_t width = width_of(columns_[i].heading);
        for (const auto& row : rows_) width = std::max(width, width_of(row[i]));
        widths.push_back(width);
    }
    const auto print_cell = [&](const std::string& cell, std::size_t i) {
        const std::string padding(widths[i] - width_of(cell), ' ');
        if (i > 0) out << "  ";
        if (columns_[i].right) out << padding;
        out << cell;
        if (!columns_[i].right && i + 1 < columns_.size()) out << padding;
    };
    for (std::size_t i = 0; i < columns_.size(); ++i) print_cell(columns_[i].heading, i);
    out << '\n';
    for (const auto& row : rows_) {
        for (std::size_t i = 0; i < columns_.size(); ++i) print_cell(row[i], i);
        out << '\n';
    }
}

void print_fields(std::ostream& out, const std::vector<std::pair<std::string, std::string>>& fields) {
    std::size_t width = 0;
    for (const auto& [key, value] : fields) {
        if (!value.empty()) width = std::max(width, width_of(key));
    }
    for (const auto& [key, value] : fields) {
        if (!value.empty()) out << key << ':' << std::string(width - width_of(key) + 2, ' ') << clean_text(value) << '\n';
    }
}

void print_json(std::ostream& out, const json& value) { out << dump(value, 2) << '\n'; }

std::string json_line(const json& value) { return dump(value, -1); }

void JsonArrayPrinter::add(const json& element) { out_ << (printed_++ == 0 ? "[\n  " : ",\n  ") << json_line(element); }

void JsonArrayPrinter::end() { out_ << (printed_ == 0 ? "[]\n" : "\n]\n"); }

}  // namespace millrace::cli
