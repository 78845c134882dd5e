// A transform that is served by tests/support/echo_server.py.
#pragma once
#include <csignal>
#include <future>

#include "fixture.h"

namespace millrace::runtime {

class ProcessTest : public InstanceTest {
protected:
    static TransformSpec server_spec() {
        TransformSpec spec;
        spec.name = "a-server";
        spec.kind = Kind::process;
        spec.argv = {"/usr/bin/python3", "-S", MILLRACE_ECHO_SERVER};
        spec.init_timeout_ms = milliseconds(20'000);
        return spec;
    }
};

}  // namespace millrace::runtime
