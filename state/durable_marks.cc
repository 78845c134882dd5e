#include "state/durable_marks.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <optional>
#include <sstream>

#include "core/hash.h"

namespace millrace::state {
namespace {

constexpr std::string_view kFileName = "/durable";
constexpr std::string_view kMagic = "millrace-durable";
constexpr int kVersion = 1;
const std::string kUnknownBoot = "unknown";
// Two slots take turns, so that a write that a power cut tears leaves the one before.
constexpr std::size_t kSlotBytes = 4096;
constexpr std::size_t kSlots = 2;

struct Slot {
    std::uint64_t sequence = 0;
    std::string boot;
    std::map<std::string, std::uint64_t> marks;
};

// The kernel's, fresh at every start of the machine.
std::string boot_id() {
    std::ifstream file("/proc/sys/kernel/random/boot_id");
    std::string id;
    file >> id;
    return id.empty() ? kUnknownBoot : id;
}

std::string text_of(std::uint64_t sequence, const std::string& boot, const std::map<std::string, std::uint64_t>& marks) {
    constexpr std::size_t kSealBytes = 32;
    std::string text = std::string(kMagic) + " " + std::to_string(kVersion) + " " + std::to_string(sequence) + " " + boot + "\n";
    for (auto mark = marks.rbegin(); mark != marks.rend(); ++mark) {  // of too many the newest
        std::string line = mark->first + " " + std::to_string(mark->second) + "\n";
        if (text.size() + line.size() + kSealBytes > kSlotBytes) break;
        text += line;
    }
    text += "sum " + checksum_text(xxh64(text)) + "\n";
    text.resize(kSlotBytes, '\0');
    return text;
}

std::optional<Slot> parse(std::string_view text) {
    const std::size_t seal = text.rfind("sum ");
    if (seal == text.npos || !text.substr(seal).starts_with("sum " + checksum_text(xxh64(text.substr(0, seal))) + "\n")) return std::nullopt;
    std::istringstream words{std::string(text.substr(0, seal))};
    std::string word;
    int version = 0;
    Slot slot;
    if (!(words >> word >> version >> slot.sequence >> slot.boot) || word != kMagic || version != kVersion) return std::nullopt;
    std::uint64_t bytes = 0;
    while (words >> word >> bytes) slot.marks[word] = bytes;
    return slot;
}

}  // namespace

Result<std::unique_ptr<DurableMarks>> DurableMarks::open(const std::string& folder) {
    const std::string path = folder + std::string(kFileName);
    Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!file.is_open()) return errno_error("open " + path, errno);
    std::unique_ptr<DurableMarks> marks(new DurableMarks(folder, path, std::move(file)));
    marks->load();
    // From the beginning the file has the blocks that it needs, so that it can be written when the disk is full.
    for (std::size_t i = 0; i < kSlots && marks->sequence_ < kSlots; ++i) MILLRACE_TRY(marks->write_slot());
    return marks;
}

bool DurableMarks::same_boot() const {
    const std::lock_guard lock(mutex_);
    return boot_ != kUnknownBoot && boot_ == boot_id();
}

void DurableMarks::opened() {
    const std::lock_guard lock(mutex_);
    boot_ = boot_id();
    (void)write_slot();
}

void DurableMarks::load() {
    for (std::size_t i = 0; i < kSlots; ++i) {
        std::string text(kSlotBytes, '\0');
        if (::pread(file_.get(), text.data(), text.size(), static_cast<off_t>(i * kSlotBytes)) != static_cast<ssize_t>(text.size())) continue;
        std::optional<Slot> slot = parse(text);
        if (!slot || slot->sequence <= sequence_) continue;
        sequence_ = slot->sequence;
        boot_ = std::move(slot->boot);
        marks_ = std::move(slot->marks);
    }
}

std::map<std::string, std::uint64_t> DurableMarks::all() const {
    const std::lock_guard lock(mutex_);
    return marks_;
}

void DurableMarks::raise(const std::string& file, std::uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    const auto known = marks_.find(file);
    if (known != marks_.end() ? bytes <= known->second : bytes == 0 || !sync_folder()) return;
    marks_[file] = bytes;
    (void)write_slot();
}

bool DurableMarks::sync_folder() const {
    const Descriptor folder(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return folder.is_open() && ::fsync(folder.get()) == 0;
}

Result<void> DurableMarks::reset(const std::string& file, std::uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    if (bytes == 0 && marks_.erase(file) == 0) return {};
    if (bytes > 0) marks_[file] = bytes;
    for (std::size_t i = 0; i < kSlots; ++i) MILLRACE_TRY(write_slot());  // neither says otherwise any more
    if (::fdatasync(file_.get()) != 0) return errno_error("sync " + path_, errno);
    return {};
}

Result<void> DurableMarks::write_slot() {
    ++sequence_;
    const std::string text = text_of(sequence_, boot_, marks_);
    const auto offset = static_cast<off_t>(sequence_ % kSlots * kSlotBytes);
    if (::pwrite(file_.get(), text.data(), text.size(), offset) != static_cast<ssize_t>(text.size())) return errno_error("write " + path_, errno);
    return {};
}

}  // namespace millrace::state
