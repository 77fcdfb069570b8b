// Naming bad lines.
#include "bad_lines.h"

#include <cstdio>

namespace quern::shell {

void BadLines::Hold(const FormatError& error, uint64_t records) {
    if (held_.size() < kKept) {
        held_.push_back({records, {error.line(), error.what()}});
    } else {
        held_more_++;
    }
}

void BadLines::Release(uint64_t record) {
    for (; !held_.empty() && held_.front().records <= record; held_.pop_front()) {
        Name(std::move(held_.front().line));
    }
    if (held_.empty()) {
        count_ += held_more_;
        held_more_ = 0;
    }
}

void BadLines::Add(const FormatError& error) {
    Name({error.line(), error.what()});
}

void BadLines::Name(BadLine line) {
    if (++count_ <= kShown) {
        std::fprintf(stderr, "skipped: %s\n", line.message.c_str());
    }
    if (first_.size() < kKept) {
        first_.push_back(std::move(line));
    }
}

void BadLines::SayRest() const {
    if (count_ > kShown) {
        std::fprintf(stderr, "skipped: and %llu more\n",
                     static_cast<unsigned long long>(count_ - kShown));
    }
}

}  // namespace quern::shell
