// The keys of a specification that stand beside the way in which the transform is given. Pure.
#pragma once
#include <string>

#include "spec/spec_reader.h"
#include "spec/transform_spec.h"

namespace millrace::spec {

// The top-level keys, read over what the spec already says; its kind must be known. Keys that mean nothing for the kind are
// refused, or warned about where ignoring them changes no result.
Result<void> read_settings(SpecReader& document, TransformSpec& spec);

// One of "hpush://", "hpull://", "ws://", "stream://". Leaves `out` alone when the key is absent.
Result<void> read_communication(SpecReader& reader, const std::string& key, Communication& out);
// Kubernetes' ResourceRequirements below `resources`.
Result<void> read_resources(SpecReader& reader, TransformSpec& spec);
Result<void> read_image(SpecReader& reader, Container& container);
Result<void> read_port(SpecReader& reader, const std::string& key, Container& container);
Result<void> read_absolute_path(SpecReader& reader, const std::string& key, std::string& out);

// What does not go together, once what it depends on is read; the error stands at `key` of the reader.
Result<void> check_communication(const SpecReader& reader, const std::string& key, const TransformSpec& spec);
// AIStore's way to ask for `file_paths`: the variable ETL_DIRECT_FQN.
void apply_variables(TransformSpec& spec);

}  // namespace millrace::spec
