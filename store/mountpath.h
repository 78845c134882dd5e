// A folder on one disk that holds large objects. It carries its identity in a file, so that mountpaths may be reordered
// or moved, and a disk that is not mounted or belongs to another node is noticed before anything is written.
//
// Below it: `mountpath` (identity), `tmp/` (being written) and `spare/` (to be written over), both emptied at start, `objects/` (published),
// `drafts/` (pieces of objects that are still to be published).
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "state/kv.h"
#include "store/file_io.h"
#include "store/object_record.h"
#include "store/spare_files.h"

namespace millrace::store {

struct Mountpath {
    std::string id;
    std::string folder;
    std::uint64_t device = 0;  // of the file system it lies on

    std::string objects_folder() const { return folder + "/objects"; }
    std::string drafts_folder() const { return folder + "/drafts"; }
    std::string temp_folder() const { return folder + "/tmp"; }
    std::string spare_folder() const { return folder + "/spare"; }
};

// Fixed after open(). Any thread.
class Mountpaths {
public:
    // Opens or creates each and empties its tmp/. Code::conflict: the folder belongs to another store, or was a mountpath of
    // this one and has lost its identity (a disk that is not mounted). A known mountpath that is not given is only logged.
    static Result<Mountpaths> open(const std::vector<std::string>& folders, state::Kv& kv);

    // A new file, or one that is written over.
    Result<TempFile> create_temp(const Mountpath& mountpath) const;
    // Of a file that no object needs any more: it goes, and may be written over.
    Result<void> give_up(const FileLocation& location) const;
    // To be called every few seconds: frees what is kept to be written over, where that takes long to come or the disk gets full.
    void tend_spares() const;
    // Frees all of it there. False: there was nothing.
    bool drop_spares(const Mountpath& mountpath) const;
    // See TempFile::link().
    Result<TempFile> link_temp(const Mountpath& mountpath, const std::string& file) const;
    // Everything written below any of them becomes durable against power loss: one syncfs() per file system.
    Result<void> sync() const;

    // By rendezvous hashing over the mountpaths' ids.
    const Mountpath& choose(std::string_view object_key) const;
    const std::vector<Mountpath>& all() const { return all_; }
    // Null when it is not among those given.
    const Mountpath* find(std::string_view id) const;
    // The path of a file; Code::unavailable when its mountpath is not among those given.
    Result<std::string> path_of(const FileLocation& location) const;

private:
    std::vector<Mountpath> all_;  // not empty
    std::map<std::string, std::unique_ptr<SpareFiles>, std::less<>> spares_;  // by the mountpath's id
};

}  // namespace millrace::store
