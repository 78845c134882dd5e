#include "state/log_check.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <optional>
#include <vector>

#include "core/clock.h"
#include "core/descriptor.h"
#include "core/log.h"
#include "core/whole_number.h"
#include "state/log_records.h"

namespace millrace::state {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kLogSuffix = ".log";
constexpr std::string_view kManifestPrefix = "MANIFEST-";

bool is_write_ahead_log(std::string_view name) {
    return name.size() > kLogSuffix.size() && name.ends_with(kLogSuffix) && std::ranges::all_of(name.substr(0, name.size() - kLogSuffix.size()), [](char c) {
               return c >= '0' && c <= '9';
           });
}

std::uint64_t number_of(const std::string& log) { return parse_whole<std::uint64_t>(std::string_view(log).substr(0, log.find('.'))).value_or(0); }

struct Damage {
    std::string file;
    std::uint64_t at = 0;
    std::string what;
};

// Nullopt when all that was durable is there.
Result<std::optional<Damage>> check_one(const std::string& folder, const std::string& file, std::uint64_t durable, bool same_boot) {
    const std::string path = folder + "/" + file;
    std::error_code ignored;
    if (!fs::exists(path, ignored)) {
        if (durable == 0) return std::optional<Damage>();
        return std::optional(Damage{file, 0, path + " is missing; " + std::to_string(durable) + " bytes of it had been made durable"});
    }
    MILLRACE_TRY_ASSIGN(const LogCheck check, check_log(path));
    if (check.whole < durable) {
        const std::string how = check.size < durable && check.whole == check.size ? " ends at byte " : " is damaged at byte ";
        return std::optional(Damage{file, check.whole, path + how + std::to_string(check.whole) + ", of " + std::to_string(durable) +
            " that had been made durable"});
    }
    if (check.whole < check.size && same_boot && !check.may_be_lost_write) {
        return std::optional(Damage{file, check.whole, path + " is damaged at byte " + std::to_string(check.whole) +
            ", although no power was lost since it was written"});
    }
    if (check.whole < check.size) {
        log::warn("log ends in a record that was never made durable, it is left out",
                  {{"file", path}, {"at", check.whole}, {"bytes", check.size - check.whole}});
    }
    return std::optional<Damage>();
}

// In the order in which they were written.
std::vector<std::string> write_ahead_logs(const std::string& folder, const std::map<std::string, std::uint64_t>& marks) {
    std::vector<std::string> logs;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(folder, ignored)) {
        if (is_write_ahead_log(entry.path().filename().string())) logs.push_back(entry.path().filename().string());
    }
    for (const auto& [file, bytes] : marks) {
        if (is_write_ahead_log(file) && std::ranges::find(logs, file) == logs.end()) logs.push_back(file);
    }
    std::ranges::sort(logs, {}, number_of);
    return logs;
}

// RocksDB would begin anew beside what is there.
Result<void> check_current(const std::string& folder, const std::vector<std::string>& logs) {
    std::error_code ignored;
    if (fs::exists(folder + "/CURRENT", ignored)) return {};
    std::string witness = logs.empty() ? "" : logs.back();
    for (const auto& entry : fs::directory_iterator(folder, ignored)) {
        const std::string extension = entry.path().extension();
        if (extension == ".sst" || extension == ".blob") witness = entry.path().filename().string();
    }
    if (witness.empty()) return {};
    return fail(Code::corrupt, "the database in " + folder + " is damaged: its file CURRENT is missing, although " + witness +
        " belongs to one; put it back: it holds the name of the newest MANIFEST- file and a line feed");
}

Result<std::string> current_manifest(const std::string& folder) {
    std::ifstream file(folder + "/CURRENT");
    std::string name;
    std::getline(file, name);
    return name;
}

Result<void> sync_path(const std::string& path, int flags) {
    const Descriptor file(::open(path.c_str(), flags | O_CLOEXEC));
    if (!file.is_open()) return errno_error("open " + path, errno);
    if (::fsync(file.get()) != 0) return errno_error("sync " + path, errno);
    return {};
}

// Cuts the log at the damage, takes those after it away, and keeps what that takes.
Result<void> cut_logs(const std::string& folder, DurableMarks& marks, const std::vector<std::string>& logs, const Damage& damage) {
    const std::string kept = folder + "/lost-" + std::to_string(unix_now_ns() / 1'000'000'000);
    std::error_code error;
    fs::create_directories(kept, error);
    if (error) return errno_error("create " + kept, error.value());
    std::size_t taken = 0;
    for (const std::string& file : logs) {
        const std::string path = folder + "/" + file;
        const bool is_damaged = file == damage.file;
        if (number_of(file) < number_of(damage.file)) continue;
        MILLRACE_TRY(marks.reset(file, is_damaged ? damage.at : 0));
        if (!fs::exists(path, error)) continue;
        if (is_damaged) fs::copy_file(path, kept + "/" + file, error);
        else fs::rename(path, kept + "/" + file, error);
        if (error) return errno_error("keep " + path + " in " + kept, error.value());
        if (!is_damaged) {
            ++taken;
            continue;
        }
        fs::resize_file(path, damage.at, error);
        if (error) return errno_error("cut " + path, error.value());
        MILLRACE_TRY(sync_path(path, O_WRONLY));
    }
    MILLRACE_TRY(sync_path(folder, O_RDONLY | O_DIRECTORY));
    log::warn("loss accepted: what was written after the damage is left out", {{"damage", damage.what}, {"later_logs", taken}, {"kept_in", kept}});
    return {};
}

}  // namespace

bool is_log(std::string_view name) { return is_write_ahead_log(name) || name.starts_with(kManifestPrefix); }

Result<void> check_files(const std::string& folder, DurableMarks& marks, bool accept_loss) {
    const std::map<std::string, std::uint64_t> known = marks.all();
    const auto durable = [&](const std::string& file) { return known.contains(file) ? known.at(file) : 0; };
    const std::vector<std::string> logs = write_ahead_logs(folder, known);
    MILLRACE_TRY(check_current(folder, logs));
    MILLRACE_TRY_ASSIGN(const std::string manifest, current_manifest(folder));
    if (durable(manifest) > 0) {
        MILLRACE_TRY_ASSIGN(const std::optional<Damage> damage, check_one(folder, manifest, durable(manifest), marks.same_boot()));
        if (damage) return fail(Code::corrupt, "the database is damaged: " + damage->what + "; restore the folder from a copy, or give it up for an empty one");
    }
    for (const std::string& file : logs) {
        MILLRACE_TRY_ASSIGN(const std::optional<Damage> damage, check_one(folder, file, durable(file), marks.same_boot()));
        if (!damage) continue;
        if (accept_loss) return cut_logs(folder, marks, logs, *damage);
        return fail(Code::corrupt, "the database is damaged: " + damage->what + "; restore the file from a copy, or start once with --accept-loss: "
            "then what was written from there on is lost");
    }
    if (accept_loss) log::info("nothing had to be given up", {{"folder", folder}});
    return {};
}

}  // namespace millrace::state
