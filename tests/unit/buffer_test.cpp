// Buffers that become smaller.
#include "storage/base/buffer.h"

#include <catch2/catch.hpp>
#include <memory>

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
