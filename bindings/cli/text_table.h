// TextTable: rows of cells in columns of equal width, for people.
//
// Widths count code points of UTF-8: wide and combining characters come out a little crooked, which
// no program reads.
#pragma once

#include <cstdio>
#include <string>
#include <vector>

namespace quern::shell {

class TextTable {
public:
    // A title starting with '>' makes its column right-aligned.
    explicit TextTable(const std::vector<std::string>& titles);
    void AddRow(std::vector<std::string> cells);
    bool empty() const { return rows_.empty(); }
    void Print(std::FILE* out) const;

private:
    std::vector<bool> right_;
    std::vector<std::string> titles_;
    std::vector<std::vector<std::string>> rows_;
};

}  // namespace quern::shell
