// What a target does so that it has what a catalog says: from what it knows of itself and what is wanted to steps, and from what became of them
// to what it knows then. Three steps, each after the outcomes of the one before; an entry that cannot be as wanted holds up no other. Pure.
//
// Buckets go only when the catalog says that this very bucket was destroyed; data is never removed because an entry is missing. A bucket that
// the catalog does not know any more (of a folder from an older copy) makes way for one of its name, and is kept under another.
#pragma once
#include <string>
#include <vector>

#include "store/object_store.h"
#include "wire/messages.h"

namespace millrace::worker {

class CatalogPlan {
public:
    CatalogPlan(wire::Catalog known, wire::Catalog wanted) : known_(std::move(known)), wanted_(std::move(wanted)) {}

    // 1. Of known buckets, by uid.
    std::vector<std::string> destructions() const;
    // name: that it had; empty: it was not here.
    void destroyed(const std::string& uid, const std::string& name, const Result<void>& outcome);
    // 2. All at once, so that names can be exchanged.
    std::vector<store::BucketRenaming> renamings() const;
    void renamed(const std::vector<store::BucketRenaming>& renamings, const Result<void>& outcome);
    // 3. Those that should be here, or are. Known from then on: one may come to be here although its creation says otherwise.
    std::vector<wire::BucketEntry> creations();
    // Whether known() is to be written down before they are created: a crash in between must not take a bucket that comes for one of its name
    // that went, nor leave one that nobody knows, which a later catalog renames or destroys.
    bool knows_otherwise() const { return knows_otherwise_; }
    void created(const wire::BucketEntry& bucket, const Result<void>& outcome);
    // After the third step: the rest of the catalog is known, too.
    void finish();

    bool is_wanted(const std::string& uid) const;
    const wire::Catalog& wanted() const { return wanted_; }
    const wire::Catalog& known() const { return known_; }
    const std::vector<wire::CatalogProblem>& problems() const { return problems_; }

private:
    bool is_destroyed(const std::string& uid) const;

    wire::Catalog known_;
    const wire::Catalog wanted_;
    bool knows_otherwise_ = false;
    std::vector<wire::CatalogProblem> problems_;
};

}  // namespace millrace::worker
