// Codes: what a graph walks on instead of the vectors, smaller and quicker to compare. One class
// for each kind, all behind this interface.
//
//   kind        class          a dimension takes   error
//   f16, bf16   NarrowCodes    16 bits             2^-11 or 2^-8 of an element
//   i8, 4bit    ScalarCodes    8 or 4 bits         half a step of that dimension, clipped tails
//   packed      ScalarCodes    4 bits              the same; see neighbour_blocks.h
//   lvq8, lvq4  LvqCodes       8 or 4 bits         half a step of that vector
//   pq          ProductCodes   2 bits              what k-means leaves; no bound
//   1bit        BitCodes       1 bit               stated for each vector: see CodeScorer::Estimate
//
// Results are measured again with the stored vectors, so a code only has to order neighbours well.
// A walk calls Score once for each block of neighbours; what it does with one neighbour is not
// virtual.
//
// Thread rule: Codes are immutable after Train or Read; Encode and NewScorer may run on many
// threads. A scorer belongs to one thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>

#include "engine/dense/vector_rows.h"
#include "storage/base/bytes.h"
#include "storage/base/status.h"
#include "storage/base/work.h"

namespace quern::dense {

// The numbers reach the file: do not change them.
enum class CodeChoice : uint8_t {
    kNone = 0,  // the vectors themselves
    k1Bit = 1,
    kProduct = 2,
    k4Bit = 4,
    kLvq4 = 5,
    k8Bit = 8,
    kLvq8 = 9,
    kF16 = 16,
    kBF16 = 17,
    kPacked = 32,  // those of k4Bit; a graph lays bits of neighbours beside its links
    kAuto = 255,   // never in a file: measured when the index is built
};

// Rows that one call of a scorer takes: as many as a walk has neighbours at once, and more.
inline constexpr size_t kScoredMax = 1024;

// All codes of one index. Borrowed.
struct CodeRows {
    const uint8_t* rows = nullptr;  // Codes::row_bytes() each, no gaps
    const float* norms = nullptr;   // one a row if Codes::has_norms()
};

// One query against the codes of one index.
class CodeScorer {
public:
    virtual ~CodeScorer() = default;
    // Numbers that order nodes like the metric, smaller is nearer; what is the same for all nodes
    // is left out. count: at most kScoredMax.
    virtual void Score(const uint32_t* nodes, size_t count, float* distances) const = 0;
    // For codes that know their error: turns scores into distances of the metric, with the error
    // to each side that all but 6 in 100 of them stay within (1.9 standard errors). False: these
    // codes do not know.
    virtual bool Estimate(const uint32_t* nodes, size_t count, const float* scores,
                          float* distances, float* errors) const {
        static_cast<void>(nodes), static_cast<void>(count), static_cast<void>(scores);
        static_cast<void>(distances), static_cast<void>(errors);
        return false;
    }
    // Asks for a node's row ahead of time.
    void Fetch(uint32_t node) const {
        const uint8_t* row = rows_.rows + node * row_bytes_;
        for (size_t at = 0; at < fetched_bytes_; at += 64) {
            __builtin_prefetch(row + at);
        }
        if (rows_.norms != nullptr) {
            __builtin_prefetch(rows_.norms + node);
        }
    }

protected:
    CodeScorer(const CodeRows& rows, size_t row_bytes)
        : rows_(rows),
          row_bytes_(row_bytes),
          fetched_bytes_(std::min<size_t>(row_bytes, kFetchedBytesMax)) {}
    // Longer rows would push each other out of the first cache.
    static constexpr size_t kFetchedBytesMax = 1024;
    CodeRows rows_;
    size_t row_bytes_;
    size_t fetched_bytes_;
};

// How wrong scores of one query may be, by rounding the query and by f32.
class ScoreError {
public:
    virtual ~ScoreError() = default;
    // By how much a score may be above what the restored row would get from the query in real
    // numbers, for rows that restore to within `radius` of t times the query; t is 1 under l2, at
    // least 0 otherwise.
    virtual double Above(double t, double radius) const = 0;
};

class Codes {
public:
    virtual ~Codes() = default;
    // Learns from a sample of bounded size, the same for the same rows. kind: neither kNone nor
    // kAuto. Not for bits.
    static Result<std::unique_ptr<Codes>> Train(CodeChoice kind, const VectorRows& rows,
                                                int threads, Work* work);
    // kCorrupt when the bytes are no codes of that dimension.
    static Result<std::unique_ptr<Codes>> Read(ByteReader* reader, Metric metric, size_t dim);
    void Write(ByteWriter* writer) const {
        writer->U8(static_cast<uint8_t>(kind_));
        WriteBody(writer);
    }
    // Bytes of one row, without training; what is learnt can make it less.
    static size_t RowBytes(CodeChoice kind, Metric metric, size_t dim);

    CodeChoice kind() const { return kind_; }
    Metric metric() const { return metric_; }
    size_t dim() const { return dim_; }
    size_t row_bytes() const { return row_bytes_; }
    // Whether a squared norm of each decoded row is kept beside the rows.
    bool has_norms() const {
        return metric_ == Metric::kL2 &&
               (kind_ == CodeChoice::k4Bit || kind_ == CodeChoice::k8Bit ||
                kind_ == CodeChoice::kPacked);
    }
    // Whether CodeScorer::Estimate knows.
    bool states_error() const { return kind_ == CodeChoice::k1Bit; }
    // Codes of rows first .. first + count to out and, if has_norms(), their norms.
    virtual void Encode(const VectorRows& rows, size_t first, size_t count, uint8_t* out,
                        float* norms) const = 0;
    // All rows, on several threads.
    Status EncodeAll(const VectorRows& rows, uint8_t* out, float* norms, int threads,
                     Work* work) const;
    // Rows that came from a file: true when all numbers in them are numbers.
    virtual bool Valid(const CodeRows& rows, size_t count) const;
    // vector: dim f32; under cosine of any length. The scorer borrows the codes and the rows, not
    // the vector.
    virtual std::unique_ptr<CodeScorer> NewScorer(const float* vector,
                                                  const CodeRows& rows) const = 0;
    // Turns scores of a query into distances of the metric, as wrong as the codes are.
    void ToDistances(const float* vector, std::vector<float>* scores) const;
    // What scores leave out: a distance is `add` plus `factor` times the score; for cosine as if
    // that of the inner product with the query as long as it is.
    struct LeftOut {
        double add = 0;
        double factor = 1;
    };
    virtual LeftOut LeftOutOf(const float* vector) const = 0;
    // What a row's codes stand for, dim numbers; under cosine the row has length one. False: no
    // bound of what scores make of it is known (NewScoreError).
    virtual bool Restore(const CodeRows& rows, size_t row, double* out) const {
        static_cast<void>(rows), static_cast<void>(row), static_cast<void>(out);
        return false;
    }
    // NULL: nobody knows. The vector is as for NewScorer, and not kept.
    virtual std::unique_ptr<ScoreError> NewScoreError(const float* vector) const {
        static_cast<void>(vector);
        return nullptr;
    }
    // The score of a distance: the other way round. Infinite where no score is so far, or none so
    // near.
    float ScoreAt(const float* vector, double distance) const;

protected:
    Codes(CodeChoice kind, Metric metric, size_t dim)
        : kind_(kind), metric_(metric), dim_(dim), row_bytes_(RowBytes(kind, metric, dim)) {}
    void SetRowBytes(size_t row_bytes) { row_bytes_ = row_bytes; }
    virtual void WriteBody(ByteWriter* writer) const = 0;

private:
    CodeChoice kind_;
    Metric metric_;
    size_t dim_;
    size_t row_bytes_;
};

}  // namespace quern::dense
