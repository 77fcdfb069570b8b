// Fuzzes the writers of formats that hold vectors: the bytes make records, a writer writes them to
// a file, and what the reader of the format gives must be what was written, bit by bit (NaN as
// NaN; in JSON, which has neither, finite numbers, and no minus zero).
//
// Byte 0 chooses the format, byte 1 the dimension or the entries of a sparse vector; the rest are
// numbers, as many rows as there are bytes for. A number that the format cannot hold must be a
// FormatError of the writer.
#include <unistd.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <set>

#include "anserini_format.h"
#include "bin_format.h"
#include "byte_sink.h"
#include "file_format.h"
#include "format_error.h"
#include "idx_format.h"
#include "npy_format.h"
#include "npz_format.h"
#include "sparse_text.h"
#include "spmat_format.h"
#include "vecs_format.h"

using namespace quern::shell;

namespace {

bool Same(const std::vector<float>& a, const std::vector<float>& b) {
    return a.size() == b.size() &&
           (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

void Check(bool truth) {
    if (!truth) {
        std::abort();
    }
}

struct Rows {
    std::vector<std::vector<float>> vectors;
    std::vector<std::vector<uint32_t>> dims;  // of sparse rows, ascending
};

// What a byte chooses.
struct Choice {
    FileFormat format;
    bool sparse;
};
constexpr Choice kChoices[] = {
    {FileFormat::kFbin, false},     {FileFormat::kU8bin, false},   {FileFormat::kI8bin, false},
    {FileFormat::kSpmat, true},     {FileFormat::kNpz, false},     {FileFormat::kIbin, false},
    {FileFormat::kAnserini, false}, {FileFormat::kAnserini, true}, {FileFormat::kNpy, false},
    {FileFormat::kIdx, false},      {FileFormat::kFvecs, false},   {FileFormat::kBvecs, false},
    {FileFormat::kIvecs, false}};

// Readers of ibin and ivecs give floats, which whole numbers beyond 2^24 do not fit.
float Number(float number, FileFormat format) {
    if (format == FileFormat::kAnserini) {
        return std::isfinite(number) ? number + 0.0f : 1.0f;
    }
    const bool whole = format == FileFormat::kIbin || format == FileFormat::kIvecs ||
                       format == FileFormat::kBvecs || format == FileFormat::kU8bin ||
                       format == FileFormat::kI8bin;
    return whole && number == 0 ? 0.0f : number;
}

Rows MakeRows(const uint8_t* data, size_t size, size_t dim, FileFormat format, bool sparse) {
    Rows rows;
    const size_t row_bytes = dim * (sparse ? 8 : 4);
    for (; size >= row_bytes && rows.vectors.size() < 100; data += row_bytes, size -= row_bytes) {
        std::vector<float> vector(dim);
        std::memcpy(vector.data(), data, dim * 4);
        for (float& number : vector) {
            number = Number(number, format);
        }
        std::set<uint32_t> dims;
        for (size_t i = 0; sparse && i < dim; i++) {
            uint32_t number;
            std::memcpy(&number, data + 4 * (dim + i), 4);
            dims.insert(number);
        }
        if (sparse) {
            vector.resize(dims.size());
        }
        rows.vectors.push_back(vector);
        rows.dims.emplace_back(dims.begin(), dims.end());
    }
    return rows;
}

std::unique_ptr<RecordWriter> NewWriter(FileFormat format, std::unique_ptr<ByteSink> sink,
                                        size_t rows, size_t dim) {
    switch (format) {
        case FileFormat::kFbin: return NewBinWriter(std::move(sink), BinElement::kF32, rows, dim);
        case FileFormat::kU8bin: return NewBinWriter(std::move(sink), BinElement::kU8, rows, dim);
        case FileFormat::kI8bin: return NewBinWriter(std::move(sink), BinElement::kI8, rows, dim);
        case FileFormat::kIbin: return NewBinWriter(std::move(sink), BinElement::kI32, rows, dim);
        case FileFormat::kSpmat: return NewSpmatWriter(std::move(sink), 0);
        case FileFormat::kAnserini: return NewAnseriniWriter(std::move(sink), nullptr);
        case FileFormat::kNpy: return NewNpyWriter(std::move(sink), NpyElement::kF4, rows, dim);
        case FileFormat::kIdx: return NewIdxWriter(std::move(sink), IdxElement::kF32, rows, dim);
        case FileFormat::kFvecs: return NewVecsWriter(std::move(sink), VecsElement::kF32);
        case FileFormat::kBvecs: return NewVecsWriter(std::move(sink), VecsElement::kU8);
        case FileFormat::kIvecs: return NewVecsWriter(std::move(sink), VecsElement::kI32);
        default: break;
    }
    NpzShape shape;
    shape.field = "v";
    shape.rows = rows;
    shape.dim = dim;
    shape.key_name = "id";
    return NewNpzWriter(std::move(sink), shape);
}

// A line of Anserini's: the key, and the vector, dense or of dimensions that are named by their
// numbers.
void CheckLine(const Record& record, const Rows& rows, size_t row, bool sparse) {
    const Value* const key = record.Find(sparse ? "id" : "docid");
    const Value* const value = record.Find("vector");
    Check(key != nullptr && key->text == std::to_string(row) && value != nullptr);
    if (!sparse) {
        Check(Same(value->numbers, rows.vectors[row]));
        return;
    }
    SparseEntries entries;
    std::string problem;
    Check(ConvertSparse(*value, uint64_t{1} << 32, false, &entries, &problem));
    Check(entries.dims == rows.dims[row] && Same(entries.weights, rows.vectors[row]));
}

void RoundTrip(const Choice& choice, const Rows& rows, size_t dim, const std::string& path) {
    const auto [format, sparse] = choice;
    const auto writer = NewWriter(format, ByteSink::Open(path, true), rows.vectors.size(), dim);
    for (size_t row = 0; row < rows.vectors.size(); row++) {
        Record record;
        record.key = std::to_string(row);
        record.has_vector = !sparse;
        record.vector = rows.vectors[row];
        if (sparse) {
            Value& value = record.Add("v");
            value.kind = Value::Kind::kSparse;
            value.dims = rows.dims[row];
            value.numbers = rows.vectors[row];
        }
        writer->Write(record);
    }
    writer->Finish();
    const auto reader = NewRecordReader(
        ByteSource::Open(path), format == FileFormat::kAnserini ? FileFormat::kJsonl : format);
    Record record;
    for (size_t row = 0; row < rows.vectors.size(); row++) {
        Check(reader->Next(&record));
        if (format == FileFormat::kAnserini) {
            CheckLine(record, rows, row, sparse);
            continue;
        }
        if (record.has_vector) {
            Check(Same(record.vector, rows.vectors[row]));
            continue;
        }
        const Value* const value = record.Find(sparse ? kSpmatColumn : "v");
        Check(value != nullptr && Same(value->numbers, rows.vectors[row]));
        Check(!sparse || value->dims == rows.dims[row]);
        Check(sparse || record.Find("id")->text == std::to_string(row));
    }
    Check(!reader->Next(&record));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size < 2) {
        return 0;
    }
    static const std::string path = "/tmp/quern_fuzz_export_" + std::to_string(getpid());
    const Choice& choice = kChoices[data[0] % std::size(kChoices)];
    const size_t dim = 1 + data[1] % 16;
    try {
        RoundTrip(choice, MakeRows(data + 2, size - 2, dim, choice.format, choice.sparse), dim,
                  path);
    } catch (const FormatError&) {
        // Numbers that the format has no place for.
    }
    unlink(path.c_str());
    return 0;
}
