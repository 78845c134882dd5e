// An output of a job on its way to the target that owns its name: whose it is, and from what it was made.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "core/ids.h"
#include "store/object_store.h"

namespace millrace::worker {

struct JobPut {
    JobId job;
    TargetId slice;           // the target that ran the transform
    std::uint64_t fence = 0;  // fences.h
    store::Provenance provenance;
    std::map<std::string, std::string> custom{};  // metadata that a copy keeps
    std::string bucket_uid{};                     // of the destination; empty: whatever has its name
    std::optional<std::uint64_t> checksum{};      // of the content, where it is known before; goes out as for any put
};

}  // namespace millrace::worker
