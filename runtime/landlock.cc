#include "runtime/landlock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "core/whole_number.h"

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#endif

namespace millrace::runtime {
namespace {

// The kernel's interface, written out: its headers here may be older than the kernel.
constexpr std::uint64_t kExecute = 1u << 0;
constexpr std::uint64_t kWriteFile = 1u << 1;
constexpr std::uint64_t kReadFile = 1u << 2;
constexpr std::uint64_t kReadFolder = 1u << 3;
constexpr std::uint64_t kFirstRights = (1u << 13) - 1;
constexpr std::uint64_t kMakeDevices = (1u << 6) | (1u << 11);
constexpr std::uint64_t kRefer = 1u << 13;      // ABI 2: move to another folder
constexpr std::uint64_t kTruncate = 1u << 14;   // ABI 3
constexpr std::uint64_t kDeviceIoctl = 1u << 15;  // ABI 5
constexpr std::uint64_t kFileRights = kExecute | kWriteFile | kReadFile | kTruncate | kDeviceIoctl;
constexpr std::uint64_t kBindAndConnectTcp = 3;   // ABI 4
constexpr std::uint64_t kAbstractSocketsAndSignals = 3;  // ABI 6
constexpr unsigned kAskVersion = 1;
constexpr int kPathBeneath = 1;

struct RulesetAttributes {
    std::uint64_t files;
    std::uint64_t network;  // from ABI 4 on
    std::uint64_t scoped;   // from ABI 6 on
};

struct [[gnu::packed]] PathBeneath {
    std::uint64_t allowed;
    std::int32_t parent;
};

std::size_t attribute_bytes(int abi) { return abi >= 6 ? 24 : abi >= 4 ? 16 : 8; }

}  // namespace

int landlock_abi() {
    const long known = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, kAskVersion);
    if (known <= 0) return 0;
    const char* const pretended = std::getenv("MILLRACE_LANDLOCK_ABI");
    const int most = pretended == nullptr ? static_cast<int>(known) : parse_whole<int>(pretended).value_or(static_cast<int>(known));
    return std::clamp(most, 0, static_cast<int>(known));
}

std::uint64_t handled_rights(int abi) {
    std::uint64_t rights = abi >= 1 ? kFirstRights : 0;
    if (abi >= 2) rights |= kRefer;
    if (abi >= 3) rights |= kTruncate;
    if (abi >= 5) rights |= kDeviceIoctl;
    return rights;
}

std::uint64_t rights_of(FileAccess access, bool is_folder, int abi) {
    std::uint64_t rights = kExecute | kReadFile | kReadFolder;
    if (access == FileAccess::write) rights = (kFirstRights & ~kMakeDevices) | kRefer | kTruncate;
    if (access == FileAccess::device) rights = kReadFile | kWriteFile | kTruncate;
    return rights & handled_rights(abi) & (is_folder ? ~std::uint64_t{0} : kFileRights);
}

Result<ListedPath> listed_path(const std::string& path, FileAccess access) {
    ListedPath listed{Descriptor(::open(path.c_str(), O_PATH | O_CLOEXEC)), false, access};
    struct stat info {};
    if (!listed.file.is_open() || ::fstat(listed.file.get(), &info) < 0) return errno_error("cannot open " + path + " for a sandbox", errno);
    listed.is_folder = S_ISDIR(info.st_mode);
    return listed;
}

Result<LandlockList> LandlockList::make(int abi, bool closes_tcp) {
    const RulesetAttributes attributes{handled_rights(abi), closes_tcp && abi >= 4 ? kBindAndConnectTcp : 0, abi >= 6 ? kAbstractSocketsAndSignals : 0};
    Descriptor ruleset(static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, attribute_bytes(abi), 0)));
    if (!ruleset.is_open()) return errno_error("cannot make a Landlock ruleset", errno);
    return LandlockList(abi, std::move(ruleset));
}

Result<void> LandlockList::allow(const ListedPath& path) {
    const PathBeneath rule{rights_of(path.access, path.is_folder, abi_), path.file.get()};
    if (::syscall(SYS_landlock_add_rule, ruleset_.get(), kPathBeneath, &rule, 0) == 0) return {};
    return errno_error("cannot add a path to a Landlock ruleset", errno);
}

}  // namespace millrace::runtime
