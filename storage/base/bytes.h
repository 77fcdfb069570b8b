// Little-endian reading and writing with bounds. Every parser of file bytes goes through
// ByteReader: a read past the end sets a sticky failure and gives zeros, so that parsers check
// once, after a group of reads, and never touch memory outside the span.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace quern {

using Bytes = std::string;           // owning byte string
using BytesView = std::string_view;  // borrowed bytes

class ByteReader {
public:
    explicit ByteReader(BytesView bytes) : bytes_(bytes) {}
    bool ok() const { return ok_; }
    size_t left() const { return bytes_.size() - position_; }
    bool AtEnd() const { return ok_ && left() == 0; }

    BytesView Take(size_t size) {
        if (!ok_ || size > left()) {
            ok_ = false;
            return {};
        }
        BytesView view = bytes_.substr(position_, size);
        position_ += size;
        return view;
    }
    uint8_t U8() {
        BytesView view = Take(1);
        return ok_ ? static_cast<uint8_t>(view[0]) : uint8_t{0};
    }
    uint32_t U32() { return static_cast<uint32_t>(Fixed(4)); }
    uint64_t U64() { return Fixed(8); }
    // LEB128; at most ten bytes.
    uint64_t Varint() {
        uint64_t value = 0;
        for (unsigned shift = 0;; shift += 7) {
            const uint8_t byte = U8();
            if (!ok_) {
                return 0;
            }
            if (shift == 63 && byte > 1) {
                break;
            }
            value |= static_cast<uint64_t>(byte & 0x7f) << shift;
            if ((byte & 0x80) == 0) {
                return value;
            }
        }
        ok_ = false;
        return 0;
    }

private:
    uint64_t Fixed(size_t size) {
        BytesView view = Take(size);
        if (!ok_) {
            return 0;
        }
        uint64_t value = 0;
        for (size_t i = 0; i < size; i++) {
            value |= static_cast<uint64_t>(static_cast<uint8_t>(view[i])) << (8 * i);
        }
        return value;
    }
    BytesView bytes_;
    size_t position_ = 0;
    bool ok_ = true;
};

class ByteWriter {
public:
    explicit ByteWriter(Bytes* out) : out_(out) {}
    void Raw(const void* data, size_t size) { out_->append(static_cast<const char*>(data), size); }
    void U8(uint8_t value) { out_->push_back(static_cast<char>(value)); }
    void U32(uint32_t value) { Fixed(value, 4); }
    void U64(uint64_t value) { Fixed(value, 8); }
    void Varint(uint64_t value) {
        while (value >= 0x80) {
            U8(static_cast<uint8_t>(value | 0x80));
            value >>= 7;
        }
        U8(static_cast<uint8_t>(value));
    }

private:
    void Fixed(uint64_t value, size_t size) {
        for (size_t i = 0; i < size; i++) {
            U8(static_cast<uint8_t>(value >> (8 * i)));
        }
    }
    Bytes* out_;
};

}  // namespace quern
