// Who makes a request, as the node that it reached has found out. Any thread; never changes.
#pragma once
#include <memory>
#include <string>

#include "auth/grants.h"
#include "http/server.h"

namespace millrace::auth {

class Caller {
public:
    enum class Kind {
        nobody,   // has shown nothing
        anybody,  // has shown nothing where nobody is asked: whoever reaches the node
        user,     // has shown a token
        sent,     // comes with the ticket of a node that has found out
        node,     // a target, or the proxy
    };

    static Caller nobody() { return {Kind::nobody, "nobody", {}}; }
    static Caller anybody() { return {Kind::anybody, "anybody", Grants::all()}; }
    static Caller user(std::string subject, Grants grants) { return {Kind::user, std::move(subject), std::move(grants)}; }
    // For this request it may what the node that sent it has checked.
    static Caller sent(std::string subject) { return {Kind::sent, std::move(subject), {}}; }
    // id: of the target; empty: the proxy.
    static Caller node(const std::string& id) {
        Caller caller(Kind::node, id.empty() ? "proxy" : "target " + id, Grants::all());
        caller.node_ = id;
        return caller;
    }

    Kind kind() const { return kind_; }
    bool is_node() const { return kind_ == Kind::node; }
    const std::string& node() const { return node_; }  // of a node: the target's id; empty: the proxy
    const std::string& subject() const { return subject_; }
    const Grants& grants() const { return grants_; }

    // Code::permission says what is missing, and what to do.
    Result<void> check(Right right, std::string_view bucket) const;
    Result<void> check_somewhere(Right right) const;
    Result<void> check_everywhere(Right right) const;

private:
    Caller(Kind kind, std::string subject, Grants grants) : kind_(kind), subject_(std::move(subject)), grants_(std::move(grants)) {}
    Result<void> lacks(Right right, std::string_view where) const;

    Kind kind_;
    std::string subject_;
    std::string node_;
    Grants grants_;
};

// Of a request that a gate has let in; nobody, of one that passed none.
const Caller& caller_of(const http::Request& request);

}  // namespace millrace::auth
