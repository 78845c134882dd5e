// What somebody may do, and with which buckets. Pure.
//
// A grant is written RIGHT or RIGHT:PATTERN, as in "read:audio-*"; without a pattern it is about every bucket. In a pattern '*' stands for any
// characters, none too.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace millrace::auth {

enum class Right {
    read,        // objects, and what there is to know of buckets, jobs, transforms and nodes
    write,       // objects and buckets; read, too
    run,         // jobs that read a bucket, and transforms
    command,     // transforms that are a command or a process of the target's machine, not a container
    unconfined,  // such transforms without a sandbox, or with a wider one
    admin,       // all of it, and the cluster
};
inline constexpr std::string_view kRightNames = "read, write, run, command, unconfined, admin";
std::string_view right_name(Right right);

struct Grant {
    Right right = Right::read;
    std::string buckets = "*";

    // Code::invalid_argument with what there is instead.
    static Result<Grant> parse(std::string_view text);
    std::string text() const;
};

class Grants {
public:
    Grants() = default;
    explicit Grants(std::vector<Grant> grants) : grants_(std::move(grants)) {}
    static Grants all() { return Grants({{Right::admin, "*"}}); }

    bool may(Right right, std::string_view bucket) const;
    // With some bucket, or where the right is about none.
    bool may_somewhere(Right right) const;
    // With every bucket, those that there are not yet too.
    bool may_everywhere(Right right) const;
    const std::vector<Grant>& list() const { return grants_; }

private:
    std::vector<Grant> grants_;
};

}  // namespace millrace::auth
