// Identifiers that do not mix: each is a string with a type of its own, ordered by bytes.
#pragma once
#include <compare>
#include <functional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>

namespace millrace {

template <class Tag>
class Id {
public:
    Id() = default;
    explicit Id(std::string text) : text_(std::move(text)) {}
    const std::string& str() const { return text_; }
    bool empty() const { return text_.empty(); }
    friend auto operator<=>(const Id&, const Id&) = default;
    friend std::ostream& operator<<(std::ostream& out, const Id& id) { return out << id.text_; }

private:
    std::string text_;
};

using JobId = Id<struct JobTag>;
using TargetId = Id<struct TargetTag>;

// A fresh random id: the prefix and 10 lower-case letters and digits, e.g. "job-7k2m0q9xw4".
std::string random_id(std::string_view prefix);

}  // namespace millrace

template <class Tag>
struct std::hash<millrace::Id<Tag>> {
    std::size_t operator()(const millrace::Id<Tag>& id) const noexcept { return std::hash<std::string>{}(id.str()); }
};
