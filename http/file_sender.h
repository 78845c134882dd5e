// A transport that sends parts of files straight from where they lie: what an http/transport.h can be besides.
#pragma once
#include "core/file_parts.h"
#include "http/transport.h"

namespace millrace::http {

class FileSender {
public:
    virtual ~FileSender() = default;
    // As write_some() of the transport: first the bytes, then the part.
    virtual Task<Transport::Io> send_some(std::span<const std::byte> before, FilePart part) = 0;
};

}  // namespace millrace::http
