// Byte reader and writer, checked arithmetic, hashes: what every parser of file bytes stands on.
#include "storage/base/bytes.h"

#include <catch2/catch.hpp>
#include <cstdint>
#include <limits>
#include <string>

#include "storage/base/checked.h"
#include "storage/base/hash.h"

using quern::ByteReader;
using quern::Bytes;
using quern::BytesView;
using quern::ByteWriter;

namespace {

Bytes VarintBytes(uint64_t value) {
    Bytes out;
    ByteWriter(&out).Varint(value);
    return out;
}

// The value, or nothing when the bytes are no varint.
bool ReadVarint(BytesView bytes, uint64_t* value) {
    ByteReader reader(bytes);
    *value = reader.Varint();
    return reader.AtEnd();
}

}  // namespace

TEST_CASE("numbers are little-endian, whatever the machine", "[bytes]") {
    Bytes out;
    ByteWriter writer(&out);
    writer.U8(0xAB);
    writer.U32(0x01020304);
    writer.U64(0x1112131415161718);
    writer.Raw("xyz", 3);
    CHECK(out == BytesView("\xAB\x04\x03\x02\x01\x18\x17\x16\x15\x14\x13\x12\x11xyz", 16));
    ByteReader reader(out);
    CHECK(reader.U8() == 0xAB);
    CHECK(reader.U32() == 0x01020304);
    CHECK(reader.U64() == 0x1112131415161718);
    CHECK(reader.left() == 3);
    CHECK(reader.Take(3) == "xyz");
    CHECK(reader.AtEnd());
}

TEST_CASE("a read past the end fails for good and touches nothing", "[bytes]") {
    const Bytes bytes = "abc";
    ByteReader reader(bytes);
    CHECK(reader.U32() == 0);
    CHECK_FALSE(reader.ok());
    CHECK(reader.U8() == 0);  // although three bytes are left
    CHECK(reader.Take(1).empty());
    CHECK(reader.Varint() == 0);
    CHECK_FALSE(reader.AtEnd());

    ByteReader huge(bytes);
    CHECK(huge.Take(std::numeric_limits<size_t>::max()).empty());
    CHECK_FALSE(huge.ok());

    ByteReader empty(BytesView{});
    CHECK(empty.AtEnd());
    CHECK(empty.Take(0).empty());
    CHECK(empty.ok());
    CHECK(empty.U8() == 0);
    CHECK_FALSE(empty.ok());
}

TEST_CASE("every varint comes back, in as few bytes as it needs", "[bytes]") {
    for (unsigned bits = 0; bits <= 64; bits++) {
        const uint64_t power = bits == 64 ? 0 : uint64_t{1} << bits;
        for (const uint64_t value : {power - 1, power, power + 1}) {
            const Bytes bytes = VarintBytes(value);
            uint64_t back = 0;
            CHECK(ReadVarint(bytes, &back));
            CHECK(back == value);
            size_t needed = 1;
            for (uint64_t rest = value >> 7; rest != 0; rest >>= 7) {
                needed++;
            }
            CHECK(bytes.size() == needed);
            for (size_t cut = 0; cut < bytes.size(); cut++) {
                CHECK_FALSE(ReadVarint(BytesView(bytes).substr(0, cut), &back));
            }
        }
    }
}

TEST_CASE("a varint beyond 64 bits is refused", "[bytes]") {
    uint64_t value = 0;
    CHECK(ReadVarint(Bytes(9, '\xFF') + '\x01', &value));
    CHECK(value == std::numeric_limits<uint64_t>::max());
    CHECK_FALSE(ReadVarint(Bytes(9, '\xFF') + '\x02', &value));
    CHECK_FALSE(ReadVarint(Bytes(10, '\x80') + '\x01', &value));
    CHECK_FALSE(ReadVarint(Bytes(20, '\xFF'), &value));
}

TEST_CASE("checked arithmetic tells overflow", "[checked]") {
    constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();
    uint64_t out = 0;
    CHECK(quern::CheckedAdd(kMax - 1, uint64_t{1}, &out));
    CHECK(out == kMax);
    CHECK_FALSE(quern::CheckedAdd(kMax, uint64_t{1}, &out));
    CHECK(quern::CheckedMul(uint64_t{1} << 32, (uint64_t{1} << 32) - 1, &out));
    CHECK_FALSE(quern::CheckedMul(uint64_t{1} << 32, uint64_t{1} << 32, &out));
    int64_t signed_out = 0;
    CHECK_FALSE(quern::CheckedAdd(std::numeric_limits<int64_t>::min(), int64_t{-1}, &signed_out));
    CHECK_FALSE(quern::CheckedMul(std::numeric_limits<int64_t>::min(), int64_t{-1}, &signed_out));
    CHECK(quern::CheckedMul(int64_t{-3}, int64_t{5}, &signed_out));
    CHECK(signed_out == -15);
}

// These values are in files: should one of them change, old files cannot be read.
TEST_CASE("hashes are what they were", "[hash]") {
    CHECK(quern::Hash64("", 0, 0) == 0x2D06800538D394C2);
    CHECK(quern::Hash64(BytesView("quern"), 0) == quern::Hash64("quern", 5, 0));
    CHECK(quern::Hash64(BytesView("quern"), 0) != quern::Hash64(BytesView("quern"), 1));
    CHECK(quern::Hash64(BytesView("quern"), 0) != quern::Hash64(BytesView("querm"), 0));
    CHECK(quern::MixSeed(0, 0) != quern::MixSeed(0, 1));
    CHECK(quern::MixSeed(1, 0) != quern::MixSeed(0, 1));
    CHECK(quern::Hash64(BytesView("quern"), 12345) == 0xC389462B488967B6);
    CHECK(quern::MixSeed(3, 4) == 0x7D33110581BBACD7);
}
