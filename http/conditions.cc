#include "http/conditions.h"

#include <algorithm>

#include "http/date.h"

namespace millrace::http {
namespace {

constexpr std::string_view kIfMatch = "If-Match";
constexpr std::string_view kIfNoneMatch = "If-None-Match";
constexpr std::string_view kIfModifiedSince = "If-Modified-Since";
constexpr std::string_view kIfUnmodifiedSince = "If-Unmodified-Since";
constexpr std::string_view kIfRange = "If-Range";

std::string_view without_blanks_around(std::string_view text) {
    const std::size_t first = std::min(text.find_first_not_of(" \t"), text.size());
    return text.substr(first, text.find_last_not_of(" \t") + 1 - first);
}

bool stands_in_a_tag(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte == '!' || (byte > '"' && byte != 127);
}

// Several lines of one header are one list.
std::optional<std::string> joined(const Headers& headers, std::string_view name) {
    std::optional<std::string> all;
    for (const auto& [key, value] : headers) {
        if (!equal_without_case(key, name)) continue;
        if (all) all->append(",").append(value);
        else all = value;
    }
    return all;
}

}  // namespace

Conditions::Conditions(const Headers& headers, std::int64_t now_unix_seconds)
    : if_match_(tags_of(headers, kIfMatch)), if_none_match_(tags_of(headers, kIfNoneMatch)),
      if_modified_since_(date_of(headers, kIfModifiedSince, now_unix_seconds)),
      if_unmodified_since_(date_of(headers, kIfUnmodifiedSince, now_unix_seconds)), if_range_(joined(headers, kIfRange)) {}

std::optional<Conditions::Tags> Conditions::tags_of(const Headers& headers, std::string_view name) {
    const std::optional<std::string> text = joined(headers, name);
    if (!text) return std::nullopt;
    Tags tags;
    tags.any = without_blanks_around(*text) == "*";
    if (!tags.any) take_tags(*text, tags);
    return tags;
}

void Conditions::take_tags(std::string_view text, Tags& tags) {
    for (;;) {
        text.remove_prefix(std::min(text.find_first_not_of(" \t,"), text.size()));
        if (text.empty()) break;
        Tags::Tag tag{.weak = text.starts_with("W/")};
        if (tag.weak) text.remove_prefix(2);
        std::size_t end = 1;
        while (end < text.size() && stands_in_a_tag(text[end])) ++end;
        tags.unreadable = !text.starts_with('"') || end >= text.size() || text[end] != '"';
        if (tags.unreadable) return;
        tag.text = text.substr(0, end + 1);
        tags.tags.push_back(std::move(tag));
        text.remove_prefix(end + 1);
        const std::size_t next = text.find_first_not_of(" \t");
        tags.unreadable = next != text.npos && text[next] != ',';
        if (tags.unreadable) return;
    }
    tags.unreadable = tags.tags.empty();
}

// What is no date, or several, is as good as absent: so the RFC wants it.
std::optional<std::int64_t> Conditions::date_of(const Headers& headers, std::string_view name, std::int64_t now_unix_seconds) {
    const std::optional<std::string> text = joined(headers, name);
    return text ? parse_date(without_blanks_around(*text), now_unix_seconds) : std::nullopt;
}

bool Conditions::matches(const Tags& tags, const Validators* current, bool strongly) {
    if (current == nullptr || tags.unreadable) return false;
    if (tags.any) return true;
    return std::ranges::any_of(tags.tags, [&](const Tags::Tag& tag) { return tag.text == current->entity_tag && !(tag.weak && strongly); });
}

Conditions::Judgement Conditions::judge(const Validators* current, bool reads) const {
    const std::optional<std::int64_t> modified = current != nullptr ? current->modified_unix_seconds : std::nullopt;
    if (if_match_) {
        if (!matches(*if_match_, current, true)) return {Verdict::failed, kIfMatch};
    } else if (if_unmodified_since_ && modified && *modified > *if_unmodified_since_) {
        return {Verdict::failed, kIfUnmodifiedSince};
    }
    if (if_none_match_) {
        // One that nobody can read keeps nothing from being read, but nothing is changed against it.
        if (!reads && if_none_match_->unreadable) return {Verdict::failed, kIfNoneMatch};
        if (matches(*if_none_match_, current, false)) return {reads ? Verdict::not_modified : Verdict::failed, kIfNoneMatch};
    } else if (reads && if_modified_since_ && modified && *modified <= *if_modified_since_) {
        return {Verdict::not_modified, kIfModifiedSince};
    }
    return {};
}

bool Conditions::wants_part_of(const Validators& current) const {
    if (!if_range_) return true;
    return !current.entity_tag.empty() && without_blanks_around(*if_range_) == current.entity_tag;
}

}  // namespace millrace::http
