#include "runtime/fork_server.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "runtime/forkable.h"
#include "runtime/wait_readable.h"

namespace millrace::runtime {
namespace asio = boost::asio;
namespace {

constexpr Duration kLoadTimeMax = std::chrono::seconds(5);
constexpr Duration kReplyTimeMax = std::chrono::seconds(2);
constexpr Duration kLastReplyTimeMax = std::chrono::seconds(10);  // of a child that was made just before its program was killed
constexpr Duration kLifeMax = std::chrono::seconds(60);
static_assert(kObjectVariables == millrace_object_variables);

Error unsuitable(const std::string& why) { return fail(Code::unavailable, why); }

std::string text_of_verdict(std::uint32_t verdict) {
    switch (verdict) {
        case millrace_has_threads: return "it starts threads before main";
        case millrace_has_descriptors: return "it opens files before main";
        case millrace_shares_memory: return "it maps shared memory before main";
        case millrace_read_object: return "it asks for the object's variables before main";
        case millrace_changed_environment: return "it changes its environment before main";
        default: return "this kernel lacks what forking it takes";
    }
}

Task<void> set_when_readable(int fd, Executor executor, Event& readable) {
    asio::posix::stream_descriptor descriptor(executor);
    boost::system::error_code error;
    descriptor.assign(fd, error);
    if (error) co_return;
    error = co_await wait_readable(descriptor);
    descriptor.release();
    if (!error) readable.set();
}

// The bytes of one message; 0 at the end, -1 when there was none by the deadline. Goes on when this task is cancelled: there may
// be a child by now, and it must be known.
Task<ssize_t> read_by(int fd, void* to, std::size_t bytes, Executor executor, Instant deadline) {
    Event readable(executor);
    TaskGroup watch(executor);
    watch.spawn(set_when_readable(fd, executor, readable));
    while (!readable.is_set() && steady_now() < deadline) (void)co_await readable.wait_until(deadline);
    watch.cancel();
    co_await watch.join();
    if (!readable.is_set()) co_return -1;
    co_return std::max<ssize_t>(::read(fd, to, bytes), 0);
}

bool has_bytes(int fd) {
    int count = 0;
    return ::ioctl(fd, FIONREAD, &count) < 0 || count > 0;
}

// One message with everything that is the object's own; "" when it is too long.
std::string request_bytes(const SpawnRequest& request) {
    MillraceForkRequest header{};
    set_limits(header.setup, request.limits, request.mark);
    std::string bytes(reinterpret_cast<const char*>(&header), sizeof header);
    bytes.append(request.folder).push_back('\0');
    for (std::size_t i = request.env.size() - kObjectVariables; i < request.env.size(); ++i) bytes.append(request.env[i]).push_back('\0');
    return bytes.size() <= millrace_fork_bytes_max ? bytes : "";
}

}  // namespace

ForkServer::ForkServer(const SpawnRequest& request, ChildList& children, Executor executor)
    : file_(request.file), children_(children), executor_(executor) {}

ForkServer::~ForkServer() { end(); }

Task<Result<std::unique_ptr<ForkServer>>> ForkServer::start(const SpawnRequest& request, const std::string& library, ChildList& children,
                                                            Executor executor) {
    std::unique_ptr<ForkServer> server(new ForkServer(request, children, executor));
    MILLRACE_CO_TRY(server->load(request, library));
    auto greeted = co_await server->hear_hello();
    if (!greeted.has_value()) co_return greeted.error();
    server->usable_ = true;
    co_return server;
}

Result<void> ForkServer::load(const SpawnRequest& request, const std::string& library) {
    if (const std::string obstacle = fork_obstacle(request.file, request.env, library); !obstacle.empty()) return unsuitable(obstacle);
    if (::stat(file_.c_str(), &identity_) < 0) return errno_error("cannot look at " + file_, errno);
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) return errno_error("cannot make a socket", errno);
    control_ = Descriptor(ends[0]);
    const Descriptor theirs(ends[1]);
    if (::fcntl(control_.get(), F_SETFL, O_NONBLOCK) < 0) return errno_error("cannot prepare a socket", errno);
    MILLRACE_TRY_ASSIGN(Pipe output, make_pipe(PipeEnd::read));
    output_ = std::move(output.read);
    SpawnRequest loaded = request;
    const std::size_t first = loaded.env.size() - kObjectVariables;  // the names of the last two stay
    loaded.env[first] = "LD_PRELOAD=" + library;
    loaded.env[first + 1] = MILLRACE_FORK_VARIABLE "=" + std::to_string(::getpid());
    loaded.env[first + 2] = "MILLRACE_ARGS=";
    loaded.sandbox.list = request.loader_list;
    loaded.mark = instance_of(request.mark);  // it outlives this run
    loaded.stdin_fd = theirs.get();
    loaded.stdout_fd = loaded.stderr_fd = output.write.get();
    loaded.limits = {.memory_bytes = request.limits.memory_bytes, .open_files = 0};  // its children set the others themselves
    MILLRACE_TRY_ASSIGN(Child program, spawn(loaded));
    if (!children_.add(program.pid())) return unsuitable("the transform is stopped");
    program_.emplace(std::move(program));
    return {};
}

Task<Result<void>> ForkServer::hear_hello() {
    MillraceForkHello hello{};
    const ssize_t bytes = co_await read_by(control_.get(), &hello, sizeof hello, executor_, steady_now() + kLoadTimeMax);
    if (bytes < 0) co_return unsuitable("it does not wait before main");
    if (bytes != sizeof hello || hello.version != millrace_fork_version) co_return unsuitable("it ends before main, or does not use glibc's");
    if (hello.verdict != millrace_can_fork) co_return unsuitable(text_of_verdict(hello.verdict));
    if (has_bytes(output_.get())) co_return unsuitable("it writes before main");
    co_return Result<void>{};
}

bool ForkServer::is_outdated() const {
    if (steady_now() >= started_ + kLifeMax) return true;
    struct stat now {};
    if (::stat(file_.c_str(), &now) < 0) return true;
    const auto same_time = [](const timespec& a, const timespec& b) { return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec; };
    return now.st_dev != identity_.st_dev || now.st_ino != identity_.st_ino || now.st_size != identity_.st_size ||
           !same_time(now.st_mtim, identity_.st_mtim) || !same_time(now.st_ctim, identity_.st_ctim);
}

Task<std::optional<Result<Child>>> ForkServer::fork(const SpawnRequest& request) {
    auto pipe = make_pipe(PipeEnd::read);
    if (!usable_ || !pipe.has_value() || !send(request, pipe->write.get())) co_return std::nullopt;
    pipe->write.close();
    MillraceForkReply reply{};
    if (!co_await receive(pipe->read.get(), reply)) co_return std::nullopt;
    if (reply.pid == 0) co_return std::nullopt;
    auto child = adopt_child(reply.pid);
    if (reply.step == millrace_step_none || !child.has_value()) co_return child;
    (void)child->reap();
    co_return Result<Child>(start_error(request, static_cast<MillraceStep>(reply.step), reply.error));
}

bool ForkServer::send(const SpawnRequest& request, int reply_fd) {
    std::string bytes = request_bytes(request);
    if (bytes.empty()) return false;
    const std::array<int, millrace_fork_fds_max> fds{request.stdin_fd, request.stdout_fd, request.stderr_fd, reply_fd, request.sandbox.list};
    const std::size_t fd_bytes = sizeof(int) * (request.sandbox.list > 0 ? millrace_fork_fds_max : millrace_fork_fds);
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof fds)> ancillary{};
    iovec whole{bytes.data(), bytes.size()};
    msghdr message{};
    message.msg_iov = &whole;
    message.msg_iovlen = 1;
    message.msg_control = ancillary.data();
    message.msg_controllen = CMSG_SPACE(fd_bytes);
    cmsghdr* const attached = CMSG_FIRSTHDR(&message);
    attached->cmsg_level = SOL_SOCKET;
    attached->cmsg_type = SCM_RIGHTS;
    attached->cmsg_len = CMSG_LEN(fd_bytes);
    std::memcpy(CMSG_DATA(attached), fds.data(), fd_bytes);
    if (::sendmsg(control_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return true;
    if (errno == EPIPE || errno == ECONNRESET) end();
    return false;
}

// False when there is no reply and will be none. The caller then closes the pipe: a child that would reply after all dies of that.
Task<bool> ForkServer::receive(int fd, MillraceForkReply& reply) {
    ssize_t bytes = co_await read_by(fd, &reply, sizeof reply, executor_, steady_now() + kReplyTimeMax);
    if (bytes == sizeof reply) co_return true;
    end();
    if (bytes < 0) bytes = co_await read_by(fd, &reply, sizeof reply, executor_, steady_now() + kLastReplyTimeMax);
    co_return bytes == sizeof reply;
}

// A child that has not replied is still of the program's own group: it dies with the program, and is reaped with it.
void ForkServer::end() {
    usable_ = false;
    if (!program_) return;
    const pid_t group = program_->pid();
    children_.remove(group);
    program_->signal_group(SIGKILL);
    (void)program_->reap();
    program_.reset();
    siginfo_t info{};
    while (::waitid(P_PGID, static_cast<id_t>(group), &info, WEXITED) == 0) {  // process ids are not given out again so soon
    }
    control_.close();
}

}  // namespace millrace::runtime
