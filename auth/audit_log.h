// One line for each change that somebody asked a node for: when, who, from where, what, and what came of it. JSON, one object per line, in a file of
// its own that nothing else is written to; of several files of 32 MiB the oldest is given up. Any thread.
//
//   {"at":"2026-01-31T23:59:59.123Z","who":"alice","from":"10.0.0.7:51200","method":"POST","path":"/v1/jobs","what":"job-7k2m0q9xw4","status":202}
//
// Reads are not in it, nor what was refused before it came to a handler, nor what nodes and transforms store of each other.
#pragma once
#include <memory>
#include <mutex>
#include <string>

#include "core/descriptor.h"
#include "http/router.h"

namespace millrace::auth {

struct AuditBounds {
    std::size_t file_bytes_max = 32u << 20;
    unsigned files_max = 5;  // the one that is written to, and NAME.1, the newest of the others, and so on
};

class AuditLog {
public:
    static Result<std::unique_ptr<AuditLog>> open(std::string path, AuditBounds bounds = {});

    // A request that a handler has answered. Nothing, for one that changes nothing.
    void note(const http::Request& request, const http::Router::Entry& route, int status);

private:
    AuditLog(std::string path, AuditBounds bounds) : path_(std::move(path)), bounds_(bounds) {}
    Result<void> open_file();
    void write(const std::string& line);
    void rotate();

    const std::string path_;
    const AuditBounds bounds_;
    std::mutex mutex_;
    Descriptor file_;            // guarded by mutex_
    std::size_t bytes_ = 0;      // guarded by mutex_
    bool said_failure_ = false;  // guarded by mutex_
};

}  // namespace millrace::auth
