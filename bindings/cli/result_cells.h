// Cells of a result as values that the writers know, as JSON, and as short texts for tables.
#pragma once

#include <string>

#include "import_record.h"
#include "shell.h"

namespace quern::shell {

// Blobs become base64 text; vectors become numbers whatever their element type (bits: 0 and 1).
void ReadCell(const quern_result* result, size_t row, size_t col, Value* value);
void ReadVector(const void* elements, int32_t type, size_t dim, std::vector<float>* numbers);

// The key as JSON, and as plain text.
bool HasTextKeys(const quern_result* result);
std::string KeyJson(const quern_result* result, size_t row);
std::string KeyText(const quern_result* result, size_t row);
// ,"name":value for every column.
void AppendColumnsJson(const quern_result* result, size_t row, std::string* json);
// At most about 60 characters; vectors are cut to their first numbers.
std::string ShortText(const Value& value);

// JSON reports of the library, freed at once.
std::string TakeText(quern_text* text);

// Standard output, checked: a full disk behind a redirection must not look like success.
void Print(std::string_view text);
void FlushOutput();

}  // namespace quern::shell
