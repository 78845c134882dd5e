#include "tests/support/power_cut/history.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string_view>

namespace millrace::power_cut {
namespace {

namespace fs = std::filesystem;
constexpr std::uint64_t kSectorBytes = 512;

bool one_in(std::mt19937_64& random, std::uint64_t n) { return random() % n == 0; }

}  // namespace

void History::Content::write(std::uint64_t offset, std::string_view data) {
    if (bytes.size() < offset + data.size()) bytes.resize(offset + data.size(), '\0');
    std::ranges::copy(data, bytes.begin() + static_cast<std::ptrdiff_t>(offset));
}

History::History(std::string folder) : folder_(std::move(folder)) {
    folders_.insert(folder_);
    for (const auto& entry : fs::recursive_directory_iterator(folder_)) {
        if (entry.is_directory()) folders_.insert(entry.path());
        if (!entry.is_regular_file()) continue;
        std::ifstream stream(entry.path(), std::ios::binary);
        base_[names_[entry.path()] = new_file()] = std::string{std::istreambuf_iterator<char>(stream), {}};
    }
    base_names_ = names_;
    base_folders_ = folders_;
}

void History::add(Operation operation) {
    using Kind = Operation::Kind;
    const Moment at = operations_.size();
    if (operation.kind == Kind::write || operation.kind == Kind::resize || operation.kind == Kind::sync_file) of_file_[operation.file].push_back(at);
    if (operation.kind == Kind::sync_all) syncs_of_all_.push_back(at);
    apply_name(names_, folders_, operation);
    operations_.push_back(std::move(operation));
}

std::uint64_t History::file_at(const std::string& path) const {
    const auto found = names_.find(path);
    return found == names_.end() ? 0 : found->second;
}

void History::apply_name(Names& names, std::set<std::string>& folders, const Operation& operation) {
    using Kind = Operation::Kind;
    const auto file = [&](const std::string& path) { return names.contains(path) ? names.at(path) : 0; };
    switch (operation.kind) {
        case Kind::create: names[operation.data] = operation.file; break;
        case Kind::folder: folders.insert(operation.data); break;
        case Kind::rename:
            names[operation.other_path] = file(operation.data);
            names.erase(operation.data);
            break;
        case Kind::link: names[operation.other_path] = file(operation.data); break;
        case Kind::remove:
            names.erase(operation.data);
            folders.erase(operation.data);
            break;
        default: break;
    }
}

Moment History::names_until(Moment cut, std::mt19937_64& random) const {
    Moment durable = 0;
    for (Moment at = 0; at < cut; ++at) {
        const auto kind = operations_[at].kind;
        if (kind == Operation::Kind::sync_names || kind == Operation::Kind::sync_all) durable = at;
    }
    if (one_in(random, 3)) return cut;
    return one_in(random, 3) ? durable : durable + random() % (cut - durable + 1);
}

std::string History::content(std::uint64_t file, Moment cut, std::mt19937_64& random) const {
    using Kind = Operation::Kind;
    Content content;
    if (const auto base = base_.find(file); base != base_.end()) content.bytes = base->second;
    const auto touched = of_file_.find(file);
    if (touched == of_file_.end()) return content.bytes;

    const auto all = std::ranges::lower_bound(syncs_of_all_, cut);
    Moment durable = all == syncs_of_all_.begin() ? 0 : *std::prev(all);
    std::vector<Moment> changes;
    for (const Moment at : touched->second) {
        if (at >= cut) break;
        if (operations_[at].kind == Kind::sync_file) durable = std::max(durable, at);
        else changes.push_back(at);
    }
    const auto apply = [&](const Operation& operation) {
        if (operation.kind == Kind::resize) content.bytes.resize(operation.offset, '\0');
        else content.write(operation.offset, operation.data);
    };
    const auto unsynced = std::ranges::lower_bound(changes, durable);
    for (auto at = changes.begin(); at != unsynced; ++at) apply(operations_[*at]);

    const std::uint64_t mode = random() % 4;
    if (mode == 0) return content.bytes;
    const auto left = static_cast<std::uint64_t>(std::distance(unsynced, changes.end()));
    const auto end = mode == 1 ? changes.end() : mode == 2 && left > 0 ? unsynced + static_cast<std::ptrdiff_t>(random() % (left + 1)) : changes.end();
    if (mode != 3) {
        for (auto at = unsynced; at != end; ++at) apply(operations_[*at]);
        return content.bytes;
    }
    // A sector is written out with what it holds at that moment, or not at all.
    std::map<std::uint64_t, bool> torn;
    const std::uint64_t kept = 1 + random() % 8;
    for (auto at = unsynced; at != end; ++at) {
        const Operation& operation = operations_[*at];
        if (operation.kind == Kind::resize) {
            if (one_in(random, 2)) apply(operation);
            continue;
        }
        std::uint64_t offset = operation.offset;
        std::string_view data = operation.data;
        while (!data.empty()) {
            const std::uint64_t sector = offset / kSectorBytes;
            const std::size_t bytes = std::min<std::size_t>(data.size(), (sector + 1) * kSectorBytes - offset);
            // Once a sector missed a change it misses those after it: what it would hold else never was.
            const bool misses = torn[sector] || random() % 8 >= kept;
            torn[sector] = misses;
            if (!misses) content.write(offset, data.substr(0, bytes));
            offset += bytes;
            data.remove_prefix(bytes);
        }
    }
    return content.bytes;
}

void History::leave(Moment cut, std::mt19937_64& random, const std::string& folder) const {
    Names names = base_names_;
    std::set<std::string> folders = base_folders_;
    const Moment until = names_until(cut, random);
    for (Moment at = 0; at < until; ++at) apply_name(names, folders, operations_[at]);
    const auto moved = [&](const std::string& path) { return folder + path.substr(folder_.size()); };
    for (const std::string& path : folders) fs::create_directories(moved(path));
    std::map<std::uint64_t, std::string> contents;  // names of one file see one content
    for (const auto& [path, file] : names) {
        if (file == 0) continue;
        const auto [known, is_new] = contents.try_emplace(file);
        if (is_new) known->second = content(file, cut, random);
        fs::create_directories(fs::path(moved(path)).parent_path());
        std::ofstream(moved(path), std::ios::binary) << known->second;
    }
}

}  // namespace millrace::power_cut
