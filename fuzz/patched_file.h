// Files as a hostile hand could have made them: a sound one (tests/corruption/sample_files.h), and
// a list of patches to its pages, rows and chunks, after which all checksums are made to fit, so
// that what is behind them meets the damage.
//
// An input is small, therefore: a byte that chooses the sound file, a byte of flags, and patches of
// 16 bytes each. That form is also what a mutator can change piece by piece.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "storage/base/bytes.h"
#include "tests/corruption/damage_trial.h"
#include "tests/corruption/file_images.h"
#include "tests/corruption/sample_files.h"

namespace quern::fuzzing {

struct Patch {
    uint8_t op = 0;
    uint8_t a = 0;
    uint8_t b = 0;
    uint8_t c = 0;
    uint32_t place = 0;
    uint64_t value = 0;
    BytesView bytes;  // all 16
};
inline constexpr size_t kPatchBytes = 16;
inline constexpr size_t kPrefixBytes = 2;  // which sound file, flags

std::vector<Patch> ReadPatches(BytesView bytes);

// A sound file and what it is asked.
struct SoundFile {
    corruption::Sample sample;
    std::vector<corruption::Question> questions;
};
// Made by the first call.
const std::vector<SoundFile>& SoundFiles();

// What the patches of a whole file change:
//   op 0  eight bytes of a page: page a, offset `place`; b of them
//   op 1  a cell of the catalog: table a, row b, column c; its type and value are `place`, `value`
//   op 2  the content of a chunk: part a, chunk b, at offset `place`; c: as it is, cut, longer
//   op 3  the directory of a part: part a, chunk b, number c
//   op 4  the stored form of a chunk: the next c patches are its bytes, `place` its raw size,
//         `value` its codec
//   op 5  a page lies over another: a over b
//   op 6  a row of the catalog is deleted: table a, row b
//   op 7  the file ends behind page a
// sealed: layouts and page checksums are made to fit.
void PatchMain(const std::vector<Patch>& patches, bool sealed, std::string* main);

// What the patches of a log change:
//   op 0  eight bytes of a frame's page: frame a, offset `place`
//   op 1  a frame's page number; op 2  the size of the file that a frame says
//   op 3  the log ends at `place`; op 4  frames a and b change places; op 5  a comes again
//   op 6  eight bytes of the log's header, at a; op 7  of a page of the main file
// sealed: salts and checksums are made to fit.
void PatchLog(const std::vector<Patch>& patches, bool sealed, corruption::Images* images);

// Does with a file what can be done with one; flags add what takes long. Aborts where the library
// says that it has a bug.
void UseFile(const SoundFile& sound, const corruption::Images& images, uint8_t flags);

// Changes, adds, doubles or takes away a patch. For LLVMFuzzerCustomMutator.
size_t MutatePatches(uint8_t* data, size_t size, size_t size_max, unsigned seed);

}  // namespace quern::fuzzing
