// FormatError: what the readers and writers of file formats throw.
//
// Inside the shell errors are exceptions, as in the option parser it uses; none of them crosses
// <quern.h>, which is C. The message names the file and the line or row. A recoverable error
// concerns one line: the reader stands behind it and may be asked for the next record (--skip-bad
// does that). After any other error the reader is not used again.
#pragma once

#include <stdexcept>
#include <string>

namespace quern::shell {

class FormatError : public std::runtime_error {
public:
    explicit FormatError(const std::string& message, bool recoverable = false)
        : std::runtime_error(message), recoverable_(recoverable) {}
    bool recoverable() const { return recoverable_; }

private:
    bool recoverable_;
};

// A read was given up because the user asked to stop.
class ReadStopped : public std::runtime_error {
public:
    ReadStopped() : std::runtime_error("interrupted") {}
};

}  // namespace quern::shell
