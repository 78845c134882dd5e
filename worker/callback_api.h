// What the servers of transforms ask of their target, as AIStore's do: the objects of this target, and places for results. Each
// server reaches this, and nothing else, by a door of its own on the loopback, or in its network: never by that of users.
//
//   GET, HEAD /v1/etl/_object/TRANSFORM/SECRET/UNAME             the object, whole or a range
//   PUT       /v1/etl/_object/TRANSFORM/SECRET/UNAME?uuid=TOKEN  the result of the object that was given out with this token
//
// Handlers run on the lane of the connection.
#pragma once
#include <memory>
#include <string>

#include "http/router.h"
#include "runtime/direct_put.h"
#include "worker/object_api.h"
#include "worker/transform_table.h"

namespace millrace::worker {

class CallbackApi {
public:
    CallbackApi(ObjectApi& objects, const TransformTable& transforms, std::shared_ptr<runtime::DirectPuts> direct_puts);

    void add_routes(http::Router& router);

private:
    using Parameters = http::PathParameters;
    Task<Result<void>> get(http::Request& request, http::Response& response, const Parameters& path);
    Task<Result<void>> put(http::Request& request, http::Response& response, const Parameters& path);
    // Code::not_found for a transform that is not here, invalid_argument for a wrong secret.
    Result<void> check(const Parameters& path) const;

    ObjectApi& objects_;
    const TransformTable& transforms_;
    const std::shared_ptr<runtime::DirectPuts> direct_puts_;
};

}  // namespace millrace::worker
