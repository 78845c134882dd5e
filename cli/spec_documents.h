// Splits a file of several YAML documents, so that each can be registered by itself. Pure.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::cli {

struct SpecDocument {
    std::string text;
    std::size_t line = 1;  // of its first line in the file, from 1
};

// Documents end at lines of "---" (blanks and a comment may follow); those of only blanks and comments are left out.
std::vector<SpecDocument> split_documents(std::string_view text);

}  // namespace millrace::cli
