// Takes a stream of server-sent events apart (the WHATWG HTML standard, section 9.2.6). Pure.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace millrace::cli {

struct ServerEvent {
    std::string name;  // "message" when the server gives none
    std::string data;
};

class ServerEventParser {
public:
    explicit ServerEventParser(std::size_t event_bytes_max);

    // The events that these bytes complete. Code::too_large when one outgrows the bound; the parser is then of no use.
    Result<std::vector<ServerEvent>> feed(std::string_view bytes);

private:
    void take_line(std::string_view line, std::vector<ServerEvent>& events);

    std::size_t event_bytes_max_;
    std::string line_;  // the unfinished last line
    bool after_return_ = false;  // the last byte was '\r': a '\n' now belongs to it
    bool at_start_ = true;
    std::string name_;
    std::string data_;  // each line followed by '\n'
};

}  // namespace millrace::cli
