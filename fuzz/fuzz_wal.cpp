// A file and its write-ahead log, whose checksums fit: what a hostile log lays over a sound file.
//
// The first byte chooses one of the files with a log, the second is flags, as for fuzz_open; then
// patches, as patched_file.h says.
#include "fuzz/patched_file.h"

using namespace quern::fuzzing;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size < kPrefixBytes) {
        return 0;
    }
    std::vector<const SoundFile*> with_log;
    for (const SoundFile& file : SoundFiles()) {
        if (!file.sample.images.log.empty()) {
            with_log.push_back(&file);
        }
    }
    const SoundFile& sound = *with_log[data[0] % with_log.size()];
    quern::corruption::Images images = sound.sample.images;
    const quern::BytesView bytes(reinterpret_cast<const char*>(data), size);
    PatchLog(ReadPatches(bytes.substr(kPrefixBytes)), (data[1] & 1) == 0, &images);
    UseFile(sound, images, data[1]);
    return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t size_max,
                                          unsigned seed) {
    return MutatePatches(data, size, size_max, seed);
}
