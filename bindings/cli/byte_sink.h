// ByteSink: bytes to a file or standard output, compressed when the name ends in .gz or .zst.
//
// A file that exists already is not overwritten unless asked: an export must not destroy what
// somebody keeps under that name. Close reports the errors of the last writes; a sink that is
// destroyed without Close removes the half-written file. Confined to one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace quern::shell {

class ByteSink {
public:
    // path "-" is standard output. A file that is overwritten stays as it was until Close: what is
    // written goes into a file beside it, "NAME.part", until then.
    static std::unique_ptr<ByteSink> Open(const std::string& path, bool overwrite);
    ByteSink(const ByteSink&) = delete;
    ByteSink& operator=(const ByteSink&) = delete;
    ~ByteSink();

    void Write(const void* data, size_t size);
    void Write(std::string_view text) { Write(text.data(), text.size()); }
    // True if bytes already written can be replaced: a plain regular file.
    bool CanPatch() const;
    // Replaces bytes at the start of the file.
    void PatchStart(std::string_view bytes);
    void Close();

private:
    struct Coder;
    ByteSink() = default;
    void Flush(bool finish);
    void WriteDescriptor(const char* data, size_t size);

    std::string name_;
    std::string part_;  // what is written, where another file has the name until Close
    int fd_ = -1;
    bool is_file_ = false;
    bool seekable_ = false;
    std::unique_ptr<Coder> coder_;
    std::vector<char> buffer_;
};

}  // namespace quern::shell
