// Removes whole folders in the background: how long that takes grows with what is in them, and nobody is to wait for it.
//
// The folder of a destroyed bucket is marked in the database by the batch that destroys the bucket; the mark goes when the last file
// has gone, so a removal that was interrupted, or failed, goes on at the next start. The folder of a draft needs no mark: at a start
// those that no record names are handed in again.
//
// Any thread. A thread of its own removes, one entry after the other, and looks after each whether it is to stop.
#pragma once
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>

#include "core/result.h"
#include "state/kv.h"
#include "store/mountpath.h"

namespace millrace::store {

class FolderRemover {
public:
    FolderRemover(state::Kv& kv, const Mountpaths& mountpaths) : kv_(kv), mountpaths_(mountpaths) {}
    ~FolderRemover();
    FolderRemover(const FolderRemover&) = delete;

    // bucket_folder: below the folder of objects of every mountpath.
    static void mark(state::Batch& batch, const std::string& bucket_folder);

    // Takes up what was marked. Once, before the others; starts the thread.
    Result<void> recover();
    // Marked before, and nobody puts anything into it any more.
    void remove_bucket(std::string bucket_folder);
    // Absolute.
    void remove(std::string folder);
    // Until nothing waits.
    void wait();

private:
    struct Removal {
        std::string folder;
        bool of_bucket = false;
    };

    void enqueue(Removal removal);
    void run();
    void carry_out(const Removal& removal);
    Result<void> remove_tree(const std::string& folder);
    bool is_stopping() const { return stopping_; }

    state::Kv& kv_;
    const Mountpaths& mountpaths_;
    std::atomic<bool> stopping_ = false;

    std::mutex mutex_;  // guards what follows
    std::condition_variable wake_;
    std::condition_variable idle_;
    std::deque<Removal> waiting_;
    bool busy_ = false;
    std::thread thread_;
};

}  // namespace millrace::store
