// The last bytes of a stream of text, in bounded memory.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace millrace::runtime {

class Tail {
public:
    explicit Tail(std::size_t bytes_max) : bytes_max_(bytes_max) {}

    void append(std::string_view bytes);

    // What is kept, oldest first; starts at the beginning of a line where something was dropped before it.
    std::string text() const;
    // The last line that is not blank, without control characters, cut to 300 bytes; "" if there is none.
    std::string last_line() const;

private:
    std::size_t bytes_max_;
    std::string bytes_;  // at most twice bytes_max_, cut back when it would grow beyond
    bool dropped_ = false;
};

// One line for messages: no control characters, cut to 300 bytes, valid UTF-8.
std::string one_line(std::string_view text);

}  // namespace millrace::runtime
