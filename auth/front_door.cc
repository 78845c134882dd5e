#include "auth/front_door.h"

namespace millrace::auth {

Result<std::unique_ptr<FrontDoor>> FrontDoor::open(FrontDoorOptions options) {
    std::unique_ptr<FrontDoor> door(new FrontDoor(std::move(options)));
    if (!door->options_.auth_key.empty()) {
        MILLRACE_TRY_ASSIGN(door->tokens_, KeyFile::open(door->options_.auth_key));
    }
    if (door->tokens_ || door->options_.notes_all) {
        MILLRACE_TRY_ASSIGN(door->audit_, AuditLog::open(door->options_.dir + "/audit.log"));
    }
    return door;
}

void FrontDoor::guard(http::Router& router, std::shared_ptr<const NodeKeys> nodes) {
    keeper_ = std::make_unique<Doorkeeper>(http::PageGuard::of_node(options_.host, options_.advertise, options_.hosts), tokens_, std::move(nodes));
    router.set_gate([this](http::Request& request, const http::Router::Entry& route, const http::PathParameters& parameters) {
        return keeper_->admit(request, route, parameters);
    });
    if (!audit_) return;
    router.set_witness([this](const http::Request& request, const http::Router::Entry& route, int status) { audit_->note(request, route, status); });
}

}  // namespace millrace::auth
