// Rival: what every engine of the dense benchmark looks like to the code that measures it.
//
// The interface is as narrow as the narrowest engine: build an index into a file, load it, answer
// one query at a time. Whatever is searched has been loaded from its file before, also right after
// it was built, so that a run over kept indexes measures the same thing as a run that built them.
// An effort is a text of "key=value" words (for quern it is the option string itself), so that the
// raw figures say by themselves how they were made.
//
// Threads: a Rival is built and loaded by one thread. Searchers belong to one thread each and may
// run beside each other, and beside Insert where the engine allows it (RivalKind::guards_itself).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace bench {

struct Space {
    size_t dim = 0;
    int32_t metric = 0;  // QUERN_L2, QUERN_IP, or QUERN_COSINE (then all vectors are normalised)
};

// Row-major.
struct Matrix {
    size_t dim = 0;
    std::vector<float> values;

    size_t rows() const { return dim == 0 ? 0 : values.size() / dim; }
    const float* row(size_t i) const { return values.data() + i * dim; }
};

inline constexpr uint32_t kNoRow = UINT32_MAX;

class Searcher {
public:
    Searcher() = default;
    Searcher(const Searcher&) = delete;
    Searcher& operator=(const Searcher&) = delete;
    virtual ~Searcher() = default;
    // The rows of the k nearest vectors, in any order; kNoRow in the places that stay empty.
    virtual void Search(const float* query, size_t k, uint32_t* rows) = 0;
};

class Rival {
public:
    Rival() = default;
    Rival(const Rival&) = delete;
    Rival& operator=(const Rival&) = delete;
    virtual ~Rival() = default;

    // Builds an index of the rows and leaves it at path. Returns wall seconds from rows in memory
    // to an index that can answer: writing the file counts where building writes it, as in quern.
    virtual double Build(const Matrix& rows, size_t threads, const std::string& path) = 0;
    // On an object on which nothing was called before. spare_rows: room for Insert.
    virtual void Load(const std::string& path, size_t spare_rows) = 0;
    // From the quickest to the most thorough.
    virtual std::vector<std::string> Efforts() const = 0;
    // Called on the thread that will search; all searchers of one time have the same effort.
    virtual std::unique_ptr<Searcher> NewSearcher(const std::string& effort) = 0;
    // Rows numbered from first on; searchable when the call returns. Only for engines whose kind
    // names insert_batches.
    virtual void Insert(const float* rows, size_t count, uint32_t first);
};

struct RivalKind {
    std::string slug;   // of the command line and of file names
    std::string label;  // of tables and curves
    std::function<std::unique_ptr<Rival>(const Space&)> make;
    // False: built anew in every run, whatever --cache holds, but with --reuse. quern, because it
    // is what changes.
    bool keeps_index = true;
    std::vector<size_t> insert_batches =
        {};                      // rows of one Insert to be measured; empty: cannot insert
    bool guards_itself = false;  // Insert and Search may run at the same time
    // MiB of vectors, codes and links in the file at a path, each as it is without compression;
    // only for engines whose file is held against that.
    std::function<double(const std::string& path)> content_mib = nullptr;
};

// In the order of tables.
std::vector<RivalKind> AllRivals();

// One source file each.
void AddQuernRivals(std::vector<RivalKind>* kinds);
void AddHnswlibRival(std::vector<RivalKind>* kinds);
void AddFaissRivals(std::vector<RivalKind>* kinds);
void AddExactRival(std::vector<RivalKind>* kinds);
void AddSignsRival(std::vector<RivalKind>* kinds);

// The integer behind "key=" in an effort.
size_t EffortValue(const std::string& effort, const std::string& key);

// Beam widths for graphs: half an octave apart, so that interpolation between two is harmless.
std::vector<std::string> BeamEfforts();

}  // namespace bench
