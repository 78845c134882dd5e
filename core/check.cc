#include "core/check.h"

#include <cstdlib>

#include "core/log.h"

namespace millrace {

void check_failed(const char* condition, const char* file, int line) {
    log::error("invariant broken", {{"condition", condition}, {"file", file}, {"line", line}});
    std::abort();
}

}  // namespace millrace
