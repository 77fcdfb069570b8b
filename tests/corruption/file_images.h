// A database as bytes: the file and its write-ahead log, put into and taken out of the VFS in
// memory; and what lies where in them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace quern::corruption {

inline constexpr size_t kPageBytes = 16384;
inline constexpr size_t kPageContent = 16320;  // behind it is the page's checksum
inline constexpr size_t kLogHeaderBytes = 32;
inline constexpr size_t kFrameHeaderBytes = 24;
inline constexpr size_t kFrameBytes = kFrameHeaderBytes + kPageBytes;

struct Images {
    std::string main;
    std::string log;  // empty: there is none
    bool operator==(const Images& other) const { return main == other.main && log == other.log; }
};

// From the first call on, paths given to quern_open name files in memory.
void UseMemoryFiles();
void PutImages(const std::string& path, const Images& images);
Images TakeImages(const std::string& path);
void DropImages(const std::string& path);

// A stretch of bytes of the main file.
struct Place {
    size_t offset = 0;
    size_t bytes = 0;
};

// Where the parts of a sound file lie that others hang on.
struct Anatomy {
    std::vector<Place> catalog;  // the rows of the schema and of the tables quern_..., but chunks
    std::vector<Place> chunk_heads;  // the first bytes of chunks
    std::vector<Place> index_heads;  // the chunks of parts that say what an index is
    std::vector<Place> page_heads;   // of B-trees: the header, and where cells are
    std::vector<Place> page_ends;    // checksums of pages
};
Anatomy AnatomyOf(const std::string& main);

}  // namespace quern::corruption
