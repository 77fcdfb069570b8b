// FormatError: what the readers and writers of file formats throw.
//
// Inside the shell errors are exceptions, as in the option parser it uses; none of them crosses
// <quern.h>, which is C. The message names the file and the line or row. A recoverable error
// concerns one line: the reader stands behind it and may be asked for the next record (--skip-bad
// does that). A last row that is cut short is such an error too, with the end behind it. After any
// other error the reader is not used again.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace quern::shell {

class FormatError : public std::runtime_error {
public:
    explicit FormatError(const std::string& message, bool recoverable = false, uint64_t line = 0)
        : std::runtime_error(message), recoverable_(recoverable), line_(line) {}
    bool recoverable() const { return recoverable_; }
    // From 1; 0 when the error concerns no line.
    uint64_t line() const { return line_; }

private:
    bool recoverable_;
    uint64_t line_;
};

// A read was given up because the user asked to stop.
class ReadStopped : public std::runtime_error {
public:
    ReadStopped() : std::runtime_error("interrupted") {}
};

}  // namespace quern::shell
