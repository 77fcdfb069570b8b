// Names of formats and the choice of a reader.
#include "file_format.h"

#include <algorithm>
#include <cctype>
#include <iterator>

#include "bin_format.h"
#include "csv_format.h"
#include "format_error.h"
#include "idx_format.h"
#include "jsonl_format.h"
#include "lines_format.h"
#include "npy_format.h"
#include "npz_format.h"
#include "spmat_format.h"
#include "vecs_format.h"
#include "word_format.h"

namespace quern::shell {
namespace {

struct FormatName {
    const char* name;
    FileFormat format;
};

// The first name of a format is the one that is shown; the others are extensions in use.
constexpr FormatName kNames[] = {
    {"fvecs", FileFormat::kFvecs},       {"bvecs", FileFormat::kBvecs},
    {"ivecs", FileFormat::kIvecs},       {"fbin", FileFormat::kFbin},
    {"u8bin", FileFormat::kU8bin},       {"i8bin", FileFormat::kI8bin},
    {"ibin", FileFormat::kIbin},         {"npz", FileFormat::kNpz},
    {"spmat", FileFormat::kSpmat},       {"csr", FileFormat::kSpmat},
    {"anserini", FileFormat::kAnserini}, {"npy", FileFormat::kNpy},
    {"idx", FileFormat::kIdx},           {"words", FileFormat::kWords},
    {"jsonl", FileFormat::kJsonl},       {"csv", FileFormat::kCsv},
    {"tsv", FileFormat::kTsv},           {"txt", FileFormat::kWords},
    {"vec", FileFormat::kWords},         {"glove", FileFormat::kWords},
    {"w2v", FileFormat::kWords},         {"ndjson", FileFormat::kJsonl},
    {"word2vec", FileFormat::kWords},    {"lines", FileFormat::kLines},
};

std::string Lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

bool TakeEnding(std::string* text, const std::string& ending) {
    if (text->size() < ending.size() ||
        text->compare(text->size() - ending.size(), ending.size(), ending) != 0) {
        return false;
    }
    text->resize(text->size() - ending.size());
    return true;
}

}  // namespace

FileFormat FormatOfName(const std::string& name) {
    const std::string wanted = Lower(name);
    const auto* at = std::find_if(std::begin(kNames), std::end(kNames),
                                  [&](const FormatName& known) { return wanted == known.name; });
    return at == std::end(kNames) ? FileFormat::kUnknown : at->format;
}

const char* NameOfFormat(FileFormat format) {
    const auto* at = std::find_if(std::begin(kNames), std::end(kNames),
                                  [&](const FormatName& known) { return format == known.format; });
    return at == std::end(kNames) ? "unknown" : at->name;
}

FileFormat FormatOfPath(const std::string& path) {
    std::string name = Lower(path.substr(path.rfind('/') + 1));
    if (!TakeEnding(&name, ".gz")) {
        TakeEnding(&name, ".zst");
    }
    if (TakeEnding(&name, "-ubyte")) {  // train-images-idx3-ubyte, train-images.idx3-ubyte
        return FileFormat::kIdx;
    }
    const size_t dot = name.rfind('.');
    return dot == std::string::npos ? FileFormat::kUnknown : FormatOfName(name.substr(dot + 1));
}

const char* FormatNames() {
    return "fvecs, bvecs, ivecs, fbin, u8bin, i8bin, ibin, npy, npz, idx, words, spmat, jsonl, "
           "anserini, csv, tsv";
}

std::unique_ptr<RecordReader> NewRecordReader(std::unique_ptr<ByteSource> source, FileFormat format,
                                              char delimiter) {
    switch (format) {
        case FileFormat::kFvecs: return NewVecsReader(std::move(source), VecsElement::kF32);
        case FileFormat::kBvecs: return NewVecsReader(std::move(source), VecsElement::kU8);
        case FileFormat::kIvecs: return NewVecsReader(std::move(source), VecsElement::kI32);
        case FileFormat::kFbin: return NewBinReader(std::move(source), BinElement::kF32);
        case FileFormat::kU8bin: return NewBinReader(std::move(source), BinElement::kU8);
        case FileFormat::kI8bin: return NewBinReader(std::move(source), BinElement::kI8);
        case FileFormat::kIbin: return NewBinReader(std::move(source), BinElement::kI32);
        case FileFormat::kNpz: return NewNpzReader(std::move(source));
        case FileFormat::kSpmat: return NewSpmatReader(std::move(source));
        case FileFormat::kNpy: return NewNpyReader(std::move(source));
        case FileFormat::kIdx: return NewIdxReader(std::move(source));
        case FileFormat::kWords: return NewWordReader(std::move(source));
        case FileFormat::kJsonl:
        case FileFormat::kAnserini: return NewJsonlReader(std::move(source));
        case FileFormat::kCsv:
            return NewCsvReader(std::move(source), delimiter != 0 ? delimiter : ',');
        case FileFormat::kTsv:
            return NewCsvReader(std::move(source), delimiter != 0 ? delimiter : '\t');
        case FileFormat::kLines: return NewLinesReader(std::move(source));
        case FileFormat::kUnknown: break;
    }
    throw FormatError(source->name() +
                      ": the name does not tell the format; give --format, one of " +
                      FormatNames());
}

}  // namespace quern::shell
