// Texts, one a line: each line, an empty one too, is a record whose value "text" it is. So the row
// of a record is the number of its line less one. "\n" and "\r\n" end a line; nothing is quoted.
// What is not UTF-8, or has a NUL, is a bad line.
#pragma once

#include "import_record.h"

namespace quern::shell {

// The name of the value.
inline constexpr const char* kLineColumn = "text";

std::unique_ptr<RecordReader> NewLinesReader(std::unique_ptr<ByteSource> source);

}  // namespace quern::shell
