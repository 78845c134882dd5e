#include "state/marking_file_system.h"

#include <rocksdb/file_system.h>

#include <atomic>

#include "state/log_check.h"
#include "state/log_records.h"

namespace millrace::state {
namespace {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

class MarkedLog final : public rocksdb::FSWritableFileOwnerWrapper {
public:
    MarkedLog(std::unique_ptr<rocksdb::FSWritableFile> file, std::string name, DurableMarks& marks)
        : FSWritableFileOwnerWrapper(std::move(file)), name_(std::move(name)), marks_(marks) {}

    IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* debug) override {
        return followed(data, FSWritableFileOwnerWrapper::Append(data, options, debug));
    }
    IOStatus Append(const Slice& data, const IOOptions& options, const rocksdb::DataVerificationInfo& verification, IODebugContext* debug) override {
        return followed(data, FSWritableFileOwnerWrapper::Append(data, options, verification, debug));
    }
    // What is appended meanwhile may not be part of it.
    IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
        const std::uint64_t bytes = boundary_;
        return marked(bytes, FSWritableFileOwnerWrapper::Sync(options, debug));
    }
    IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
        const std::uint64_t bytes = boundary_;
        return marked(bytes, FSWritableFileOwnerWrapper::Fsync(options, debug));
    }

private:
    IOStatus followed(const Slice& data, IOStatus status) {
        if (status.ok()) {
            follower_.append({data.data(), data.size()});
            boundary_ = follower_.boundary();
        }
        return status;
    }
    IOStatus marked(std::uint64_t bytes, IOStatus status) {
        if (status.ok()) marks_.raise(name_, bytes);
        return status;
    }

    const std::string name_;
    DurableMarks& marks_;
    LogFollower follower_;                     // of the one thread that appends
    std::atomic<std::uint64_t> boundary_ = 0;
};

class MarkingFileSystem final : public rocksdb::FileSystemWrapper {
public:
    explicit MarkingFileSystem(DurableMarks& marks) : FileSystemWrapper(rocksdb::FileSystem::Default()), marks_(marks) {}
    const char* Name() const override { return "millrace-marking"; }

    IOStatus NewWritableFile(const std::string& path, const FileOptions& options, std::unique_ptr<rocksdb::FSWritableFile>* file,
                             IODebugContext* debug) override {
        const IOStatus status = FileSystemWrapper::NewWritableFile(path, options, file, debug);
        if (status.ok() && is_log(base_name(path))) *file = std::make_unique<MarkedLog>(std::move(*file), base_name(path), marks_);
        return status;
    }
    // The mark goes first: a file that has one and is not there is missing.
    IOStatus DeleteFile(const std::string& path, const IOOptions& options, IODebugContext* debug) override {
        if (is_log(base_name(path))) {
            if (const auto reset = marks_.reset(base_name(path), 0); !reset) return IOStatus::IOError(reset.error().context);
        }
        return FileSystemWrapper::DeleteFile(path, options, debug);
    }

private:
    DurableMarks& marks_;
};

}  // namespace

std::shared_ptr<rocksdb::FileSystem> make_marking_file_system(DurableMarks& marks) { return std::make_shared<MarkingFileSystem>(marks); }

}  // namespace millrace::state
