// ByteSource: bytes and lines from a file or standard input, decompressed on the way.
//
// gzip and zstd are recognised by their first bytes, not by the name, so that standard input works
// too and a wrongly named file does no harm (no vector format starts with these bytes: as a
// dimension they would be beyond the limit). Memory is one buffer, whatever the input's size: a
// small file that unpacks to terabytes is read piece by piece. A line may have up to kLineBytesMax
// bytes, so that an input without line ends is an error and not a full memory. Confined to one
// thread; the stop flag may be set by a signal handler.
#pragma once

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace quern::shell {

inline constexpr size_t kLineBytesMax = size_t{64} << 20;

// Where bytes come from before or after one step of decompression.
class RawInput {
public:
    virtual ~RawInput() = default;
    // Up to n bytes; 0 at the end only. Throws FormatError.
    virtual size_t Read(char* to, size_t n) = 0;
};

// U+FEFF in UTF-8. The first line of a file is read without the one it begins with; who writes a
// file whose own text begins so writes it twice.
inline constexpr const char* kByteOrderMark = "\xef\xbb\xbf";

class ByteSource {
public:
    // path "-" is standard input. When *stop becomes nonzero, reading throws ReadStopped.
    static std::unique_ptr<ByteSource> Open(const std::string& path,
                                            const volatile std::sig_atomic_t* stop = nullptr);
    // The bytes must outlive the source.
    static std::unique_ptr<ByteSource> FromMemory(const void* data, size_t size, std::string name);
    // What the input gives, as it is: nothing is decompressed. For no more than `bytes_most` no
    // more memory is taken.
    static std::unique_ptr<ByteSource> FromInput(std::unique_ptr<RawInput> input, std::string name,
                                                 uint64_t bytes_most);
    ~ByteSource();

    // Fills as much of n bytes as there is; less than n at the end only.
    size_t Read(void* to, size_t n);
    // The next line without its end ("\n" or "\r\n"); false at the end of the input. A line that is
    // too long is passed over and reported as a recoverable FormatError.
    bool ReadLine(std::string* line);

    const std::string& name() const { return name_; }
    uint64_t line_number() const { return line_number_; }  // of the line read last, from 1
    // Whether the line read last ended in "\r\n", or in a "\r" at the end of the input.
    bool line_had_return() const { return line_had_return_; }
    uint64_t bytes_taken() const;  // of the file as it is stored
    uint64_t bytes_total() const {
        return bytes_total_;
    }  // of the file as it is stored; 0 when unknown

    // For RandomBytes. The descriptor of a file that is not compressed and has a size, or -1; the
    // bytes in memory where these are not compressed, or none.
    int plain_descriptor() const { return plain_descriptor_; }
    std::string_view plain_memory() const { return plain_memory_; }
    // Throws ReadStopped when the stop flag is set.
    void CheckStop() const;
    // Bytes of the stored file that were taken in another way.
    void CountTaken(uint64_t bytes);

private:
    ByteSource(std::unique_ptr<RawInput> raw, std::string name, uint64_t bytes_total, bool unpack);
    void ExpectAtMost(uint64_t bytes);  // before anything is read
    bool Fill();

    std::string name_;
    uint64_t bytes_total_;
    std::shared_ptr<uint64_t> taken_;
    std::unique_ptr<RawInput> input_;
    size_t buffer_bytes_;
    std::vector<char> buffer_;  // taken with the first read: many sources are only looked at
    size_t begin_ = 0;
    size_t end_ = 0;
    uint64_t line_number_ = 0;
    bool compressed_ = false;
    int plain_descriptor_ = -1;
    std::string_view plain_memory_;
    const volatile std::sig_atomic_t* stop_ = nullptr;
    bool line_had_return_ = false;
};

}  // namespace quern::shell
