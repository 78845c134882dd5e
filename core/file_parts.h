// Parts of files on their way as bytes of a body, without a copy of them: what a Source and a Sink of core/body.h can be besides.
// pump() sees whether both are.
#pragma once
#include <cstddef>
#include <cstdint>

#include "core/result.h"
#include "core/task.h"

namespace millrace {

// The descriptor is the source's.
struct FilePart {
    int fd = -1;
    std::uint64_t offset = 0;
    std::size_t length = 0;
};

// A source whose bytes lie in a file.
class PartSource {
public:
    virtual ~PartSource() = default;
    // Whether nobody has to see the bytes on their way. Only then:
    virtual bool gives_parts() const = 0;
    // As read(), and only tells where they lie: some of the next bytes, at most so many; of length 0 at the end.
    virtual Result<FilePart> next_part(std::size_t bytes_max) = 0;
};

// A sink that can send bytes from where they lie.
class PartSink {
public:
    virtual ~PartSink() = default;
    // Whether it can now. Only then:
    virtual bool takes_parts() const = 0;
    virtual Task<Result<void>> write_part(FilePart part) = 0;
};

}  // namespace millrace
