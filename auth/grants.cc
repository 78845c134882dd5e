#include "auth/grants.h"

#include <algorithm>
#include <array>

namespace millrace::auth {
namespace {

constexpr std::array<std::pair<std::string_view, Right>, 6> kRights{{{"read", Right::read}, {"write", Right::write}, {"run", Right::run},
                                                                    {"command", Right::command}, {"unconfined", Right::unconfined}, {"admin", Right::admin}}};
constexpr std::size_t kPatternMax = 256;

bool includes(Right held, Right wanted) {
    return held == wanted || held == Right::admin || (held == Right::write && wanted == Right::read);
}

// '*' only. Goes back to the last '*' where the rest does not fit, so it takes pattern × text steps at most.
bool fits(std::string_view pattern, std::string_view text) {
    std::size_t p = 0, t = 0, star = std::string_view::npos, resumed = 0;
    while (t < text.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            resumed = t;
        } else if (p < pattern.size() && pattern[p] == text[t]) {
            ++p, ++t;
        } else if (star != std::string_view::npos) {
            p = star + 1;
            t = ++resumed;
        } else {
            return false;
        }
    }
    return std::ranges::all_of(pattern.substr(p), [](char c) { return c == '*'; });
}

bool is_every(std::string_view pattern) { return !pattern.empty() && std::ranges::all_of(pattern, [](char c) { return c == '*'; }); }

}  // namespace

std::string_view right_name(Right right) {
    return std::ranges::find(kRights, right, &std::pair<std::string_view, Right>::second)->first;
}

Result<Grant> Grant::parse(std::string_view text) {
    const std::size_t colon = std::min(text.find(':'), text.size());
    const auto* const known = std::ranges::find(kRights, text.substr(0, colon), &std::pair<std::string_view, Right>::first);
    if (known == kRights.end()) {
        return fail(Code::invalid_argument,
                    "'" + std::string(text.substr(0, 100)) + "' is not RIGHT or RIGHT:BUCKETS, where RIGHT is one of " + std::string(kRightNames));
    }
    if (colon == text.size()) return Grant{known->second, "*"};
    const std::string_view pattern = text.substr(colon + 1);
    const auto is_usable = [](char c) { return c > ' ' && c != ',' && c < 127; };
    if (pattern.empty() || pattern.size() > kPatternMax || !std::ranges::all_of(pattern, is_usable)) {
        return fail(Code::invalid_argument, "'" + std::string(text.substr(0, 100)) + "': name the buckets behind the colon, as in read:audio-*");
    }
    return Grant{known->second, std::string(pattern)};
}

std::string Grant::text() const { return std::string(right_name(right)) + (is_every(buckets) ? "" : ":" + buckets); }

bool Grants::may(Right right, std::string_view bucket) const {
    return std::ranges::any_of(grants_, [&](const Grant& grant) { return includes(grant.right, right) && fits(grant.buckets, bucket); });
}

bool Grants::may_somewhere(Right right) const {
    return std::ranges::any_of(grants_, [&](const Grant& grant) { return includes(grant.right, right); });
}

bool Grants::may_everywhere(Right right) const {
    return std::ranges::any_of(grants_, [&](const Grant& grant) { return includes(grant.right, right) && is_every(grant.buckets); });
}

}  // namespace millrace::auth
