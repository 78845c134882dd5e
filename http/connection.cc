#include "http/connection.h"

#include <algorithm>
#include <array>
#include <boost/asio/error.hpp>
#include <boost/asio/steady_timer.hpp>

namespace millrace::http {
namespace asio = boost::asio;
using boost::system::error_code;

namespace {
constexpr auto kCloseTimeMax = std::chrono::seconds(2);

}  // namespace

struct Connection::Impl : std::enable_shared_from_this<Impl> {
    Impl(const Executor& executor, std::unique_ptr<Transport> carrier) : transport(std::move(carrier)), timer(executor) {}

    Instant next_deadline() const { return std::min(deadlines[0], deadlines[1]); }

    // The timer may go off earlier than the deadline that counts by then; it looks again. So a deadline that only moves
    // later, as with every request on a kept-alive connection, costs a store.
    void arm() {
        const Instant deadline = next_deadline();
        if (deadline >= armed_for || !transport->is_open()) return;
        armed_for = deadline;
        timer.expires_at(deadline);
        timer.async_wait([weak = weak_from_this()](const error_code& failure) {
            if (failure) return;
            if (const auto self = weak.lock()) self->look();
        });
    }

    void look() {
        armed_for = Instant::max();
        Instant now = steady_now();
        if (transport->is_open() && due && deadlines[0] <= now) {
            deadlines[0] = due();
            now = steady_now();  // what is due at once is not due a little later
        }
        if (!transport->is_open() || now < next_deadline()) return arm();
        expired = true;
        cut();
    }

    void cut() {
        if (!transport->is_open()) return;
        transport->cut();
        disarm();
    }

    void close() {
        transport->close();
        disarm();
    }

    void disarm() {
        timer.cancel();
        armed_for = Instant::max();
    }

    const std::unique_ptr<Transport> transport;
    FileSender* const file_sender = dynamic_cast<FileSender*>(transport.get());
    asio::steady_timer timer;
    std::array<Instant, 2> deadlines{Instant::max(), Instant::max()};
    std::function<Instant()> due;
    Instant armed_for = Instant::max();
    bool expired = false;
};

Connection::Connection(const Executor& executor, std::unique_ptr<Transport> transport)
    : impl_(std::make_shared<Impl>(executor, std::move(transport))) {}

Connection::~Connection() { impl_->close(); }

Task<error_code> Connection::connect(const sockaddr& address, socklen_t length) { return impl_->transport->connect(address, length); }
Task<error_code> Connection::open(Transport::Role role) { return impl_->transport->open(role); }
Task<Connection::Io> Connection::read_some(std::span<std::byte> buffer) { return impl_->transport->read_some(buffer); }
Task<Connection::Io> Connection::write_some(Parts parts) { return impl_->transport->write_some(parts); }
Connection::Io Connection::try_write(Parts parts) { return impl_->transport->try_write(parts); }
FileSender* Connection::file_sender() const { return impl_->file_sender; }

void Connection::set_deadline(Side side, Instant deadline) {
    impl_->deadlines[static_cast<std::size_t>(side)] = deadline;
    impl_->arm();
}

void Connection::set_due(std::function<Instant()> due) { impl_->due = std::move(due); }

void Connection::expect_progress(Side side) {
    if (stall_limit_ > Duration::zero()) set_deadline(side, steady_now() + stall_limit_);
}

void Connection::rest(Side side) {
    if (stall_limit_ > Duration::zero()) set_deadline(side, Instant::max());
}

void Connection::cut() { impl_->cut(); }
void Connection::close() { impl_->close(); }

Descriptor Connection::release() {
    Descriptor socket = impl_->transport->release();
    impl_->disarm();
    return socket;
}

bool Connection::is_open() const { return impl_->transport->is_open(); }
bool Connection::expired() const { return impl_->expired; }
bool Connection::has_hung_up() const { return impl_->transport->has_hung_up(); }
bool Connection::is_silent() const { return impl_->transport->is_silent(); }
std::string Connection::peer() const { return impl_->transport->peer(); }
bool Connection::is_secure() const { return impl_->transport->is_secure(); }
std::string Connection::peer_node() const { return impl_->transport->peer_node(); }

Task<void> Connection::close_gently() {
    set_deadline(Side::read, steady_now() + kCloseTimeMax);
    set_deadline(Side::write, Instant::max());
    co_await impl_->transport->end_sending();
    std::array<std::byte, 4096> discarded;
    for (;;) {
        const auto [failure, count] = co_await read_some(discarded);
        if (failure) break;
    }
    close();
}

Error Connection::error(std::string_view action, const error_code& code) const {
    if (impl_->expired) return fail(Code::timed_out, std::string(action) + ": the deadline passed");
    if (code == asio::error::operation_aborted && impl_->transport->is_open()) {
        return fail(Code::cancelled, std::string(action) + ": cancelled");
    }
    const bool ended = code == asio::error::eof || code == asio::error::connection_reset || code == asio::error::broken_pipe;
    const std::string why = code == asio::error::eof || !impl_->transport->is_open() ? "the connection was closed" : code.message();
    return fail(ended ? Code::incomplete_body : Code::unavailable, std::string(action) + ": " + why);
}

}  // namespace millrace::http
