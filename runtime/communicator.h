// How objects travel through a running server: one implementation for each way of talking to it.
//
// A communicator belongs to one lane and to one life of a server; it is made, used, closed and destroyed on the lane's executor.
#pragma once
#include <memory>

#include "runtime/instance.h"
#include "runtime/server_facts.h"

namespace millrace::runtime {

class Communicator {
public:
    virtual ~Communicator() = default;  // requires close()

    // Feeds one object through; many may be on at once. Its failures are as Failure says. Of those that blame the transform:
    // Code::crashed when the server died, or cut a connection that carries several objects, before this one was answered (each
    // of those objects is a suspect, and is tried again alone); Code::timed_out for the object that used up its time, and only
    // for that one; Code::transient for what may pass.
    virtual Task<RunResult> run(const ObjectRun& object, Source& source, Sink& sink) = 0;
    // Breaks what is under way, whose runs end soon; returns when nothing of it runs any more.
    virtual Task<void> close() = 0;
};

// What all communicators of an instance share.
struct CommunicatorOptions {
    Executor lane;
    std::shared_ptr<DirectPuts> direct_puts;  // null: results come in the reply only
};

std::shared_ptr<Communicator> make_communicator(const TransformSpec& spec, const CommunicatorOptions& options,
                                                std::shared_ptr<ServerFacts> server);

}  // namespace millrace::runtime
