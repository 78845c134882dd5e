#include "core/kept_port.h"

#include <charconv>

#include "core/file.h"

namespace millrace {

std::uint16_t read_kept_port(const std::string& file) {
    const auto text = read_file(file, 64);
    std::uint16_t port = 0;
    if (text) (void)std::from_chars(text->data(), text->data() + text->size(), port);
    return port;
}

Result<void> keep_port(const std::string& file, std::uint16_t port) { return write_file(file, std::to_string(port) + "\n"); }

}  // namespace millrace
