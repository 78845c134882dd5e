#include "auth/key_file.h"

#include "core/file.h"
#include "core/log.h"

namespace millrace::auth {
namespace {

constexpr auto kPause = std::chrono::seconds(1);
constexpr std::size_t kFileBytesMax = 64 << 10;

}  // namespace

Result<std::shared_ptr<KeyFile>> KeyFile::open(const std::string& path) {
    std::shared_ptr<KeyFile> file(new KeyFile(path));
    MILLRACE_TRY_ASSIGN(file->content_, read_file(path, kFileBytesMax));
    auto keys = VerifyingKeys::parse(file->content_);
    if (!keys) return keys.error().during("auth_key " + path);
    file->keys_ = std::make_shared<const VerifyingKeys>(std::move(*keys));
    return file;
}

std::shared_ptr<const VerifyingKeys> KeyFile::keys() const {
    const std::scoped_lock lock(mutex_);
    return keys_;
}

bool KeyFile::refresh() {
    const std::scoped_lock lock(mutex_);
    if (steady_now() - looked_ < kPause) return false;
    looked_ = steady_now();
    const auto content = read_file(path_, kFileBytesMax);
    if (content && *content == content_) return false;
    auto keys = content ? VerifyingKeys::parse(*content) : Result<VerifyingKeys>(content.error());
    if (!keys) {
        log::warn("the keys of tokens stay as they were: their file cannot be read", {{"file", path_}, {"error", keys.error()}});
        return false;
    }
    content_ = *content;
    keys_ = std::make_shared<const VerifyingKeys>(std::move(*keys));
    log::info("keys of tokens read anew", {{"file", path_}});
    return true;
}

}  // namespace millrace::auth
