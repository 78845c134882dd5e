// A process that dies after so many further writes and messages, in the middle of whatever it is doing then.
#pragma once
#include <cstdint>
#include <optional>

namespace millrace::sim {

class Fuse {
public:
    void light(std::uint64_t effects, bool with_power_cut) {
        left_ = effects;
        with_power_cut_ = with_power_cut;
    }
    void put_out() { left_.reset(); }
    // One more write or message. True when it was the last; once.
    bool burns_down() {
        if (!left_ || (*left_)-- > 0) return false;
        put_out();
        return true;
    }
    bool with_power_cut() const { return with_power_cut_; }

private:
    std::optional<std::uint64_t> left_;
    bool with_power_cut_ = false;
};

}  // namespace millrace::sim
