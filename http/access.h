// Who a route is for: auth/doorkeeper.h asks. No route comes to be without it.
#pragma once

namespace millrace::http {

enum class Access {
    anyone,    // whether a node is well
    read,      // objects, and what there is to know of buckets, jobs, transforms and nodes
    write,     // objects and buckets
    run,       // jobs and transforms
    manage,    // the cluster
    by_body,   // that depends on its body: the handler asks (auth/caller.h)
    node,      // the proxy and targets among themselves
    instance,  // a transform that the target runs, about the object that it was given, by a door that is only for it
};

}  // namespace millrace::http
