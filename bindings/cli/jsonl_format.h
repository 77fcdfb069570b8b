// JSONL: one JSON object a line; its members are the values of a record. Blank lines are passed
// over.
//
// Lines are read as a stream of events, not into a tree: a vector of numbers goes straight into
// floats, an array of texts into tags, and anything else nested is kept as JSON text. Memory stays
// near the line's own size, and nesting is limited (the depth of a tree would otherwise be the
// file's choice). A malformed line is a recoverable error.
#pragma once

#include "byte_sink.h"
#include "import_record.h"

namespace quern::shell {

std::unique_ptr<RecordReader> NewJsonlReader(std::unique_ptr<ByteSource> source);
// Writes each record's named values as one object, in their order.
std::unique_ptr<RecordWriter> NewJsonlWriter(std::unique_ptr<ByteSink> sink);

// Parses one JSON object into the values of a record; false with *problem when it is not one.
bool ParseJsonObject(std::string_view json, Record* record, std::string* problem);
// Parses one JSON value of any kind; false with *problem when the text is malformed.
bool ParseJsonValue(std::string_view json, Value* value, std::string* problem);

}  // namespace quern::shell
