#include "cli/server_events.h"

#include <algorithm>

namespace millrace::cli {

ServerEventParser::ServerEventParser(std::size_t event_bytes_max) : event_bytes_max_(event_bytes_max) {}

Result<std::vector<ServerEvent>> ServerEventParser::feed(std::string_view bytes) {
    std::vector<ServerEvent> events;
    while (!bytes.empty()) {
        if (after_return_ && bytes.front() == '\n') bytes.remove_prefix(1);
        after_return_ = false;
        const std::size_t end = std::min(bytes.find_first_of("\r\n"), bytes.size());
        line_ += bytes.substr(0, end);
        if (line_.size() + data_.size() > event_bytes_max_) {
            return fail(Code::too_large, "an event is larger than " + std::to_string(event_bytes_max_) + " bytes");
        }
        if (end == bytes.size()) break;
        after_return_ = bytes[end] == '\r';
        bytes.remove_prefix(end + 1);
        take_line(line_, events);
        line_.clear();
    }
    return events;
}

void ServerEventParser::take_line(std::string_view line, std::vector<ServerEvent>& events) {
    constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
    if (at_start_ && line.starts_with(kByteOrderMark)) line.remove_prefix(kByteOrderMark.size());
    at_start_ = false;
    if (line.empty()) {
        if (!data_.empty()) {
            data_.pop_back();
            events.push_back({name_.empty() ? "message" : name_, data_});
        }
        name_.clear();
        data_.clear();
        return;
    }
    const std::size_t colon = std::min(line.find(':'), line.size());
    const std::string_view field = line.substr(0, colon);
    std::string_view value = line.substr(std::min(colon + 1, line.size()));
    if (value.starts_with(' ')) value.remove_prefix(1);
    if (field == "event") {
        name_ = value;
    } else if (field == "data") {
        data_ += value;
        data_ += '\n';
    }
}

}  // namespace millrace::cli
