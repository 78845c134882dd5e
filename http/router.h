// Which handler answers which method and path. Built before serving, then read-only: any thread.
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/access.h"
#include "http/refusal.h"
#include "http/server.h"

namespace millrace::http {

// The parts of the path that the pattern names, percent-decoded.
using PathParameters = std::map<std::string, std::string, std::less<>>;
// Answers, or says why it cannot: the router answers with that, unless the response has begun, which cuts it.
using RouteHandler = std::function<Task<Result<void>>(Request&, Response&, const PathParameters&)>;

class Router {
public:
    // Pattern: "/v1/jobs/{id}/errors"; a last "{name...}" takes the rest of the path, slashes included.
    // A pattern may end in one condition on the query, "?what=smap" or "?what" (there, whatever its value).
    // More literal patterns win over parameters, those with a condition over those without. A GET handler also answers HEAD
    // where no other does. A slash at the end of the path makes no difference, except to "{name...}".
    void add(std::string_view method, std::string_view pattern, Access access, RouteHandler handler);
    // Every route: what it was added with.
    struct Entry {
        std::string method;
        std::string pattern;
        Access access;
    };
    std::vector<Entry> entries() const;
    // Asked before any handler; once, before serving. It may refuse what it is shown.
    using Gate = std::function<std::optional<Refusal>(Request&, const Entry&, const PathParameters&)>;
    void set_gate(Gate gate) { gate_ = std::move(gate); }
    // Told of every request that a handler has answered, and with which status; set once, before serving.
    using Witness = std::function<void(const Request&, const Entry&, int status)>;
    void set_witness(Witness witness) { witness_ = std::move(witness); }
    // 404 for an unknown path, 405 with Allow for a known path with another method, 400 for a bad escape, and for a PUT of a part only.
    Task<void> handle(Request& request, Response& response) const;

private:
    struct Route;
    Task<void> run(const Route& route, Request& request, Response& response, const PathParameters& parameters) const;

    struct Route {
        Entry entry;
        std::vector<std::string> segments;
        std::string query_key;    // empty: no condition
        std::string query_value;  // empty: any
        RouteHandler handler;
    };
    std::vector<Route> routes_;
    Gate gate_;
    Witness witness_;
};

}  // namespace millrace::http
