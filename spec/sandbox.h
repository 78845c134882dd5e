// The key `sandbox`: what a command may do beyond its own folder. Pure.
#pragma once
#include "spec/spec_reader.h"
#include "spec/transform_spec.h"

namespace millrace::spec {

// `off`, `on`, or a mapping of what is opened. Leaves `out` alone when the key is absent.
Result<void> read_sandbox(SpecReader& document, SandboxSpec& out);

}  // namespace millrace::spec
