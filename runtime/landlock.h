// Landlock, by which a process gives up files and networks that are not listed: the list is made beforehand, and entered by a child with one
// system call (`runtime/child_setup.h`). Any thread.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <string>

#include "core/descriptor.h"
#include "core/result.h"

namespace millrace::runtime {

// How much of it this kernel knows: 1 to 7 so far; 0: nothing. MILLRACE_LANDLOCK_ABI pretends that it is less, for tests.
int landlock_abi();

enum class FileAccess {
    read,   // and execute
    write,  // and read, make, remove
    device, // read and write what is there
};

// A file or folder that lists refer to, whatever is put in its place later.
struct ListedPath {
    Descriptor file;  // O_PATH
    bool is_folder = false;
    FileAccess access = FileAccess::read;
};
// Code::not_found when there is none.
Result<ListedPath> listed_path(const std::string& path, FileAccess access);

// A list; whoever enters it is left with what was allowed, as far as the ABI can express it.
class LandlockList {
public:
    // closes_tcp: no TCP at all, from ABI 4 on. From ABI 6 on nobody who enters reaches abstract sockets of others, or signals them.
    static Result<LandlockList> make(int abi, bool closes_tcp);

    Result<void> allow(const ListedPath& path);
    Descriptor release() { return std::move(ruleset_); }

private:
    LandlockList(int abi, Descriptor ruleset) : abi_(abi), ruleset_(std::move(ruleset)) {}

    int abi_;
    Descriptor ruleset_;
};

// The rights that are refused unless they are allowed, and those that an access gives: bits of the kernel's interface. Pure.
std::uint64_t handled_rights(int abi);
std::uint64_t rights_of(FileAccess access, bool is_folder, int abi);

}  // namespace millrace::runtime
