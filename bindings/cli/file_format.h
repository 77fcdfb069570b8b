// The file formats the shell knows, their names, and which of them a file has by its name.
#pragma once

#include <memory>
#include <string>

#include "import_record.h"

namespace quern::shell {

enum class FileFormat {
    kUnknown,
    kFvecs,
    kBvecs,
    kIvecs,
    kFbin,
    kU8bin,
    kI8bin,
    kIbin,
    kNpy,
    kNpz,
    kIdx,
    kWords,
    kSpmat,
    kJsonl,
    kAnserini,  // read as jsonl
    kCsv,
    kTsv,
    kLines
};

// "fvecs", "npy", ...; kUnknown for any other name.
FileFormat FormatOfName(const std::string& name);
const char* NameOfFormat(FileFormat format);
// By the extension, before .gz or .zst.
FileFormat FormatOfPath(const std::string& path);
// All names, for messages.
const char* FormatNames();

// A reader of the format; delimiter 0 means the format's own. Throws FormatError for kUnknown.
std::unique_ptr<RecordReader> NewRecordReader(std::unique_ptr<ByteSource> source, FileFormat format,
                                              char delimiter = 0);

}  // namespace quern::shell
