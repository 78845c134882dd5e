// A whole Millrace transform in C++17, over the stream protocol (runtime/STREAM.md). One header, POSIX only; link with -pthread.
//
//     int main() {
//         return millrace::serve([](std::string_view data, std::string_view name, std::string_view args) -> std::string { ... });
//     }
//
// name is "BUCKET/OBJECT", args the text of the job. Each connection has a thread of its own, so the function is called from several
// at once. `throw millrace::Reject(why)` refuses an object for good, `throw millrace::Retry(why)` asks for another try; any other
// exception is a refusal, with its text.
#pragma once
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <utility>

namespace millrace {

// This object will never pass.
struct Reject : std::runtime_error {
    using std::runtime_error::runtime_error;
};
// It may pass when it is tried again.
struct Retry : std::runtime_error {
    using std::runtime_error::runtime_error;
};

using Transform = std::function<std::string(std::string_view data, std::string_view name, std::string_view args)>;

namespace detail {

inline constexpr std::string_view kGreeting{"MRSTRM<\x01", 8}, kGreetingOfMillrace{"MRSTRM>\x01", 8};
inline constexpr std::size_t kHeaderBytes = 16, kPayloadMax = 1 << 20;
inline constexpr std::chrono::milliseconds kFlushTime{20};  // a ready answer does not wait longer for the objects behind it
enum : std::uint8_t { kObject = 1, kData = 2, kAbort = 3, kResult = 4, kFail = 5 };
enum : std::uint8_t { kLast = 1, kRetry = 2 };

inline std::uint64_t number(const char* at, std::size_t bytes) {
    std::uint64_t value = 0;
    while (bytes-- > 0) value = value << 8 | static_cast<unsigned char>(at[bytes]);
    return value;
}

inline void append_number(std::string& out, std::uint64_t value, std::size_t bytes) {
    for (; bytes > 0; --bytes, value >>= 8) out.push_back(static_cast<char>(value & 0xff));
}

// Answers on their way out: those of a batch leave in one write, or sooner where the batch takes long.
class Answers {
public:
    explicit Answers(int socket) : socket_(socket), late_([this] { flush_late(); }) {}
    ~Answers() {
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            ended_ = true;
        }
        changed_.notify_one();
        late_.join();
    }

    void add(std::uint8_t type, std::uint8_t flags, std::uint64_t id, std::string_view payload) {
        std::unique_lock<std::mutex> lock(mutex_);
        if (ready_.empty() && !late_is_awake_) {
            late_is_awake_ = true;
            changed_.notify_one();
        }
        append_number(ready_, payload.size(), 4);
        append_number(ready_, type, 1);
        append_number(ready_, flags, 1);
        append_number(ready_, 0, 2);
        append_number(ready_, id, 8);
        ready_.append(payload);
        if (ready_.size() >= kPayloadMax) write(lock);
    }
    void flush() {
        std::unique_lock<std::mutex> lock(mutex_);
        write(lock);
    }

private:
    // With the lock held: nobody overtakes.
    void write(const std::unique_lock<std::mutex>&) {
        for (std::size_t at = 0; at < ready_.size() && !broken_;) {
            const ssize_t count = ::send(socket_, ready_.data() + at, ready_.size() - at, MSG_NOSIGNAL);
            if (count > 0) at += static_cast<std::size_t>(count);
            broken_ = count < 0 && errno != EINTR;  // whoever reads sees it too
        }
        ready_.clear();
    }
    void flush_late() {
        std::unique_lock<std::mutex> lock(mutex_);
        while (!ended_) {
            changed_.wait(lock, [this] { return ended_ || late_is_awake_; });
            changed_.wait_for(lock, kFlushTime, [this] { return ended_; });
            write(lock);
            late_is_awake_ = false;
        }
    }

    const int socket_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::string ready_;  // guarded by mutex_, as all below
    bool late_is_awake_ = false, broken_ = false, ended_ = false;
    std::thread late_;
};

inline void answer(Answers& answers, const Transform& transform, std::uint64_t id, std::string_view data, std::string_view name,
                   std::string_view args) {
    const auto fail = [&](std::uint8_t flags, std::string_view text) { answers.add(kFail, flags, id, text.substr(0, 4000)); };
    try {
        const std::string result = transform(data, name, args);
        std::string_view rest = result;
        for (; rest.size() > kPayloadMax; rest.remove_prefix(kPayloadMax)) answers.add(kResult, 0, id, rest.substr(0, kPayloadMax));
        answers.add(kResult, kLast, id, rest);
    } catch (const Retry& why) {
        fail(kRetry, why.what());
    } catch (const std::exception& why) {
        fail(0, why.what());
    } catch (...) {
        fail(0, "an exception of an unknown type");
    }
}

struct Partial {  // an object whose end is still to come
    std::string name, args, data;
};

class Connection {
public:
    Connection(int socket, const Transform& transform) : transform_(transform), socket_(socket), answers_(socket) {}

    void serve() {
        if (::send(socket_, kGreeting.data(), kGreeting.size(), MSG_NOSIGNAL) < 0) return;
        std::string buffer(kHeaderBytes + kPayloadMax, '\0');
        const ssize_t greeting = ::recv(socket_, buffer.data(), kGreetingOfMillrace.size(), MSG_WAITALL);
        if (greeting <= 0 || buffer.compare(0, static_cast<std::size_t>(greeting), kGreetingOfMillrace) != 0) return;
        for (std::size_t filled = 0;;) {
            const ssize_t count = ::recv(socket_, buffer.data() + filled, buffer.size() - filled, 0);
            if (count < 0 && errno == EINTR) continue;
            if (count <= 0) return;
            filled += static_cast<std::size_t>(count);
            std::string_view rest(buffer.data(), filled);
            if (!take_frames(rest)) {
                std::fputs("millrace_transform: the peer broke the stream protocol\n", stderr);
                return;
            }
            answers_.flush();
            std::memmove(buffer.data(), rest.data(), rest.size());
            filled = rest.size();
        }
    }

private:
    bool take_frames(std::string_view& bytes) {
        while (bytes.size() >= kHeaderBytes) {
            const std::size_t size = number(bytes.data(), 4);
            if (size > kPayloadMax) return false;
            if (bytes.size() - kHeaderBytes < size) return true;
            if (!take_frame(bytes[4], (bytes[5] & kLast) != 0, number(bytes.data() + 8, 8), bytes.substr(kHeaderBytes, size))) return false;
            bytes.remove_prefix(kHeaderBytes + size);
        }
        return true;
    }

    bool take_frame(char type, bool is_last, std::uint64_t id, std::string_view payload) {
        const auto found = partial_.find(id);
        if (type == kObject) {
            if (payload.size() < 16) return false;
            const std::size_t args_size = number(payload.data() + 8, 4), name_size = number(payload.data() + 12, 2);
            payload.remove_prefix(16);
            if (payload.size() < name_size || payload.size() - name_size < args_size) return false;
            const std::string_view name = payload.substr(0, name_size), args = payload.substr(name_size, args_size);
            const std::string_view data = payload.substr(name_size + args_size);
            if (is_last) {
                answer(answers_, transform_, id, data, name, args);
            } else {
                partial_[id] = {std::string(name), std::string(args), std::string(data)};
            }
        } else if (type == kData && found != partial_.end()) {
            found->second.data.append(payload);
            if (is_last) {
                const Partial object = std::move(found->second);
                partial_.erase(found);
                answer(answers_, transform_, id, object.data, object.name, object.args);
            }
        } else if (type == kAbort && found != partial_.end()) {
            partial_.erase(found);
            answers_.add(kFail, 0, id, "aborted");
        }
        return type == kObject || type == kData || type == kAbort;
    }

    const Transform& transform_;
    const int socket_;
    Answers answers_;
    std::unordered_map<std::uint64_t, Partial> partial_;
};

}  // namespace detail

// Serves objects on the Unix socket `path` (default: $MILLRACE_SOCKET) until the process is ended. Returns only when that cannot be,
// with an exit status for main().
inline int serve(Transform transform, std::string path = {}) {
    if (path.empty() && std::getenv("MILLRACE_SOCKET") != nullptr) path = std::getenv("MILLRACE_SOCKET");
    std::signal(SIGTERM, [](int) { ::_exit(0); });  // whoever is process 1 of a container has no default action
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path) {
        std::fputs("millrace_transform: MILLRACE_SOCKET names no socket, or its path is too long\n", stderr);
        return 2;
    }
    std::memcpy(address.sun_path, path.data(), path.size());
    ::unlink(path.c_str());
    const int listener = ::socket(AF_UNIX, SOCK_STREAM, 0);
    if (listener < 0 || ::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 || ::listen(listener, 128) != 0) {
        std::perror(("millrace_transform: cannot listen on " + path).c_str());
        return 1;
    }
    for (;;) {
        const int socket = ::accept(listener, nullptr, nullptr);
        if (socket < 0 && (errno == EINTR || errno == ECONNABORTED)) continue;
        if (socket < 0) {
            std::perror("millrace_transform: cannot accept");
            return 1;
        }
        std::thread([socket, &transform] {
            {
                detail::Connection connection(socket, transform);
                connection.serve();
            }
            ::close(socket);
        }).detach();  // ends with its connection; serve() ends with the process only
    }
}

}  // namespace millrace
