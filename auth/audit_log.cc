#include "auth/audit_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "auth/caller.h"
#include "core/clock.h"
#include "core/json_members.h"
#include "core/log.h"

namespace millrace::auth {
namespace {

constexpr std::size_t kPathBytesMax = 2000;

bool changes_something(const http::Request& request, const http::Router::Entry& route) {
    if (route.access == http::Access::read || route.access == http::Access::node) return false;
    if (caller_of(request).is_node()) return false;  // results of a job, whose submission has its line
    return request.method != "GET" && request.method != "HEAD";
}

}  // namespace

Result<std::unique_ptr<AuditLog>> AuditLog::open(std::string path, AuditBounds bounds) {
    std::unique_ptr<AuditLog> log(new AuditLog(std::move(path), bounds));
    MILLRACE_TRY(log->open_file());
    return log;
}

Result<void> AuditLog::open_file() {
    file_ = Descriptor(::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
    struct stat found{};
    if (file_.get() < 0 || ::fstat(file_.get(), &found) < 0) return errno_error("opening " + path_, errno);
    bytes_ = static_cast<std::size_t>(found.st_size);
    return {};
}

void AuditLog::note(const http::Request& request, const http::Router::Entry& route, int status) {
    if (!changes_something(request, route)) return;
    const nlohmann::ordered_json line{{"at", rfc3339(unix_now_ns())}, {"who", caller_of(request).subject()}, {"from", request.peer},
                                      {"method", request.method}, {"path", request.path.substr(0, kPathBytesMax)}, {"what", request.deed},
                                      {"status", status}};
    const std::string text = line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
    const std::scoped_lock lock(mutex_);
    if (bytes_ > 0 && bytes_ + text.size() > bounds_.file_bytes_max) rotate();
    write(text);
}

void AuditLog::write(const std::string& line) {
    // In one piece: lines of O_APPEND do not mix.
    if (::write(file_.get(), line.data(), line.size()) == static_cast<ssize_t>(line.size())) {
        bytes_ += line.size();
        said_failure_ = false;
    } else if (!std::exchange(said_failure_, true)) {
        log::error("changes are not written down for an audit any more", {{"file", path_}, {"error", errno_error("writing", errno)}});
    }
}

void AuditLog::rotate() {
    for (unsigned i = bounds_.files_max - 1; i > 0; --i) {
        const std::string from = i == 1 ? path_ : path_ + "." + std::to_string(i - 1);
        (void)std::rename(from.c_str(), (path_ + "." + std::to_string(i)).c_str());
    }
    if (const auto opened = open_file(); !opened) log::error("the next file of changes cannot be begun", {{"error", opened.error()}});
}

}  // namespace millrace::auth
