// Reading: descriptor or memory -> (gzip | zstd | as it is) -> buffer.
#include "byte_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "format_error.h"

namespace quern::shell {
namespace {

constexpr size_t kBufferBytes = size_t{256} << 10;
constexpr size_t kCompressionMagicBytes = 4;

class FileInput : public RawInput {
public:
    FileInput(int fd, bool owned, std::string name, const volatile std::sig_atomic_t* stop)
        : fd_(fd), owned_(owned), name_(std::move(name)), stop_(stop) {}
    FileInput(const FileInput&) = delete;
    FileInput& operator=(const FileInput&) = delete;
    ~FileInput() override {
        if (owned_) {
            close(fd_);
        }
    }
    size_t Read(char* to, size_t n) override {
        for (;;) {
            if (stop_ != nullptr && *stop_ != 0) {
                throw ReadStopped();
            }
            ssize_t got = read(fd_, to, n);
            if (got >= 0) {
                return static_cast<size_t>(got);
            }
            if (errno != EINTR) {
                throw FormatError(name_ + ": cannot read: " + std::strerror(errno));
            }
        }
    }

private:
    int fd_;
    bool owned_;
    std::string name_;
    const volatile std::sig_atomic_t* stop_;
};

class MemoryInput : public RawInput {
public:
    MemoryInput(const char* data, size_t size) : data_(data), left_(size) {}
    size_t Read(char* to, size_t n) override {
        size_t got = std::min(n, left_);
        if (got > 0) {
            std::memcpy(to, data_, got);
            data_ += got;
            left_ -= got;
        }
        return got;
    }

private:
    const char* data_;
    size_t left_;
};

// Counts what is taken from the stored file, and gives back the first bytes that were looked at.
class CountingInput : public RawInput {
public:
    CountingInput(std::unique_ptr<RawInput> below, std::shared_ptr<uint64_t> taken)
        : below_(std::move(below)), taken_(std::move(taken)) {
        while (head_.size() < kCompressionMagicBytes) {
            char bytes[kCompressionMagicBytes];
            size_t got = below_->Read(bytes, kCompressionMagicBytes - head_.size());
            if (got == 0) {
                break;
            }
            head_.append(bytes, got);
        }
    }
    const std::string& head() const { return head_; }
    size_t Read(char* to, size_t n) override {
        size_t got = 0;
        if (given_ < head_.size()) {
            got = std::min(n, head_.size() - given_);
            std::memcpy(to, head_.data() + given_, got);
            given_ += got;
        } else {
            got = below_->Read(to, n);
        }
        *taken_ += got;
        return got;
    }

private:
    std::unique_ptr<RawInput> below_;
    std::shared_ptr<uint64_t> taken_;
    std::string head_;
    size_t given_ = 0;
};

class GzipInput : public RawInput {
public:
    GzipInput(std::unique_ptr<RawInput> below, std::string name)
        : below_(std::move(below)), name_(std::move(name)), in_(kBufferBytes) {
        std::memset(&stream_, 0, sizeof(stream_));
        if (inflateInit2(&stream_, 15 + 16) != Z_OK) {
            throw std::bad_alloc();
        }
    }
    GzipInput(const GzipInput&) = delete;
    GzipInput& operator=(const GzipInput&) = delete;
    ~GzipInput() override { inflateEnd(&stream_); }

    size_t Read(char* to, size_t n) override {
        stream_.next_out = reinterpret_cast<Bytef*>(to);
        stream_.avail_out = static_cast<uInt>(std::min(n, kBufferBytes));
        const uInt wanted = stream_.avail_out;
        while (stream_.avail_out == wanted) {
            if (stream_.avail_in == 0) {
                size_t got = below_->Read(in_.data(), in_.size());
                if (got == 0) {
                    if (inside_member_) {
                        throw FormatError(name_ + ": the gzip data ends too early");
                    }
                    return 0;
                }
                stream_.next_in = reinterpret_cast<Bytef*>(in_.data());
                stream_.avail_in = static_cast<uInt>(got);
            }
            if (!inside_member_) {
                if (inflateReset(&stream_) != Z_OK) {
                    throw FormatError(name_ + ": damaged gzip data");
                }
                inside_member_ = true;
            }
            int status = inflate(&stream_, Z_NO_FLUSH);
            if (status == Z_STREAM_END) {
                inside_member_ = false;  // a file may hold several members, one behind the other
            } else if (status != Z_OK && status != Z_BUF_ERROR) {
                throw FormatError(name_ + ": damaged gzip data");
            }
        }
        return wanted - stream_.avail_out;
    }

private:
    std::unique_ptr<RawInput> below_;
    std::string name_;
    std::vector<char> in_;
    z_stream stream_;
    bool inside_member_ = true;
};

class ZstdInput : public RawInput {
public:
    ZstdInput(std::unique_ptr<RawInput> below, std::string name)
        : below_(std::move(below)),
          name_(std::move(name)),
          in_(kBufferBytes),
          stream_(ZSTD_createDStream()) {
        if (stream_ == nullptr) {
            throw std::bad_alloc();
        }
    }
    ZstdInput(const ZstdInput&) = delete;
    ZstdInput& operator=(const ZstdInput&) = delete;
    ~ZstdInput() override { ZSTD_freeDStream(stream_); }

    size_t Read(char* to, size_t n) override {
        ZSTD_outBuffer out{to, n, 0};
        while (out.pos == 0) {
            if (input_.pos == input_.size && !more_inside_) {
                size_t got = below_->Read(in_.data(), in_.size());
                if (got == 0) {
                    if (inside_frame_) {
                        throw FormatError(name_ + ": the zstd data ends too early");
                    }
                    return 0;
                }
                input_ = ZSTD_inBuffer{in_.data(), got, 0};
            }
            size_t status = ZSTD_decompressStream(stream_, &out, &input_);
            if (ZSTD_isError(status) != 0) {
                throw FormatError(name_ + ": damaged zstd data: " + ZSTD_getErrorName(status));
            }
            inside_frame_ = status != 0;
            more_inside_ = inside_frame_ && out.pos == out.size;
        }
        return out.pos;
    }

private:
    std::unique_ptr<RawInput> below_;
    std::string name_;
    std::vector<char> in_;
    ZSTD_DStream* stream_;
    ZSTD_inBuffer input_{nullptr, 0, 0};
    bool inside_frame_ = true;
    bool more_inside_ =
        false;  // the output was full, so the decoder may hold more without new input
};

}  // namespace

ByteSource::ByteSource(std::unique_ptr<RawInput> raw, std::string name, uint64_t bytes_total,
                       bool unpack)
    : name_(std::move(name)),
      bytes_total_(bytes_total),
      taken_(std::make_shared<uint64_t>(0)),
      buffer_bytes_(kBufferBytes) {
    if (!unpack) {
        input_ = std::move(raw);
        return;
    }
    auto counting = std::make_unique<CountingInput>(std::move(raw), taken_);
    const std::string head = counting->head();
    if (head.size() >= 3 && head.compare(0, 3, "\x1f\x8b\x08") == 0) {
        input_ = std::make_unique<GzipInput>(std::move(counting), name_);
        compressed_ = true;
    } else if (head.size() >= 4 && head.compare(0, 4, "\x28\xb5\x2f\xfd") == 0) {
        input_ = std::make_unique<ZstdInput>(std::move(counting), name_);
        compressed_ = true;
    } else {
        input_ = std::move(counting);
    }
}

ByteSource::~ByteSource() = default;

std::unique_ptr<ByteSource> ByteSource::Open(const std::string& path,
                                             const volatile std::sig_atomic_t* stop) {
    std::unique_ptr<RawInput> raw;
    uint64_t bytes_total = 0;
    std::string name = path == "-" ? "standard input" : path;
    int fd = path == "-" ? STDIN_FILENO : open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        throw FormatError(path + ": cannot open: " + std::strerror(errno));
    }
    raw = std::make_unique<FileInput>(fd, path != "-", name, stop);
    struct stat info {};
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode)) {
        bytes_total = static_cast<uint64_t>(info.st_size);
    }
    std::unique_ptr<ByteSource> source(new ByteSource(std::move(raw), name, bytes_total, true));
    source->stop_ = stop;
    if (bytes_total > 0 && path != "-" && !source->compressed_) {
        source->plain_descriptor_ = fd;
    }
    return source;
}

std::unique_ptr<ByteSource> ByteSource::FromMemory(const void* data, size_t size,
                                                   std::string name) {
    auto raw = std::make_unique<MemoryInput>(static_cast<const char*>(data), size);
    std::unique_ptr<ByteSource> source(new ByteSource(std::move(raw), std::move(name), size, true));
    if (!source->compressed_) {
        source->ExpectAtMost(size);
        source->plain_memory_ = std::string_view(static_cast<const char*>(data), size);
    }
    return source;
}

std::unique_ptr<ByteSource> ByteSource::FromInput(std::unique_ptr<RawInput> input, std::string name,
                                                  uint64_t bytes_most) {
    std::unique_ptr<ByteSource> source(new ByteSource(std::move(input), std::move(name), 0, false));
    source->ExpectAtMost(bytes_most);
    return source;
}

void ByteSource::ExpectAtMost(uint64_t bytes) {
    buffer_bytes_ = static_cast<size_t>(std::clamp<uint64_t>(bytes, 1, kBufferBytes));
}

void ByteSource::CheckStop() const {
    if (stop_ != nullptr && *stop_ != 0) {
        throw ReadStopped();
    }
}

void ByteSource::CountTaken(uint64_t bytes) {
    *taken_ += bytes;
}

bool ByteSource::Fill() {
    buffer_.resize(buffer_bytes_);
    begin_ = 0;
    end_ = input_->Read(buffer_.data(), buffer_.size());
    return end_ > 0;
}

size_t ByteSource::Read(void* to, size_t n) {
    char* out = static_cast<char*>(to);
    size_t done = 0;
    while (done < n) {
        if (begin_ == end_ && !Fill()) {
            break;
        }
        size_t part = std::min(n - done, end_ - begin_);
        std::memcpy(out + done, buffer_.data() + begin_, part);
        begin_ += part;
        done += part;
    }
    return done;
}

bool ByteSource::ReadLine(std::string* line) {
    line->clear();
    if (begin_ == end_ && !Fill()) {
        return false;
    }
    line_number_++;
    bool too_long = false;
    for (;;) {
        const char* from = buffer_.data() + begin_;
        const void* found = std::memchr(from, '\n', end_ - begin_);
        size_t part = found != nullptr ? static_cast<size_t>(static_cast<const char*>(found) - from)
                                       : end_ - begin_;
        if (line->size() + part > kLineBytesMax) {
            too_long = true;
        } else if (!too_long) {
            line->append(from, part);
        }
        begin_ += part;
        if (found != nullptr) {
            begin_++;
            break;
        }
        if (!Fill()) {
            break;
        }
    }
    if (too_long) {
        line->clear();
        throw FormatError(
            name_ + ":" + std::to_string(line_number_) + ": the line is longer than 64 MiB", true,
            line_number_);
    }
    line_had_return_ = !line->empty() && line->back() == '\r';
    if (line_had_return_) {
        line->pop_back();
    }
    if (line_number_ == 1 && line->compare(0, 3, kByteOrderMark) == 0) {
        line->erase(0, 3);
    }
    return true;
}

uint64_t ByteSource::bytes_taken() const {
    return *taken_;
}

}  // namespace quern::shell
