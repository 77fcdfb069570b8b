// Printing tables.
#include "text_table.h"

#include <algorithm>

namespace quern::shell {
namespace {

size_t Width(const std::string& text) {
    return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xc0u) != 0x80u;
    }));
}

}  // namespace

TextTable::TextTable(const std::vector<std::string>& titles) {
    for (const std::string& title : titles) {
        right_.push_back(!title.empty() && title[0] == '>');
        titles_.push_back(right_.back() ? title.substr(1) : title);
    }
}

void TextTable::AddRow(std::vector<std::string> cells) {
    cells.resize(titles_.size());
    for (std::string& cell : cells) {
        // A line end inside a cell would break the table.
        std::replace_if(
            cell.begin(), cell.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; },
            ' ');
    }
    rows_.push_back(std::move(cells));
}

void TextTable::Print(std::FILE* out) const {
    std::vector<size_t> widths;
    for (const std::string& title : titles_) {
        widths.push_back(Width(title));
    }
    for (const auto& row : rows_) {
        for (size_t i = 0; i < row.size(); i++) {
            widths[i] = std::max(widths[i], Width(row[i]));
        }
    }
    auto print = [&](const std::vector<std::string>& cells) {
        std::string line;
        for (size_t i = 0; i < cells.size(); i++) {
            const std::string padding(widths[i] - Width(cells[i]), ' ');
            line += i > 0 ? "  " : "";
            line += right_[i] ? padding + cells[i] : cells[i] + padding;
        }
        while (!line.empty() && line.back() == ' ') {
            line.pop_back();
        }
        std::fprintf(out, "%s\n", line.c_str());
    };
    print(titles_);
    std::vector<std::string> rule;
    for (size_t width : widths) {
        rule.emplace_back(width, '-');
    }
    print(rule);
    for (const auto& row : rows_) {
        print(row);
    }
}

}  // namespace quern::shell
