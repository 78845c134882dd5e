#include "store/shelves.h"

#include "core/hash.h"

namespace millrace::store {
namespace {
constexpr std::size_t kFilesMax = 256;  // per shelf
constexpr std::size_t kBasenameBytesMax = 255;
constexpr std::size_t kExtensionBytesMax = 64;

std::string shelf_folder(std::uint64_t number) {
    const std::string name = checksum_text(number);
    return checksum_text(xxh64(name)).substr(0, 2) + "/" + name.substr(name.find_first_not_of('0'));
}
}  // namespace

Result<std::string> Shelves::place(std::string_view object_name) {
    const std::string basename = file_basename(object_name);
    const std::lock_guard lock(mutex_);
    turn_ = (turn_ + 1) % open_.size();
    for (std::size_t i = 0; i < open_.size(); ++i) {
        Shelf& shelf = open_[(turn_ + i) % open_.size()];
        if (shelf.folder.empty() || shelf.basenames.size() >= kFilesMax) continue;
        if (shelf.basenames.insert(basename).second) return shelf.folder + "/" + basename;
    }
    Shelf& fresh = open_[turn_];
    MILLRACE_TRY_ASSIGN(const std::uint64_t number, sequence_.take());
    fresh.folder = shelf_folder(number);
    fresh.basenames = {basename};
    return fresh.folder + "/" + basename;
}

std::string file_basename(std::string_view object_name) {
    const std::size_t slash = object_name.rfind('/');
    const std::string_view last = slash == object_name.npos ? object_name : object_name.substr(slash + 1);
    if (last.size() <= kBasenameBytesMax) return std::string(last);
    const std::size_t stem = std::min(last.find_first_not_of('.'), last.size());
    std::string_view extension;
    if (const std::size_t dot = last.rfind('.'); dot != last.npos && dot > stem && last.size() - dot <= kExtensionBytesMax) {
        extension = last.substr(dot);
    }
    if (const std::size_t dot = last.find('.', stem); dot != last.npos && last.size() - dot <= kExtensionBytesMax) {
        extension = last.substr(dot);
    }
    return checksum_text(xxh64(last)) + std::string(extension);
}

}  // namespace millrace::store
