// Folders ("shelves") for the files of one bucket on one mountpath. Every version of every object gets a path that was
// never used before and never will be, ends in the object's own basename, and does not cost a folder per object.
//
// A shelf has a number that is never reused and takes a bounded count of files with different basenames; which basenames
// it holds is known in memory, because after a restart old shelves get no new files. Any thread.
#pragma once
#include <array>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_set>

#include "core/result.h"
#include "store/sequence.h"

namespace millrace::store {

class Shelves {
public:
    explicit Shelves(Sequence& sequence) : sequence_(sequence) {}

    // "<hh>/<shelf>/<basename>": hh spreads the shelves over 256 folders.
    Result<std::string> place(std::string_view object_name);

private:
    struct Shelf {
        std::string folder;
        std::unordered_set<std::string> basenames;
    };

    Sequence& sequence_;
    std::mutex mutex_;
    std::array<Shelf, 4> open_;  // several, so that threads and equal basenames do not meet in one
    std::size_t turn_ = 0;
};

// The last path component; when it is longer than file systems allow, a hash of it that keeps a short extension.
std::string file_basename(std::string_view object_name);

}  // namespace millrace::store
