#include "wire/links.h"

namespace millrace::wire {

std::string route_of(const std::string& target_id, const std::string& boot_id) { return target_id + '\0' + boot_id; }
std::string target_of(const std::string& route) { return route.substr(0, route.find('\0')); }

}  // namespace millrace::wire
