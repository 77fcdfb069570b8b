// Word vectors as text: word2vec's text form (a first line "COUNT DIM") and GloVe's (without it).
//
//   word v1 v2 ... vd
//
// The word is the key. Some GloVe sets have words with spaces in them (". . ."), so the last d
// fields of a line are the vector and everything before them is the word; d comes from the header
// line, or from the first line. A first line of two whole numbers is taken for the header.
#pragma once

#include "import_record.h"

namespace quern::shell {

std::unique_ptr<RecordReader> NewWordReader(std::unique_ptr<ByteSource> source);

}  // namespace quern::shell
