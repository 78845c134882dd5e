// How results look on the screen: cleaned text, aligned tables, JSON. Pure but for the stream that is printed to.
#pragma once
#include <cstdint>
#include <iosfwd>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::cli {

// Text that cannot steer a terminal: control characters (C0, DEL, C1), line and paragraph separators, bidirectional
// overrides and bytes that are not UTF-8 become visible escapes such as \x1b.
std::string clean_text(std::string_view text);
// The same, but newlines and tabs stay: for logs.
std::string clean_lines(std::string_view text);

// Rows under headings, columns two blanks apart; the last column is not padded. Cells are cleaned.
class Table {
public:
    struct Column {
        std::string heading;
        bool right = false;  // numbers
    };
    explicit Table(std::vector<Column> columns);
    // Requires a cell for each column.
    void add(std::vector<std::string> cells);
    void print(std::ostream& out) const;

private:
    std::vector<Column> columns_;
    std::vector<std::vector<std::string>> rows_;
};

// "key:   value" lines, values aligned; pairs with an empty value are left out.
void print_fields(std::ostream& out, const std::vector<std::pair<std::string, std::string>>& fields);

// Indented, with DEL and C1 control characters escaped as well, and a newline.
void print_json(std::ostream& out, const nlohmann::json& value);
// One line, without the newline.
std::string json_line(const nlohmann::json& value);

// Prints a JSON array element by element, so that a long one is never held.
class JsonArrayPrinter {
public:
    explicit JsonArrayPrinter(std::ostream& out) : out_(out) {}
    void add(const nlohmann::json& element);
    void end();

private:
    std::ostream& out_;
    std::uint64_t printed_ = 0;
};

}  // namespace millrace::cli
