// Keeps web pages of others from using a node through the browser of somebody who can reach it.
//
// A page may send such a browser to any address (an image, a form, fetch), also to a name of its own that it has pointed at this machine
// meanwhile ("DNS rebinding"); it cannot choose the headers Host, Origin and Sec-Fetch-Site (Fetch standard, 2.2.2; W3C Fetch Metadata).
// Whoever is no browser sends no Origin, and a Host from the URL that it was given.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/access.h"
#include "http/refusal.h"
#include "http/server.h"

namespace millrace::http {

class PageGuard {
public:
    // names: hosts without a port, in any case, that this node is reached by. IP addresses and localhost need no entry: nobody else can own them.
    explicit PageGuard(std::vector<std::string> names);

    // Of a request for a route of that access: 403, or 415 for a body under a type that forms send. A question whether a node is well is never
    // refused. Any thread.
    std::optional<Refusal> refuse(const Request& request, Access access) const;
    // Of a node with this configuration: its names are what it listens on and is announced as, the machine's name, and those that were added.
    static PageGuard of_node(const std::string& host, const std::string& advertise, const std::vector<std::string>& added);

private:
    bool is_ours(std::string_view authority) const;

    std::vector<std::string> names_;
};

}  // namespace millrace::http
