// The JSON lines of Anserini and Pyserini, written: of a sparse field {"id","contents","vector"},
// where the vector is {"term":weight, ...}, of a dense one {"docid","vector"} with an array. The
// jsonl reader reads both; TermDimensions makes dimensions of terms.
#pragma once

#include "byte_sink.h"
#include "import_record.h"
#include "term_dimensions.h"

namespace quern::shell {

// Records have a key, and a vector or a first value of kind kSparse. terms: the names of
// dimensions, which must outlive the writer; NULL: dimensions are named by their numbers. A
// dimension without a term is a FormatError that names the record.
std::unique_ptr<RecordWriter> NewAnseriniWriter(std::unique_ptr<ByteSink> sink,
                                                const TermDimensions* terms);

}  // namespace quern::shell
