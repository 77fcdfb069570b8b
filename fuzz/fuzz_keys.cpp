// Roaring bitmaps as anybody could write them: the first byte says whether of 32 or of 64 bits.
//
// Every bitmap must be a set of as many keys as it says, ascending within their halves and found in
// it, or be refused.
#include <cstdint>
#include <cstdlib>

#include "engine/filter/key_set.h"

using namespace quern;
using namespace quern::filter;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0) {
        return 0;
    }
    const BytesView bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    auto set = KeySet::OfRoaring(bytes, data[0] % 2 == 0 ? 32 : 64);
    if (!set.ok()) {
        return 0;
    }
    // A run says much in few bytes.
    constexpr uint64_t kLookedAt = 1 << 20;
    uint64_t count = 0;
    const Status all = (*set)->EachKey([&](const Key& key) -> Status {
        if (!(*set)->Has(key)) {
            std::abort();
        }
        return ++count < kLookedAt ? Status() : Status::Error(Code::kLimit, "enough");
    });
    if (all.ok() && count != (*set)->count()) {
        std::abort();
    }
    (void)(*set)->HasInt(static_cast<int64_t>(size) - 20);
    return 0;
}
