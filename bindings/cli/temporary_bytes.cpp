#include "temporary_bytes.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "format_error.h"

namespace quern::shell {
namespace {

constexpr size_t kCopyBytes = size_t{256} << 10;

[[noreturn]] void FailTemporary(const char* what) {
    throw FormatError(std::string("temporary file: cannot ") + what + ": " + std::strerror(errno));
}

}  // namespace

TemporaryBytes::TemporaryBytes() : file_(std::tmpfile()) {
    if (file_ == nullptr) {
        FailTemporary("create");
    }
}

TemporaryBytes::~TemporaryBytes() {
    std::fclose(file_);
}

void TemporaryBytes::Write(std::string_view bytes) {
    if (std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size()) {
        FailTemporary("write");
    }
    size_ += bytes.size();
}

void TemporaryBytes::Rewind() {
    if (std::fflush(file_) != 0 || std::fseek(file_, 0, SEEK_SET) != 0) {
        FailTemporary("write");
    }
}

void TemporaryBytes::Read(size_t n, std::string* bytes) {
    bytes->resize(n);
    if (std::fread(bytes->data(), 1, n, file_) != n) {
        FailTemporary("read");
    }
}

void TemporaryBytes::CopyTo(ByteSink* sink) {
    Rewind();
    std::string bytes;
    for (uint64_t left = size_; left > 0; left -= bytes.size()) {
        Read(static_cast<size_t>(std::min<uint64_t>(left, kCopyBytes)), &bytes);
        sink->Write(bytes);
    }
}

}  // namespace quern::shell
