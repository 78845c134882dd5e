#include "core/fault.h"

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <string>

#include "core/whole_number.h"

namespace millrace::fault {

bool armed = false;

namespace {
struct Armed {
    std::string name;
    int at = 0;
    std::string action;
    std::atomic<int> passed = 0;
};
Armed& state() {
    static Armed instance;
    return instance;
}
}  // namespace

Result<void> arm_from_environment() {
    const char* text = std::getenv("MILLRACE_FAULT");
    if (text == nullptr || *text == '\0') return {};
    const std::string_view spec(text);
    const auto first = spec.find(':');
    const auto second = spec.find(':', first == spec.npos ? first : first + 1);
    if (second == spec.npos) return fail(Code::invalid_argument, "MILLRACE_FAULT must be name:count:action");
    state().name = spec.substr(0, first);
    state().at = parse_whole<int>(spec.substr(first + 1, second - first - 1)).value_or(0);
    state().action = spec.substr(second + 1);
    const bool known = state().action == "kill" || state().action == "no_space" || state().action == "io";
    if (state().at < 1 || !known) {
        return fail(Code::invalid_argument, "MILLRACE_FAULT: count must be from 1, action one of kill, no_space, io");
    }
    armed = true;
    return {};
}

Result<void> pass(std::string_view name) {
    Armed& fault = state();
    if (fault.name != name) return {};
    const int passed = ++fault.passed;
    if (fault.action == "kill") {
        if (passed == fault.at) {
            ::kill(::getpid(), SIGKILL);
            for (;;) ::pause();
        }
        return {};
    }
    if (passed < fault.at) return {};
    const Code code = fault.action == "no_space" ? Code::no_space : Code::io;
    return millrace::fail(code, "injected at fault point " + std::string(name));
}

}  // namespace millrace::fault
