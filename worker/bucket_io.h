// A bucket as the slices of jobs use it: read as the source, written as the destination. Interfaces, since it need not be one of this cluster's.
//
// Any thread, several calls at once; a call resumes its caller where it was. It may wait, though not for longer than a minute, and
// ends soon, with whatever error, when its task is cancelled. Code::not_found is of an object, Code::unavailable of a bucket that is not
// there at the moment or does not answer: that is nobody's fault, and waited out. References are to live until the call has ended.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "core/task.h"
#include "store/object_store.h"

namespace millrace::worker {

class BucketReader {
public:
    virtual ~BucketReader() = default;

    // Objects after a name (exclusive) whose names start with prefix, in byte order; at most objects_max, which may be thousands.
    virtual Task<Result<store::ScanPage>> list(const std::string& prefix, const std::string& after, std::size_t objects_max) = 0;
    virtual Task<Result<store::ObjectInfo>> stat(const std::string& name) = 0;
    // The object as it is now: the reader's info() says which. The reader does not outlive this.
    virtual Task<Result<std::unique_ptr<store::ObjectReader>>> open(const std::string& name) = 0;

    // Whether the bucket is there, as far as is known without a wait.
    virtual Result<void> check() const = 0;
    // What is created from now on has this ObjectInfo::created_seq or a greater one; what is there has a smaller one.
    virtual std::uint64_t created_seq_end() const = 0;
};

class BucketWriter {
public:
    virtual ~BucketWriter() = default;

    virtual Task<Result<store::ObjectInfo>> stat(const std::string& name) = 0;
    // The writer does not outlive this.
    virtual Task<Result<std::unique_ptr<store::ObjectWriter>>> begin(const std::string& name, store::WriteOptions options) = 0;
    // What the object was. One with this created_seq or a later one stays: Code::not_found.
    virtual Task<Result<store::ObjectInfo>> erase(const std::string& name, std::uint64_t created_seq_end, const store::ChangeGuard* guard) = 0;

    // Whether the bucket is there, as far as is known without a wait.
    virtual Result<void> check() const = 0;
};

// Where slices get their buckets from. With a uid only that very bucket is meant; empty: whatever has the name.
class Buckets {
public:
    virtual ~Buckets() = default;
    virtual std::shared_ptr<BucketReader> reader(const std::string& bucket, const std::string& uid) = 0;
    virtual std::shared_ptr<BucketWriter> writer(const std::string& bucket, const std::string& uid) = 0;
};

}  // namespace millrace::worker
