// How much of each of the database's logs is known to be durable, kept beside them in the file `durable`. It tells the torn end that a
// power cut leaves behind from damage, which a log does not tell by itself: in both cases records that are whole may follow.
//
// A mark is written after the sync that it is about, and is not synced itself: a power cut may take it back to an earlier one, so
// what it says is always true, and never all. Any thread.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "core/descriptor.h"
#include "core/result.h"

namespace millrace::state {

class DurableMarks {
public:
    // Of the database in that folder; makes the file when there is none. One that says nothing readable counts as empty.
    static Result<std::unique_ptr<DurableMarks>> open(const std::string& folder);
    DurableMarks(const DurableMarks&) = delete;

    // By the file's name in the folder: bytes from its beginning.
    std::map<std::string, std::uint64_t> all() const;
    // Whether the machine has not been started anew since the database was opened the last time: then all is there that was written.
    bool same_boot() const;
    // The database was opened: its logs are new ones.
    void opened();
    // So much of the file's content is durable now; with the first mark its name in the folder is made so, too. Marks only rise. A failure is
    // passed over: then less is known.
    void raise(const std::string& file, std::uint64_t bytes);
    // Sets the mark, or with 0 removes it: before the file is shortened or goes. Durable on return.
    Result<void> reset(const std::string& file, std::uint64_t bytes);

private:
    DurableMarks(std::string folder, std::string path, Descriptor file)
        : folder_(std::move(folder)), path_(std::move(path)), file_(std::move(file)) {}
    bool sync_folder() const;
    void load();
    Result<void> write_slot();

    const std::string folder_;
    const std::string path_;
    const Descriptor file_;
    mutable std::mutex mutex_;  // guards what follows
    std::map<std::string, std::uint64_t> marks_;
    std::uint64_t sequence_ = 0;
    std::string boot_ = "none";  // in which the database was opened
};

}  // namespace millrace::state
