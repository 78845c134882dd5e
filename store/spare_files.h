// Files that no object needs any more, kept for a while to be written over: a new file in the place of one that was just removed costs ext4 five times
// what writing over one does, since it looks for an inode that was not deleted lately.
//
// They lie in a folder of their mountpath. What somebody still reads, or has another name of, is not written over but removed: open_published() sees to it
// that a reader is either known by then or finds that the file has gone. Any thread.
#pragma once
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>

#include "core/clock.h"
#include "store/file_io.h"

namespace millrace::store {

class SpareFiles {
public:
    static constexpr std::size_t kFilesMax = 1024;
    static constexpr std::uint64_t kBytesMax = 256ull << 20;
    static constexpr std::uint64_t kFileBytesMax = 8 << 20;
    static constexpr Duration kTimeMax = std::chrono::seconds(60);

    // Moves the file to a name of its own, `to`. False: there is no room for it, and it stays where it is.
    bool keep(const std::string& path, const std::string& to);
    // The last that was kept, for new content.
    std::optional<TempFile> take();
    // Removes those that nobody has taken for long; all of them, and keeps none, until there is room. False: there was nothing to remove.
    bool tend(bool has_room, Instant now);

private:
    struct Spare {
        std::string path;
        std::uint64_t bytes = 0;
        Instant kept;
    };
    std::optional<Spare> pop_newest();
    std::optional<Spare> pop_oldest(Instant before);
    std::optional<Spare> take_from(std::deque<Spare>::iterator place);

    std::mutex mutex_;
    std::deque<Spare> spares_;  // guarded by mutex_; the newest last
    std::uint64_t bytes_ = 0;   // guarded by mutex_; of all
    bool has_room_ = true;      // guarded by mutex_; on the disk
};

}  // namespace millrace::store
