// Word vectors as text: word2vec's text form (a first line "COUNT DIM") and GloVe's (without it).
//
//   word v1 v2 ... vd
//
// The word is the key. Some GloVe sets have words with spaces in them (". . ."), so the last d
// fields of a line are the vector and everything before them is the word; d comes from the header
// line, or from the first line. A first line of two whole numbers is taken for the header.
#pragma once

#include "byte_sink.h"
#include "import_record.h"

namespace quern::shell {

std::unique_ptr<RecordReader> NewWordReader(std::unique_ptr<ByteSource> source);

struct WordHeader {
    uint64_t rows = 0;
    size_t dim = 0;
};

// header: the first line, as word2vec writes it; NULL: none, as in GloVe's files. Writing throws a
// FormatError for a word that would not be read back as it is.
std::unique_ptr<RecordWriter> NewWordWriter(std::unique_ptr<ByteSink> sink,
                                            const WordHeader* header);

}  // namespace quern::shell
