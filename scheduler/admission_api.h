// The routes by which nodes come to take part, and cease to (API.md). Control loop.
#pragma once
#include <string>

#include "http/router.h"
#include "scheduler/admission_service.h"

namespace millrace::scheduler {

class AdmissionApi {
public:
    // admission: nullptr where the control plane is not protected; every route says so then.
    AdmissionApi(AdmissionService* admission, std::string proxy_key) : admission_(admission), proxy_key_(std::move(proxy_key)) {}
    void add_routes(http::Router& router);
    // Where new nodes find this proxy. On the control loop; until then nobody is invited.
    void serves_at(std::string http, std::string control) {
        http_ = std::move(http);
        control_ = std::move(control);
    }

private:
    Task<Result<void>> keys(http::Response& response);
    Task<Result<void>> invite(http::Request& request, http::Response& response);
    Task<Result<void>> join(http::Request& request, http::Response& response);
    Task<Result<void>> revoke(http::Response& response, const std::string& node);
    Result<void> check_is_protected() const;

    AdmissionService* const admission_;
    const std::string proxy_key_;
    std::string http_;
    std::string control_;
};

}  // namespace millrace::scheduler
