// How many connections each peer has, so that one of them cannot take them all. Any thread.
#pragma once
#include <cstddef>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace millrace::http {

// Of "10.0.0.7:51200" the address; of "[2001:db8:1:2:3::4]:51200" the first 64 bits, which one machine has for itself.
std::string peer_of(std::string_view address_and_port);

class PeerCounts {
public:
    // A connection of a peer, counted as long as this lives.
    class Counted {
    public:
        Counted(PeerCounts& counts, std::string peer);
        ~Counted();
        Counted(const Counted&) = delete;
        Counted& operator=(const Counted&) = delete;
        std::size_t number() const { return number_; }  // of the peer's connections when this one came, with it

    private:
        PeerCounts& counts_;
        const std::string peer_;
        std::size_t number_ = 0;
    };

private:
    std::mutex mutex_;
    std::map<std::string, std::size_t, std::less<>> counts_;  // guarded by mutex_; of peers that have some
};

}  // namespace millrace::http
