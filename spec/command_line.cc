#include "spec/command_line.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "core/units.h"

namespace millrace::spec {
namespace {

constexpr std::size_t kCommandBytesMax = 64 * 1024;
constexpr std::string_view kShellCharacters = "|&;<>()$`*?[]{}~#\n";
constexpr std::string_view kPlainCharacters = "_./:,+@%-";
// Reserved words and built-in commands that exist in no folder of PATH.
constexpr std::array<std::string_view, 35> kShellWords{
    "!", ".", ":", "{", "alias", "break", "case", "cd", "command", "continue", "do", "done", "elif", "else", "esac", "eval",
    "exec", "exit", "export", "fi", "for", "if", "readonly", "return", "set", "shift", "then", "times", "trap", "ulimit",
    "umask", "unset", "until", "wait", "while"};

bool is_name_character(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

bool is_assignment(std::string_view word) {
    const std::size_t equals = word.find('=');
    if (equals == word.npos || equals == 0 || std::isdigit(static_cast<unsigned char>(word[0])) != 0) return false;
    return std::ranges::all_of(word.substr(0, equals), is_name_character);
}

class Splitter {
public:
    explicit Splitter(std::string_view text) : text_(text) {}

    Result<std::vector<std::string>> split() {
        while (at_ < text_.size() && !needs_shell_) MILLRACE_TRY(step());
        end_word();
        if (needs_shell_) return std::vector<std::string>{"/bin/sh", "-c", std::string(text_)};
        return std::move(words_);
    }

private:
    Result<void> step() {
        const char c = text_[at_];
        if (c == ' ' || c == '\t' || c == '\r') {
            end_word();
            ++at_;
        } else if (c == '\'') {
            return single_quotes();
        } else if (c == '"') {
            return double_quotes();
        } else if (c == '\\') {
            if (at_ + 1 == text_.size()) return fail(Code::invalid_argument, "the command ends in a backslash");
            if (text_[at_ + 1] == '\n') needs_shell_ = true;
            quoted_ = in_word_ = true;
            word_ += text_[at_ + 1];
            at_ += 2;
        } else if (const std::size_t placeholder = placeholder_length(); placeholder > 0) {
            in_word_ = true;
            word_ += text_.substr(at_, placeholder);
            at_ += placeholder;
        } else {
            if (kShellCharacters.find(c) != kShellCharacters.npos) needs_shell_ = true;
            in_word_ = true;
            word_ += c;
            ++at_;
        }
        return {};
    }

    Result<void> single_quotes() {
        const std::size_t end = text_.find('\'', at_ + 1);
        if (end == text_.npos) return fail(Code::invalid_argument, "the command has a ' that is never closed");
        quoted_ = in_word_ = true;
        word_ += text_.substr(at_ + 1, end - at_ - 1);
        at_ = end + 1;
        return {};
    }

    Result<void> double_quotes() {
        quoted_ = in_word_ = true;
        for (++at_; at_ < text_.size(); ++at_) {
            const char c = text_[at_];
            if (c == '"') {
                ++at_;
                return {};
            }
            if (c == '$' || c == '`') needs_shell_ = true;
            const char next = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
            if (c == '\\' && (next == '"' || next == '\\' || next == '$' || next == '`')) {
                ++at_;
                word_ += next;
            } else {
                if (c == '\\' && next == '\n') needs_shell_ = true;
                word_ += c;
            }
        }
        return fail(Code::invalid_argument, "the command has a \" that is never closed");
    }

    std::size_t placeholder_length() const {
        for (const std::string_view placeholder : {std::string_view("{socket}"), std::string_view("{port}")}) {
            if (text_.substr(at_).starts_with(placeholder)) return placeholder.size();
        }
        return 0;
    }

    void end_word() {
        if (!in_word_) return;
        if (words_.empty() && !quoted_ && (is_assignment(word_) || std::ranges::find(kShellWords, word_) != kShellWords.end())) {
            needs_shell_ = true;
        }
        words_.push_back(std::move(word_));
        word_.clear();
        in_word_ = quoted_ = false;
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::vector<std::string> words_;
    std::string word_;
    bool in_word_ = false;
    bool quoted_ = false;  // some of the word was: then it is no assignment and no reserved word
    bool needs_shell_ = false;
};

std::string quoted(const std::string& word) {
    const auto is_plain = [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) != 0 || kPlainCharacters.find(c) != kPlainCharacters.npos;
    };
    const bool is_reserved = std::ranges::find(kShellWords, word) != kShellWords.end();
    if (!word.empty() && !is_reserved && std::ranges::all_of(word, is_plain)) return word;
    std::string text = "'";
    for (const char c : word) {
        if (c == '\'') {
            text += "'\\''";
        } else {
            text += c;
        }
    }
    return text + "'";
}

}  // namespace

Result<std::vector<std::string>> split_command(std::string_view text) { return Splitter(text).split(); }

bool is_shell_text(const std::vector<std::string>& argv) { return argv.size() == 3 && argv[0] == "/bin/sh" && argv[1] == "-c"; }

Result<void> check_command(const std::vector<std::string>& argv) {
    if (argv.empty() || argv[0].empty()) return fail(Code::invalid_argument, "the command is empty");
    std::size_t bytes = 0;
    for (const std::string& word : argv) {
        if (word.find('\0') != word.npos) return fail(Code::invalid_argument, "the command has a NUL byte");
        bytes += word.size() + 1;
    }
    if (bytes > kCommandBytesMax) return fail(Code::invalid_argument, "the command is longer than " + size_text(kCommandBytesMax));
    return {};
}

std::string command_text(const std::vector<std::string>& argv) {
    if (is_shell_text(argv)) {
        const auto split = split_command(argv[2]);
        if (split.has_value() && *split == argv) return argv[2];
    }
    std::string text;
    for (const std::string& word : argv) {
        if (!text.empty()) text += ' ';
        text += quoted(word);
    }
    return text;
}

}  // namespace millrace::spec
