// CSV with a header line, as RFC 4180 describes it: cells may stand in double quotes, quotes inside
// are doubled, and quoted cells may hold line ends, which are kept as they are. The delimiter is a
// comma, or a tab for .tsv, or what the user says.
//
// A vector is one column that holds a JSON array, or a run of columns "emb[0]", "emb[1]", ... that
// becomes the one value "emb". An empty cell is null; an empty text is written "". What a cell is
// (number, text, JSON) is decided by the column's type, so cells come out as texts
// (Value::Kind::kCell).
#pragma once

#include "byte_sink.h"
#include "import_record.h"

namespace quern::shell {

std::unique_ptr<RecordReader> NewCsvReader(std::unique_ptr<ByteSource> source, char delimiter);
// names: the header. Each record must have the same values in the same order.
std::unique_ptr<RecordWriter> NewCsvWriter(std::unique_ptr<ByteSink> sink,
                                           const std::vector<std::string>& names, char delimiter);

// One cell as it stands in a CSV file, with commas or with tabs: quoted where it must be. An empty
// text is quoted, so that it is not a null.
void AppendCsvCell(std::string_view text, std::string* line);

}  // namespace quern::shell
