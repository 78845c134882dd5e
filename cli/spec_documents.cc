#include "cli/spec_documents.h"

#include <algorithm>

namespace millrace::cli {
namespace {

bool is_separator(std::string_view line) {
    if (!line.starts_with("---")) return false;
    const std::string_view rest = line.substr(3);
    const std::size_t first = rest.find_first_not_of(" \t\r");
    return first == rest.npos || (first > 0 && rest[first] == '#');
}

bool says_something(std::string_view line) {
    const std::size_t first = line.find_first_not_of(" \t\r");
    return first != line.npos && line[first] != '#' && line != "...";
}

}  // namespace

std::vector<SpecDocument> split_documents(std::string_view text) {
    std::vector<SpecDocument> documents;
    SpecDocument current;
    bool worth_sending = false;
    const auto finish = [&](std::size_t next_line) {
        if (worth_sending) documents.push_back(std::move(current));
        current = {"", next_line};
        worth_sending = false;
    };
    std::size_t line_number = 0;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::string_view line = text.substr(0, end);
        ++line_number;
        if (is_separator(line)) {
            finish(line_number + 1);
        } else {
            current.text += line;
            current.text += '\n';
            worth_sending = worth_sending || says_something(line);
        }
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    finish(line_number + 1);
    return documents;
}

}  // namespace millrace::cli
