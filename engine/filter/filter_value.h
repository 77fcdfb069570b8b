// A value of a filter: a literal, or what a caller has bound to a parameter. Owning.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "storage/base/schema.h"

namespace quern::filter {

struct Value {
    Cell::Kind kind = Cell::Kind::kNull;
    int64_t number = 0;
    double real = 0;
    std::string text;  // or blob

    static Value Int(int64_t number) { return {Cell::Kind::kInt, number, 0, {}}; }
    static Value Real(double real);  // NaN becomes NULL, as in SQL
    static Value Text(std::string text) { return {Cell::Kind::kText, 0, 0, std::move(text)}; }
    static Value Blob(std::string bytes) { return {Cell::Kind::kBlob, 0, 0, std::move(bytes)}; }
    // Borrows from the value.
    Cell cell() const { return {kind, number, real, text}; }
};

// What is bound to a parameter.
struct Argument {
    bool bound = false;
    bool is_list = false;
    std::vector<Value> values;  // one, or those of the list
};

}  // namespace quern::filter
