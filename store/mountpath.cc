#include "store/mountpath.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <set>

#include "core/descriptor.h"
#include "core/hash.h"
#include "core/ids.h"
#include "core/log.h"
#include "core/private_files.h"
#include "state/families.h"

namespace millrace::store {
namespace {

namespace fs = std::filesystem;
namespace family = state::target_family;
constexpr std::string_view kStoreIdKey = "store_id";
constexpr std::string_view kKnownPrefix = "mountpath/";
constexpr std::string_view kIdentityHead = "millrace-mountpath 1 ";
constexpr std::size_t kIdentityBytesMax = 256;

struct Identity {
    std::string store_id;
    std::string id;
};

std::string identity_path(const std::string& folder) { return folder + "/mountpath"; }

bool is_id(std::string_view text) {
    return !text.empty() && text.size() <= 64 &&
        std::ranges::all_of(text, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
}

Result<std::optional<Identity>> read_identity(const std::string& folder) {
    const std::string path = identity_path(folder);
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.is_open() && errno == ENOENT) return std::optional<Identity>();
    if (!file.is_open()) return file_error("open " + path, errno);
    std::string text(kIdentityBytesMax, '\0');
    MILLRACE_TRY_ASSIGN(const std::size_t count, read_at(file.get(), std::as_writable_bytes(std::span(text)), 0, path));
    text.resize(count);
    const auto damaged = [&] { return fail(Code::corrupt, path + " cannot be read as the identity of a mountpath"); };
    if (!text.starts_with(kIdentityHead) || !text.ends_with('\n')) return damaged();
    const std::string ids = text.substr(kIdentityHead.size(), text.size() - kIdentityHead.size() - 1);
    const auto space = ids.find(' ');
    if (space == ids.npos) return damaged();
    Identity identity{ids.substr(0, space), ids.substr(space + 1)};
    if (!is_id(identity.store_id) || !is_id(identity.id)) return damaged();
    return std::optional(std::move(identity));
}

Result<std::string> store_id(state::Kv& kv) {
    MILLRACE_TRY_ASSIGN(auto known, kv.get(family::meta, kStoreIdKey));
    if (known) return std::move(*known);
    const std::string id = random_id("store-");
    state::Batch batch;
    batch.put(family::meta, kStoreIdKey, id);
    MILLRACE_TRY(kv.write(std::move(batch), true));
    return id;
}

// Id → the folder it was last seen at.
Result<std::map<std::string, std::string>> known_mountpaths(const state::Kv& kv) {
    std::map<std::string, std::string> known;
    state::Cursor cursor = kv.cursor(family::meta, state::prefix_end(kKnownPrefix));
    for (cursor.seek(kKnownPrefix); cursor.valid(); cursor.next()) {
        known.emplace(cursor.key().substr(kKnownPrefix.size()), cursor.value());
    }
    MILLRACE_TRY(cursor.status());
    return known;
}

Result<void> empty_folder(const std::string& folder) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
        std::error_code failure;
        fs::remove_all(entry.path(), failure);
        if (failure) return file_error("remove the leftover " + entry.path().string(), failure.value());
    }
    if (error) return file_error("read the folder " + folder, error.value());
    return {};
}

Result<Mountpath> open_one(const std::string& given, const std::string& store, const std::map<std::string, std::string>& known) {
    MILLRACE_TRY(make_folders(given));
    std::error_code error;
    Mountpath mountpath{.id = {}, .folder = fs::canonical(given, error)};
    if (error) return file_error("resolve the path " + given, error.value());

    MILLRACE_TRY_ASSIGN(auto identity, read_identity(mountpath.folder));
    if (identity && identity->store_id != store) {
        return fail(Code::conflict, "mountpath " + given + " belongs to another target's store; give this one a folder of its own");
    }
    if (!identity) {
        for (const auto& [id, folder] : known) {
            if (folder != mountpath.folder) continue;
            return fail(Code::conflict, "mountpath " + given + " has lost its identity file '" + identity_path(folder) +
                "'; is its disk mounted? To go on without its objects, give another folder");
        }
        identity = Identity{store, random_id("mp-")};
        MILLRACE_TRY(replace_file(identity_path(mountpath.folder),
                                  std::string(kIdentityHead) + identity->store_id + " " + identity->id + "\n"));
    }
    mountpath.id = identity->id;
    for (const std::string& folder : {mountpath.objects_folder(), mountpath.drafts_folder(), mountpath.temp_folder(), mountpath.spare_folder()}) {
        MILLRACE_TRY(make_folders(folder));
        MILLRACE_TRY(make_private(folder));
    }
    for (const std::string& folder : {mountpath.temp_folder(), mountpath.spare_folder()}) MILLRACE_TRY(empty_folder(folder));
    struct stat status {};
    if (::stat(mountpath.folder.c_str(), &status) != 0) return file_error("stat " + mountpath.folder, errno);
    mountpath.device = status.st_dev;
    return mountpath;
}

// A name in a folder that is emptied at start: unique within the process is enough.
std::string new_path(const std::string& folder) {
    static std::atomic<std::uint64_t> next = 0;
    return folder + "/" + std::to_string(++next);
}

}  // namespace

Result<Mountpaths> Mountpaths::open(const std::vector<std::string>& folders, state::Kv& kv) {
    if (folders.empty()) return fail(Code::invalid_argument, "a target needs at least one mountpath");
    MILLRACE_TRY_ASSIGN(const std::string store, store_id(kv));
    MILLRACE_TRY_ASSIGN(auto known, known_mountpaths(kv));
    Mountpaths opened;
    state::Batch batch;
    for (const std::string& folder : folders) {
        MILLRACE_TRY_ASSIGN(Mountpath mountpath, open_one(folder, store, known));
        if (opened.find(mountpath.id) != nullptr) {
            return fail(Code::invalid_argument, "mountpath " + folder + " is given twice");
        }
        batch.put(family::meta, std::string(kKnownPrefix) + mountpath.id, mountpath.folder);
        opened.spares_.emplace(mountpath.id, std::make_unique<SpareFiles>());
        opened.all_.push_back(std::move(mountpath));
    }
    MILLRACE_TRY(kv.write(std::move(batch), true));
    for (const auto& [id, folder] : known) {
        if (opened.find(id) == nullptr) {
            log::warn("mountpath is not configured, its objects cannot be read", {{"mountpath", id}, {"last_folder", folder}});
        }
    }
    return opened;
}

Result<TempFile> Mountpaths::create_temp(const Mountpath& mountpath) const {
    if (auto spare = spares_.at(mountpath.id)->take()) return *std::move(spare);
    return TempFile::create(new_path(mountpath.temp_folder()));
}

Result<void> Mountpaths::give_up(const FileLocation& location) const {
    MILLRACE_TRY_ASSIGN(const std::string path, path_of(location));
    const Mountpath& mountpath = *find(location.mountpath);
    const bool is_kept = spares_.at(mountpath.id)->keep(path, new_path(mountpath.spare_folder()));
    if (!is_kept && ::unlink(path.c_str()) != 0 && errno != ENOENT && errno != ENOTDIR) return file_error("remove " + path, errno);
    (void)::rmdir(fs::path(path).parent_path().c_str());  // goes when it was the shelf's last file
    return {};
}

void Mountpaths::tend_spares() const {
    for (const Mountpath& mountpath : all_) {
        struct statvfs disk {};
        const bool is_known = ::statvfs(mountpath.folder.c_str(), &disk) == 0;
        const bool has_room = is_known && disk.f_bavail * disk.f_frsize >= 8 * SpareFiles::kBytesMax;
        spares_.at(mountpath.id)->tend(has_room, steady_now());
    }
}

bool Mountpaths::drop_spares(const Mountpath& mountpath) const { return spares_.at(mountpath.id)->tend(false, steady_now()); }

Result<TempFile> Mountpaths::link_temp(const Mountpath& mountpath, const std::string& file) const {
    return TempFile::link(new_path(mountpath.temp_folder()), file);
}

Result<void> Mountpaths::sync() const {
    std::set<std::uint64_t> devices;
    for (const Mountpath& mountpath : all_) {
        if (!devices.insert(mountpath.device).second) continue;
        const Descriptor folder(::open(mountpath.folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (!folder.is_open()) return file_error("open the mountpath " + mountpath.folder, errno);
        if (::syncfs(folder.get()) != 0) return file_error("sync the mountpath " + mountpath.folder, errno);
    }
    return {};
}

const Mountpath& Mountpaths::choose(std::string_view object_key) const {
    const Mountpath* best = nullptr;
    std::uint64_t best_weight = 0;
    for (const Mountpath& mountpath : all_) {
        const std::uint64_t weight = xxh64(object_key, xxh64(mountpath.id));
        if (best == nullptr || weight > best_weight) {
            best = &mountpath;
            best_weight = weight;
        }
    }
    return *best;
}

const Mountpath* Mountpaths::find(std::string_view id) const {
    const auto found = std::ranges::find(all_, id, &Mountpath::id);
    return found == all_.end() ? nullptr : &*found;
}

Result<std::string> Mountpaths::path_of(const FileLocation& location) const {
    const Mountpath* mountpath = find(location.mountpath);
    if (mountpath != nullptr) return mountpath->objects_folder() + "/" + location.file;
    return fail(Code::unavailable, "mountpath " + location.mountpath + " is not among those configured; add its folder again");
}

}  // namespace millrace::store
