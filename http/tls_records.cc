#include "http/tls_records.h"

#include <algorithm>
#include <cstring>

#include "core/check.h"

namespace millrace::http {
namespace {

constexpr std::size_t kReceivedMax = 64 * 1024;

TlsRecords& records_of(BIO* bio) { return *static_cast<TlsRecords*>(::BIO_get_data(bio)); }

}  // namespace

int TlsRecords::read(BIO* bio, char* to, std::size_t room, std::size_t* count) {
    TlsRecords& records = records_of(bio);
    BIO_clear_retry_flags(bio);
    if (!records.has_received()) {
        BIO_set_retry_read(bio);
        return 0;
    }
    *count = std::min(room, records.received_ - records.taken_);
    std::memcpy(to, records.incoming_.get() + records.taken_, *count);
    records.taken_ += *count;
    return 1;
}

int TlsRecords::write(BIO* bio, const char* from, std::size_t size, std::size_t* count) {
    TlsRecords& records = records_of(bio);
    BIO_clear_retry_flags(bio);
    const auto* const bytes = reinterpret_cast<const std::byte*>(from);
    records.added_.insert(records.added_.end(), bytes, bytes + size);
    *count = size;
    return 1;
}

long TlsRecords::control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

BIO_METHOD* TlsRecords::method() {
    static BIO_METHOD* const method = [] {
        BIO_METHOD* const made = ::BIO_meth_new(::BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "records in memory");
        MILLRACE_CHECK(made != nullptr);
        ::BIO_meth_set_read_ex(made, read);
        ::BIO_meth_set_write_ex(made, write);
        ::BIO_meth_set_ctrl(made, control);
        return made;
    }();
    return method;
}

BIO* TlsRecords::make_bio() {
    BIO* const bio = ::BIO_new(method());
    MILLRACE_CHECK(bio != nullptr);
    ::BIO_set_data(bio, this);
    ::BIO_set_init(bio, 1);
    return bio;
}

std::span<std::byte> TlsRecords::room() {
    MILLRACE_CHECK(!has_received());
    if (!incoming_) incoming_ = std::make_unique_for_overwrite<std::byte[]>(kReceivedMax);
    received_ = taken_ = 0;
    return {incoming_.get(), kReceivedMax};
}

void TlsRecords::received(std::size_t count) { received_ = count; }

std::span<const std::byte> TlsRecords::unsent() {
    if (sent_ == outgoing_.size()) {
        outgoing_.clear();
        std::swap(outgoing_, added_);
        sent_ = 0;
    }
    return std::span<const std::byte>(outgoing_).subspan(sent_);
}

}  // namespace millrace::http
