// What the sandboxed children of a target see of the machine: namespaces of mounts and of network, made once, which each child enters.
//
// The view of mounts is that of this process, except: the way to the run folder can be passed by every user, and nothing else lies beside
// it, so that the rest of the target's folder is not there; /run is empty; /proc shows a user its own processes. The network has nothing in
// it. Needs CAP_SYS_ADMIN. Any thread.
#pragma once
#include <string>

#include "core/descriptor.h"
#include "core/result.h"

namespace millrace::runtime {

struct SandboxView {
    Descriptor mounts;   // names of namespaces, for setns()
    Descriptor network;
    Descriptor processes;  // O_PATH: its /proc
};

// run_folder: absolute, exists, and stays the same folder. Costs a short-lived thread.
Result<SandboxView> make_sandbox_view(const std::string& run_folder);

// The first folder on the way to it, itself not counted, that only its owner passes; empty: everybody passes all of them.
std::string first_private_folder(const std::string& path);

}  // namespace millrace::runtime
