// What a request demands of the state that a resource is in: If-Match and its kin, and If-Range (RFC 9110, 13). Pure.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.h"

namespace millrace::http {

// What tells one content of a resource from another.
struct Validators {
    std::string entity_tag;                             // a strong one, with its quotes; empty: there is none
    std::optional<std::int64_t> modified_unix_seconds;
};

class Conditions {
public:
    // None: everything may go on.
    Conditions() = default;
    Conditions(const Headers& headers, std::int64_t now_unix_seconds);

    // Whether any is made. If-Range is none: it is about the part that is wanted.
    bool any() const { return if_match_ || if_none_match_ || if_modified_since_ || if_unmodified_since_; }

    enum class Verdict {
        go_on,
        not_modified,  // of a request that reads: the client has this content already
        failed,
    };
    struct Judgement {
        Verdict verdict = Verdict::go_on;
        std::string_view header = {};  // the one that it is due to
    };
    // In the order that RFC 9110, 13.2.2 has. current: null where there is nothing. reads: GET and HEAD.
    Judgement judge(const Validators* current, bool reads) const;
    // Whether a Range counts. A date never makes it: an object may have changed twice within its second, and nobody remembers that.
    bool wants_part_of(const Validators& current) const;

private:
    struct Tags {
        bool any = false;         // "*"
        bool unreadable = false;
        struct Tag {
            bool weak = false;
            std::string text;     // with its quotes
        };
        std::vector<Tag> tags;
    };
    static std::optional<Tags> tags_of(const Headers& headers, std::string_view name);
    static void take_tags(std::string_view text, Tags& tags);
    static std::optional<std::int64_t> date_of(const Headers& headers, std::string_view name, std::int64_t now_unix_seconds);
    static bool matches(const Tags& tags, const Validators* current, bool strongly);

    std::optional<Tags> if_match_;
    std::optional<Tags> if_none_match_;
    std::optional<std::int64_t> if_modified_since_;
    std::optional<std::int64_t> if_unmodified_since_;
    std::optional<std::string> if_range_;
};

}  // namespace millrace::http
