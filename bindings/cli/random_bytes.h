// RandomBytes: the bytes of a source at any place, for formats that begin at their end (zip) or
// whose rows lie in several arrays (spmat).
//
// A plain file, and memory, is read where it lies. What is compressed or comes through a pipe has
// no places: it is unpacked into a temporary file without a name first. The source must outlive
// this; confined to one thread.
#pragma once

#include <cstdio>
#include <memory>

#include "byte_source.h"

namespace quern::shell {

class RandomBytes {
public:
    // Reads the source to its end where it has no places. Throws FormatError.
    explicit RandomBytes(ByteSource* source);
    RandomBytes(const RandomBytes&) = delete;
    RandomBytes& operator=(const RandomBytes&) = delete;
    ~RandomBytes();

    uint64_t size() const { return size_; }
    // Up to n bytes from the place on; less at the end only.
    size_t ReadAt(uint64_t place, void* to, size_t n);
    // size bytes from the place on as a source of their own; this must outlive it.
    std::unique_ptr<ByteSource> Piece(uint64_t place, uint64_t size, const std::string& name);

private:
    ByteSource* source_;
    std::FILE* spool_ = nullptr;
    uint64_t size_ = 0;
};

}  // namespace quern::shell
