// Puts objects straight onto the targets that own them, one request each; follows the cluster map as it changes.
//
// On the session's executor only; any number of puts at once.
#pragma once
#include <memory>
#include <set>
#include <string>

#include "cli/local_body.h"
#include "cli/owner_map.h"
#include "cli/session.h"

namespace millrace::cli {

class Uploader {
public:
    Uploader(Session& session, std::string bucket);

    // Tried up to five times, with the newest map, where a later try may succeed: target gone, restarting or not the
    // owner. A target that all five could not reach gets one try per object until it answers again.
    Task<Result<void>> put(std::string name, LocalBody body);
    // Whether the cluster map was ever fetched.
    bool knows_cluster() const { return map_ != nullptr; }

private:
    Task<Result<void>> refresh_map();
    Task<Result<void>> put_once(const std::string& name, const LocalBody& body, TargetId& owner);

    Session& session_;
    std::string bucket_;
    std::shared_ptr<const OwnerMap> map_;  // null before the first put
    std::set<TargetId> given_up_;
};

}  // namespace millrace::cli
