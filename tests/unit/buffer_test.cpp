// Buffers that become smaller.
#include "storage/base/buffer.h"

#include <catch2/catch.hpp>
#include <cstdint>
#include <memory>
#include <new>

using namespace quern;

TEST_CASE("a buffer that shrinks keeps what it holds and counts what it has") {
    for (const size_t bytes : {size_t{1000}, size_t{9} << 20}) {
        auto counter = std::make_shared<MemoryCounter>();
        {
            Buffer buffer(bytes, counter);
            for (size_t i = 0; i < bytes; i++) {
                buffer.data()[i] = static_cast<char>(i * 31 >> 7);
            }
            for (const size_t kept : {bytes, bytes * 3 / 4, bytes / 3, bytes / 3 + 1}) {
                buffer.Shrink(kept);
                REQUIRE(counter->bytes() == static_cast<int64_t>(buffer.bytes()));
            }
            REQUIRE(buffer.bytes() == bytes / 3);  // it never grows
            bool same = true;
            for (size_t i = 0; i < buffer.bytes(); i++) {
                same = same && buffer.data()[i] == static_cast<char>(i * 31 >> 7);
            }
            REQUIRE(same);
        }
        REQUIRE(counter->bytes() == 0);
    }
}

TEST_CASE("a buffer larger than any memory is refused, and wishes change nothing") {
    CHECK_THROWS_AS(Buffer(SIZE_MAX, nullptr), std::bad_alloc);
    CHECK_THROWS_AS(Buffer(SIZE_MAX - 4095, nullptr), std::bad_alloc);
    for (const size_t bytes : {size_t{1000}, size_t{5} << 20}) {
        Buffer buffer(bytes, nullptr, Buffer::HugePages::kLater);
        buffer.data()[bytes - 1] = 7;
        buffer.WantHugePages(0, bytes);
        buffer.WantHugePages(bytes, bytes);
        CHECK(buffer.data()[bytes - 1] == 7);
        buffer.Shrink(bytes / 2);  // counted by nobody
        CHECK(buffer.bytes() == bytes / 2);
    }
}
