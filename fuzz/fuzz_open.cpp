// A whole file whose checksums fit, and everything that can be done with it.
//
// The first byte chooses the sound file, the second is flags: bit 0: checksums are left as they
// are; bits 1 to 3: the file is also optimized, rebuilt, vacuumed. Then patches, as patched_file.h
// says. An input that begins as SQLite files do is a file by itself, for campaigns that start from
// whole ones.
#include <cstring>

#include "fuzz/patched_file.h"

using namespace quern::fuzzing;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static constexpr char kMagic[] = "SQLite format 3";
    const quern::BytesView bytes(reinterpret_cast<const char*>(data), size);
    if (size < kPrefixBytes) {
        return 0;
    }
    const bool whole = bytes.substr(0, sizeof kMagic) == quern::BytesView(kMagic, sizeof kMagic);
    const SoundFile& sound = SoundFiles()[whole ? 0 : data[0] % SoundFiles().size()];
    quern::corruption::Images images = sound.sample.images;
    images.log.clear();
    if (whole) {
        images.main = std::string(bytes);
        PatchMain({}, true, &images.main);
    } else {
        PatchMain(ReadPatches(bytes.substr(kPrefixBytes)), (data[1] & 1) == 0, &images.main);
    }
    UseFile(sound, images, whole ? 0xff : data[1]);
    return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t size_max,
                                          unsigned seed) {
    return MutatePatches(data, size, size_max, seed);
}
