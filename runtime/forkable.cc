#include "runtime/forkable.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <optional>
#include <span>

#include "core/descriptor.h"


namespace millrace::runtime {
namespace fs = std::filesystem;
namespace {

constexpr const char* kLibraryName = "libmillrace_fork.so";
constexpr std::size_t kProgramHeadersMax = 128;
constexpr std::size_t kPathBytesMax = 4096;

using Header = ElfW(Ehdr);
using ProgramHeader = ElfW(Phdr);

template <class T>
bool read_at(const Descriptor& file, T* to, std::size_t count, std::uint64_t offset) {
    const auto bytes = static_cast<ssize_t>(count * sizeof(T));
    return ::pread(file.get(), to, static_cast<std::size_t>(bytes), static_cast<off_t>(offset)) == bytes;
}

// The dynamic linker that an ELF file names; "" for a file without one.
std::string interpreter(const Descriptor& file, const Header& header) {
    std::array<ProgramHeader, kProgramHeadersMax> headers;
    const std::size_t count = header.e_phnum;
    if (count > headers.size() || header.e_phentsize != sizeof(ProgramHeader) || !read_at(file, headers.data(), count, header.e_phoff)) return "";
    for (const ProgramHeader& segment : std::span(headers.data(), count)) {
        if (segment.p_type != PT_INTERP || segment.p_filesz > kPathBytesMax) continue;
        std::string path(segment.p_filesz, '\0');
        if (!read_at(file, path.data(), path.size(), segment.p_offset)) return "";
        return path.c_str();
    }
    return "";
}

std::optional<Header> own_header() {
    const Descriptor self(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
    Header header;
    if (!self.is_open() || !read_at(self, &header, 1, 0)) return std::nullopt;
    return header;
}

bool is_of_this_machine(const Header& header) {
    static const std::optional<Header> own = own_header();
    return own && header.e_machine == own->e_machine && header.e_ident[EI_CLASS] == own->e_ident[EI_CLASS];
}

bool is_ours(const std::string& variable) {
    constexpr std::array<std::string_view, 2> kNames{"LD_PRELOAD=", "MILLRACE_FORK_PARENT="};
    return std::ranges::any_of(kNames, [&](std::string_view name) { return variable.starts_with(name); });
}

}  // namespace

std::string fork_obstacle(const std::string& file, const std::vector<std::string>& env, const std::string& library) {
    if (library.empty()) return std::string("the library ") + kLibraryName + " is not beside this executable";
    if (library.find_first_of(" :") != library.npos) return "the path of the library, " + library + ", has a space or a colon";
    if (::access(library.c_str(), R_OK) < 0) return "the library " + library + " cannot be read";
    if (std::ranges::any_of(env, is_ours)) return "its environment sets LD_PRELOAD";
    const Descriptor program(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat info {};
    if (!program.is_open() || ::fstat(program.get(), &info) < 0) return "the program cannot be read";
    Header header;
    if (!read_at(program, &header, 1, 0) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return "the program is a script";
    if (!is_of_this_machine(header)) return "the program is of another machine";
    const bool has_privileges = (info.st_mode & (S_ISUID | S_ISGID)) != 0 || ::fgetxattr(program.get(), "security.capability", nullptr, 0) > 0;
    if (has_privileges) return "the program has privileges of its own";
    const std::string linker = interpreter(program, header);
    if (linker.empty()) return "the program is linked statically";
    if (!fs::path(linker).filename().string().starts_with("ld-linux")) return "the program's C library is not glibc: " + linker;
    return "";
}

std::string find_fork_library() {
    std::error_code error;
    const fs::path folder = fs::read_symlink("/proc/self/exe", error).parent_path();
    for (const fs::path& place : {folder / kLibraryName, folder.parent_path() / "lib/millrace" / kLibraryName}) {
        if (!error && fs::exists(place, error)) return place.string();
    }
    return "";
}

}  // namespace millrace::runtime
