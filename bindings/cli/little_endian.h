// Little-endian numbers of file formats, as bytes and back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace quern::shell {

// Of at most eight bytes.
inline uint64_t LittleInteger(const unsigned char* bytes, size_t size) {
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++) {
        value |= static_cast<uint64_t>(bytes[i]) << (8 * i);
    }
    return value;
}

inline uint32_t LittleU32(const unsigned char* bytes) {
    return static_cast<uint32_t>(bytes[0]) | static_cast<uint32_t>(bytes[1]) << 8 |
           static_cast<uint32_t>(bytes[2]) << 16 | static_cast<uint32_t>(bytes[3]) << 24;
}

// The lowest `size` bytes of the value, at most eight.
inline void AppendLittle(uint64_t value, size_t size, std::string* bytes) {
    for (size_t i = 0; i < size; i++) {
        bytes->push_back(static_cast<char>(static_cast<unsigned char>(value >> (8 * i))));
    }
}

}  // namespace quern::shell
