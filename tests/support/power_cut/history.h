// A disk that forgets: what a process does to the files below one folder, written down in order, and from it the folder as a power cut at any
// moment may leave it.
//
// What an fsync, fdatasync or syncfs covered is there. Of the rest each file has what it pleases: nothing, all, the beginning, or
// any of its sectors, the later without the earlier. Names come and go in the order in which they did, as a journal keeps it, as far as
// the journal got.
#pragma once
#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace millrace::power_cut {

using Moment = std::size_t;  // so many operations have happened

struct Operation {
    enum class Kind : std::uint8_t { write, resize, create, folder, rename, link, remove, sync_file, sync_names, sync_all };
    Kind kind{};
    std::uint64_t file = 0;  // of write, resize, create, sync_file
    std::uint64_t offset = 0;  // or the size
    std::string data;        // or the path
    std::string other_path;  // of rename and link
};

class History {
public:
    // From what lies in the folder now, which is durable.
    explicit History(std::string folder);

    const std::string& folder() const { return folder_; }
    void add(Operation operation);
    Moment now() const { return operations_.size(); }
    // The number of a file by its path at this moment; 0 for none.
    std::uint64_t file_at(const std::string& path) const;
    std::uint64_t new_file() { return ++files_; }

    // Makes the folder as a cut at that moment may leave it.
    void leave(Moment cut, std::mt19937_64& random, const std::string& folder) const;

private:
    using Names = std::map<std::string, std::uint64_t>;
    struct Content {
        std::string bytes;
        void write(std::uint64_t offset, std::string_view data);
    };

    static void apply_name(Names& names, std::set<std::string>& folders, const Operation& operation);
    Moment names_until(Moment cut, std::mt19937_64& random) const;
    std::string content(std::uint64_t file, Moment cut, std::mt19937_64& random) const;

    const std::string folder_;
    std::vector<Operation> operations_;
    std::map<std::uint64_t, std::vector<Moment>> of_file_;  // what touched its content
    std::vector<Moment> syncs_of_all_;
    Names base_names_;
    Names names_;
    std::set<std::string> base_folders_;
    std::set<std::string> folders_;
    std::map<std::uint64_t, std::string> base_;
    std::uint64_t files_ = 0;
};

// Until it is destroyed, what this process does below the history's folder is written down. One at a time.
class Recording {
public:
    explicit Recording(History& history);
    ~Recording();
    Recording(const Recording&) = delete;
    // Between two operations of any thread.
    Moment now() const;
};

}  // namespace millrace::power_cut
