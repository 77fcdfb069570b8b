// Mutation of inputs of patches: see patched_file.h.
#include <cstring>
#include <iterator>

#include "fuzz/patched_file.h"
#include "storage/base/hash.h"

// Of libFuzzer, or of replay_main.cpp.
extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t size_max);

namespace quern::fuzzing {

size_t MutatePatches(uint8_t* data, size_t size, size_t size_max, unsigned seed) {
    static constexpr uint64_t kValues[] = {0,
                                           1,
                                           2,
                                           127,
                                           255,
                                           256,
                                           0xffff,
                                           0x10000,
                                           0x7fffffff,
                                           0x80000000,
                                           0xffffffff,
                                           uint64_t{1} << 36,
                                           uint64_t{1} << 40,
                                           (uint64_t{1} << 62) - 1,
                                           uint64_t{1} << 62,
                                           (uint64_t{1} << 63) - 1,
                                           uint64_t{1} << 63,
                                           ~uint64_t{0}};
    uint64_t state = MixSeed(seed, 1);
    const auto below = [&](size_t n) {
        state = MixSeed(state, 3);
        return static_cast<size_t>(state % n);
    };
    if (size < kPrefixBytes) {
        data[0] = static_cast<uint8_t>(below(256));
        data[1] = static_cast<uint8_t>(below(2) == 0 ? 0 : below(16));
        size = kPrefixBytes;
    }
    size_t patches = (size - kPrefixBytes) / kPatchBytes;
    uint8_t* const first = data + kPrefixBytes;
    const bool room = kPrefixBytes + (patches + 1) * kPatchBytes <= size_max;
    const size_t choice = below(10);
    if (patches == 0 || (choice < 4 && room)) {  // a new one
        if (!room) {
            return size;
        }
        uint8_t* const patch = first + patches * kPatchBytes;
        for (size_t i = 0; i < kPatchBytes; i++) {
            patch[i] = static_cast<uint8_t>(below(256));
        }
        patch[0] = static_cast<uint8_t>(below(8));
        const uint64_t value = kValues[below(std::size(kValues))];
        std::memcpy(patch + 8, &value, sizeof value);
        patches++;
    } else if (choice < 6) {  // another number
        uint8_t* const patch = first + below(patches) * kPatchBytes;
        const uint64_t value = kValues[below(std::size(kValues))] + below(3) - 1;
        if (below(3) == 0) {
            const auto place = static_cast<uint32_t>(value);
            std::memcpy(patch + 4, &place, sizeof place);
        } else {
            std::memcpy(patch + 8, &value, sizeof value);
        }
    } else if (choice == 6) {  // one less
        uint8_t* const patch = first + below(patches) * kPatchBytes;
        std::memmove(patch, patch + kPatchBytes,
                     static_cast<size_t>(first + patches * kPatchBytes - patch) - kPatchBytes);
        patches--;
    } else if (choice == 7) {  // another file, or other flags
        LLVMFuzzerMutate(data, kPrefixBytes, kPrefixBytes);
    } else {  // bytes of one
        uint8_t* const patch = first + below(patches) * kPatchBytes;
        LLVMFuzzerMutate(patch + below(4), 12, 12);
    }
    return kPrefixBytes + patches * kPatchBytes;
}

}  // namespace quern::fuzzing
