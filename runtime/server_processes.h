// Whether a process that may have been sending an answer broke off. An answer that did not say how long it is ends with its
// connection, and so does one whose sender was killed in the middle of it.
//
// Knows the processes that a server has started, such as its workers, by looking at them now and then. Any thread.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/descriptor.h"
#include "core/task.h"

namespace millrace::runtime {

// It is about to end: its connections are closed before anybody is told of its end.
bool is_ending(pid_t pid);

class ServerProcesses {
public:
    // The server's own process, of whose end others tell. Before everything else.
    void set_root(pid_t root) { root_ = root; }
    pid_t root() const { return root_; }

    // Learns of the processes that are there by now.
    void look();
    // How many have broken off as far as is known: to be compared with later.
    std::uint64_t broken_off();
    // How one of more than `before` did; waits a moment for those that are about to end. nullopt: none did.
    Task<std::optional<std::string>> broke_off_since(std::uint64_t before);

private:
    struct Member {
        pid_t pid = 0;
        Descriptor pidfd;
    };
    // Takes those that have ended out of the books.
    void settle();

    pid_t root_ = 0;
    std::mutex mutex_;
    std::vector<Member> members_;   // guarded by mutex_, as all below; bounded
    std::uint64_t broken_off_ = 0;
    std::string how_;               // the last of them
};

}  // namespace millrace::runtime
