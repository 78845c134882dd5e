#include "runtime/image_pin.h"

namespace millrace::runtime {

Result<void> ImagePin::admit(const std::string& reference, const std::string& id) {
    const std::lock_guard lock(mutex_);
    if (id_.empty()) id_ = id;
    if (id_ == id) return {};
    return fail(Code::conflict, "image " + reference + " is " + id + " on this target, but the transform runs with " + id_ +
                                    ": load that one here under this name, or take the new one everywhere with: millrace etl restart --new-version");
}

std::string ImagePin::id() const {
    const std::lock_guard lock(mutex_);
    return id_;
}

}  // namespace millrace::runtime
