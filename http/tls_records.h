// Where OpenSSL takes records from and puts them to: memory, between it and the transport below. OpenSSL's own memory BIO clears what it grows
// by and copies each byte twice; this one copies once.
//
// One executor (one thread) only.
#pragma once
#include <openssl/bio.h>

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace millrace::http {

class TlsRecords {
public:
    TlsRecords() = default;
    TlsRecords(const TlsRecords&) = delete;
    TlsRecords& operator=(const TlsRecords&) = delete;

    // For SSL_set_bio(), as both of its ends; the SSL owns it, and must not outlive this.
    BIO* make_bio();

    // From the peer. Requires that all that was received is taken; a read that waits for more does.
    std::span<std::byte> room();
    void received(std::size_t count);
    bool has_received() const { return taken_ < received_; }

    // For the peer. Stays where it is until all of it is sent, whatever OpenSSL adds meanwhile.
    std::span<const std::byte> unsent();
    void sent(std::size_t count) { sent_ += count; }

private:
    static int read(BIO* bio, char* to, std::size_t room, std::size_t* count);
    static int write(BIO* bio, const char* from, std::size_t size, std::size_t* count);
    static long control(BIO* bio, int command, long number, void* pointer);
    static BIO_METHOD* method();

    std::unique_ptr<std::byte[]> incoming_;
    std::size_t received_ = 0;  // of these
    std::size_t taken_ = 0;     // of what was received
    std::vector<std::byte> added_;
    std::vector<std::byte> outgoing_;
    std::size_t sent_ = 0;  // of these
};

}  // namespace millrace::http
