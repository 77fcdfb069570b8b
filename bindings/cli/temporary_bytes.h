// TemporaryBytes: bytes that are written now and read later, in a temporary file without a name.
// For writers whose format wants one column behind the other while rows come one by one. Confined
// to one thread.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include "byte_sink.h"

namespace quern::shell {

class TemporaryBytes {
public:
    TemporaryBytes();  // throws FormatError
    TemporaryBytes(const TemporaryBytes&) = delete;
    TemporaryBytes& operator=(const TemporaryBytes&) = delete;
    ~TemporaryBytes();

    void Write(std::string_view bytes);
    uint64_t size() const { return size_; }
    // Goes back to the first byte; from here on it is read.
    void Rewind();
    // The next n bytes. Throws FormatError.
    void Read(size_t n, std::string* bytes);
    // All of it, from the first byte on.
    void CopyTo(ByteSink* sink);

private:
    std::FILE* file_;
    uint64_t size_ = 0;
};

}  // namespace quern::shell
