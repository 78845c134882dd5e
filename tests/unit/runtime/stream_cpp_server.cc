// What tests/support/stream_server.py does, on sdk/cpp.
#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "sdk/cpp/millrace_transform.h"

namespace {

std::string transform(std::string_view data, std::string_view name, std::string_view args) {
    std::string text(data);
    if (args == "same") return text;
    const std::string word = text.substr(0, text.find(' '));
    const std::string rest = word.size() < text.size() && text.size() < 200 ? text.substr(word.size() + 1) : "";
    if (word == "die") std::abort();
    if (word == "exit") std::_Exit(std::stoi(rest));
    if (word == "hang" || word == "sleep") {
        std::fputs(word == "hang" ? "hanging\n" : "sleeping\n", stderr);
        std::this_thread::sleep_for(word == "hang" ? std::chrono::hours(1) : std::chrono::milliseconds(std::stoi(rest)));
        return "slept";
    }
    if (word == "raise") throw std::runtime_error("ValueError: " + rest);
    if (word == "reject") throw millrace::Reject(rest);
    if (word == "retry") throw millrace::Retry(rest);
    if (word == "name") return std::string(name);
    if (word == "args") return std::string(args);
    if (word == "pid") return std::to_string(::getpid());
    if (word == "big") return std::string(std::stoul(rest), 'b');
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return text;
}

}  // namespace

int main() { return millrace::serve(transform); }
