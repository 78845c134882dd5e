// One GET of an object into a sink. Where its connection breaks off and the object is one that is stored, it goes on from there, with
// the same content only.
//
// On the session's executor.
#pragma once
#include <cstdint>
#include <expected>
#include <optional>
#include <string>

#include "cli/session.h"
#include "cli/silence.h"
#include "core/body.h"
#include "core/hash.h"

namespace millrace::cli {

class ObjectFetch {
public:
    // may_continue: the same GET answers with the same bytes, and knows ranges; so not for a transform.
    ObjectFetch(Session& session, Call call, bool may_continue, Sink& sink);

    // All of it is in the sink, and is what the target says that it is; the number of bytes. Code::incomplete_body: it broke off, and
    // half a minute of tries brought not a byte more, or it was overwritten meanwhile.
    Task<Result<std::uint64_t>> run();

private:
    // The rest of it. is_final: another try would not help.
    struct Failure {
        Error error;
        bool is_final = true;
    };
    Task<std::expected<void, Failure>> fetch_rest();
    std::expected<void, Failure> check_begin(const http::Exchange& exchange);
    Task<std::expected<void, Failure>> read_rest(http::Exchange& exchange);
    Result<void> verify() const;

    Session& session_;
    const Call call_;
    const bool may_continue_;
    Sink& sink_;
    Silence silence_;
    std::uint64_t moved_ = 0;
    std::optional<std::uint64_t> size_;
    std::string tag_;            // of the content; empty: the target names none
    std::string expected_;       // its checksum; empty: not told
    Checksum checksum_;
};

}  // namespace millrace::cli
