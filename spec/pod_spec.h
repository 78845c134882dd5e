// AIStore's older specification: a Kubernetes pod of one container. What else a pod can say means nothing to a transform and
// is warned about. Pure.
#pragma once
#include "spec/spec_reader.h"
#include "spec/transform_spec.h"

namespace millrace::spec {

// Reads a pod into an oci spec. Of a pod inside of a message, the message says how it communicates if `is_wrapped`: then the
// annotation for that is not looked at.
Result<void> read_pod(SpecReader& pod, bool is_wrapped, TransformSpec& spec);

}  // namespace millrace::spec
