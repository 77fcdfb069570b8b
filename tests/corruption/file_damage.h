// All kinds of damage to a small file, numbered, so that each can be done again by its number.
#pragma once

#include <string>
#include <vector>

#include "tests/corruption/file_images.h"
#include "tests/corruption/sample_files.h"

namespace quern::corruption {

enum class Family {
    kHeader,      // bytes of the first 512
    kCatalog,     // bytes of rows of the catalog
    kChunkHeads,  // first bytes of chunks
    kIndexHeads,  // bytes of the heads of indexes
    kPageHeads,   // bytes that describe a page of a B-tree
    kPageEnds,    // bytes of checksums of pages
    kTruncated,   // the file ends earlier, in steps of 512 bytes
    kZeroed,      // a page of zeros
    kSwapped,     // two pages have changed places
    kDoubled,     // a page lies over another, too
    kStale,       // a page is as it was in an earlier commit
    kLogBytes,    // bytes of the headers of the write-ahead log and its frames
    kLogCut,      // the log ends earlier, in steps of 512 bytes; 0: there is none
    kLogPlaces,   // frames of the log have changed places, or lie over others
    kLogForeign,  // the log of another file
    kRandom,      // bits, bytes and garbage anywhere in either file
    kCount
};
const char* FamilyName(Family family);
// Of a log, whose loss takes the last commits along: an answer of an earlier commit is right.
bool IsOfLog(Family family);

class Damages {
public:
    // Borrows both. foreign: a log of another file.
    Damages(const Sample& sample, const std::string& foreign);
    // How many there are (of random ones: without end).
    size_t Count(Family family) const;
    // Does number i of them to the sample's images. Empty: it would change nothing. Else says what
    // was done. log_only: whether the main file is as it was.
    std::string Apply(Family family, size_t i, uint64_t seed, Images* images, bool* log_only) const;

private:
    const std::vector<Place>& Places(Family family) const;
    const Sample& sample_;
    const std::string& foreign_;
    Anatomy anatomy_;
    std::vector<Place> header_;
    std::vector<Place> log_heads_;
};

}  // namespace quern::corruption
