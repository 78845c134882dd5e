#include "core/kept_port.h"

#include "core/file.h"
#include "core/whole_number.h"

namespace millrace {

std::uint16_t read_kept_port(const std::string& file) {
    const std::string text = read_file(file, 64).value_or("");
    return parse_whole<std::uint16_t>(std::string_view(text).substr(0, text.find('\n'))).value_or(0);
}

Result<void> keep_port(const std::string& file, std::uint16_t port) { return write_file(file, std::to_string(port) + "\n"); }

}  // namespace millrace
