// What stands before the routes of a node: who may come in, and the record of what they changed.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "auth/audit_log.h"
#include "auth/doorkeeper.h"

namespace millrace::auth {

struct FrontDoorOptions {
    std::string dir;      // of the node; the record is DIR/audit.log
    std::string host;     // as those below: of the configuration
    std::string advertise;
    std::vector<std::string> hosts;
    std::string auth_key;
    bool notes_all = true;  // not only where it is asked who somebody is
};

class FrontDoor {
public:
    // Errors name the file.
    static Result<std::unique_ptr<FrontDoor>> open(FrontDoorOptions options);
    // The routes are behind it from now on; it outlives them. Once, before what follows.
    void guard(http::Router& router, std::shared_ptr<const NodeKeys> nodes);
    void set_revoked(Revocations revoked) { keeper_->set_revoked(std::move(revoked)); }

private:
    explicit FrontDoor(FrontDoorOptions options) : options_(std::move(options)) {}

    const FrontDoorOptions options_;
    std::shared_ptr<KeyFile> tokens_;
    std::unique_ptr<Doorkeeper> keeper_;
    std::unique_ptr<AuditLog> audit_;
};

}  // namespace millrace::auth
