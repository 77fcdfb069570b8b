// BadLines: the bad lines of an import under --skip-bad, named in the order of the file.
//
// An import reads its first records before it knows the columns, and checks them afterwards. So
// errors come in two waves: lines that cannot be read at all while the sample is taken, values that
// do not fit when its records are staged. Those of the first wave are held back until the record
// behind them is staged. Few are kept, whatever the file holds: the first of the first wave are
// enough, because with more of them nothing of the second can be among the first of all. Confined
// to one thread.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "format_error.h"

namespace quern::shell {

struct BadLine {
    uint64_t line = 0;  // 0: the format has rows, and the message names the row
    std::string message;
};

class BadLines {
public:
    // Said one by one on standard error.
    static constexpr uint64_t kShown = 20;
    // Kept for the JSON report.
    static constexpr size_t kKept = 100;

    // While the sample is taken; records: how many good ones came before the line.
    void Hold(const FormatError& error, uint64_t records);
    // The held lines before the record of this number are named now; UINT64_MAX: all of them.
    void Release(uint64_t record);
    void Add(const FormatError& error);
    // Says how many more there were than could be shown.
    void SayRest() const;

    uint64_t count() const { return count_; }
    const std::vector<BadLine>& first() const { return first_; }

private:
    struct Held {
        uint64_t records;
        BadLine line;
    };
    void Name(BadLine line);

    std::deque<Held> held_;
    uint64_t held_more_ = 0;  // beyond those in held_
    std::vector<BadLine> first_;
    uint64_t count_ = 0;
};

}  // namespace quern::shell
