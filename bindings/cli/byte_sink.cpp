// Writing: buffer -> (gzip | zstd | as it is) -> descriptor.
#include "byte_sink.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <new>

#include "format_error.h"

namespace quern::shell {
namespace {

constexpr size_t kSinkBufferBytes = size_t{256} << 10;

bool EndsWith(const std::string& text, const char* ending) {
    const size_t size = std::strlen(ending);
    return text.size() >= size && text.compare(text.size() - size, size, ending) == 0;
}

}  // namespace

// One of the two compressors.
struct ByteSink::Coder {
    explicit Coder(bool zstd) : out(kSinkBufferBytes) {
        if (zstd) {
            zstd_stream = ZSTD_createCStream();
            if (zstd_stream == nullptr) {
                throw std::bad_alloc();
            }
        } else {
            std::memset(&gzip_stream, 0, sizeof(gzip_stream));
            if (deflateInit2(&gzip_stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8,
                             Z_DEFAULT_STRATEGY) != Z_OK) {
                throw std::bad_alloc();
            }
        }
    }
    Coder(const Coder&) = delete;
    Coder& operator=(const Coder&) = delete;
    ~Coder() {
        if (zstd_stream != nullptr) {
            ZSTD_freeCStream(zstd_stream);
        } else {
            deflateEnd(&gzip_stream);
        }
    }

    ZSTD_CStream* zstd_stream = nullptr;  // else gzip_stream is used
    z_stream gzip_stream{};
    std::vector<char> out;
};

// Of quern, or any other that SQLite keeps.
static bool IsDatabase(const std::string& path) {
    static constexpr char kHead[] = "SQLite format 3";
    char head[sizeof kHead] = {};
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    const ssize_t got = fd < 0 ? -1 : read(fd, head, sizeof head);
    if (fd >= 0) {
        close(fd);
    }
    return got == static_cast<ssize_t>(sizeof head) && std::memcmp(head, kHead, sizeof head) == 0;
}

std::unique_ptr<ByteSink> ByteSink::Open(const std::string& path, bool overwrite) {
    std::unique_ptr<ByteSink> sink(new ByteSink());
    sink->name_ = path == "-" ? "standard output" : path;
    sink->is_file_ = false;
    if (path == "-") {
        sink->fd_ = STDOUT_FILENO;
    } else {
        // What stands there is looked at before it is gone.
        if (overwrite && IsDatabase(path)) {
            throw FormatError(path + ": this is a database, which no export may overwrite");
        }
        struct stat old {};
        const bool replaces = overwrite && lstat(path.c_str(), &old) == 0 && S_ISREG(old.st_mode);
        sink->part_ = replaces ? path + ".part" : std::string();
        const int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (overwrite ? O_TRUNC : O_EXCL) |
                          (replaces ? O_NOFOLLOW : 0);
        sink->fd_ = open(replaces ? sink->part_.c_str() : path.c_str(), flags,
                         replaces ? old.st_mode & 0777 : 0666);
        if (sink->fd_ < 0) {
            const bool exists = errno == EEXIST;
            throw FormatError(path + ": cannot create: " +
                              (exists ? std::string("the file exists (use --force to overwrite it)")
                                      : std::string(std::strerror(errno))));
        }
        struct stat info {};
        sink->is_file_ = fstat(sink->fd_, &info) == 0 && S_ISREG(info.st_mode);
        sink->seekable_ = sink->is_file_;
    }
    if (EndsWith(path, ".zst") || EndsWith(path, ".gz")) {
        sink->coder_ = std::make_unique<Coder>(EndsWith(path, ".zst"));
        sink->seekable_ = false;
    }
    sink->buffer_.reserve(kSinkBufferBytes);
    return sink;
}

ByteSink::~ByteSink() {
    if (fd_ >= 0 && fd_ != STDOUT_FILENO) {
        close(fd_);
        if (is_file_) {
            unlink(part_.empty() ? name_.c_str() : part_.c_str());
        }
    }
}

void ByteSink::WriteDescriptor(const char* data, size_t size) {
    while (size > 0) {
        ssize_t put = write(fd_, data, size);
        if (put < 0) {
            if (errno == EINTR) {
                continue;
            }
            throw FormatError(name_ + ": cannot write: " + std::strerror(errno));
        }
        data += put;
        size -= static_cast<size_t>(put);
    }
}

void ByteSink::Flush(bool finish) {
    if (coder_ == nullptr) {
        WriteDescriptor(buffer_.data(), buffer_.size());
    } else if (coder_->zstd_stream != nullptr) {
        ZSTD_inBuffer in{buffer_.data(), buffer_.size(), 0};
        for (;;) {
            ZSTD_outBuffer out{coder_->out.data(), coder_->out.size(), 0};
            size_t left = ZSTD_compressStream2(coder_->zstd_stream, &out, &in,
                                               finish ? ZSTD_e_end : ZSTD_e_continue);
            if (ZSTD_isError(left) != 0) {
                throw FormatError(name_ + ": zstd: " + ZSTD_getErrorName(left));
            }
            WriteDescriptor(coder_->out.data(), out.pos);
            if (finish ? left == 0 : in.pos == in.size) {
                break;
            }
        }
    } else {
        z_stream& stream = coder_->gzip_stream;
        stream.next_in = reinterpret_cast<Bytef*>(buffer_.data());
        stream.avail_in = static_cast<uInt>(buffer_.size());
        for (;;) {
            stream.next_out = reinterpret_cast<Bytef*>(coder_->out.data());
            stream.avail_out = static_cast<uInt>(coder_->out.size());
            int status = deflate(&stream, finish ? Z_FINISH : Z_NO_FLUSH);
            WriteDescriptor(coder_->out.data(), coder_->out.size() - stream.avail_out);
            if (finish ? status == Z_STREAM_END : stream.avail_out != 0) {
                break;
            }
        }
    }
    buffer_.clear();
}

void ByteSink::Write(const void* data, size_t size) {
    const char* from = static_cast<const char*>(data);
    while (size > 0) {
        const size_t part = std::min(size, kSinkBufferBytes - buffer_.size());
        buffer_.insert(buffer_.end(), from, from + part);
        from += part;
        size -= part;
        if (buffer_.size() == kSinkBufferBytes) {
            Flush(false);
        }
    }
}

bool ByteSink::CanPatch() const {
    return seekable_;
}

void ByteSink::PatchStart(std::string_view bytes) {
    Flush(false);
    if (pwrite(fd_, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
        throw FormatError(name_ + ": cannot write: " + std::strerror(errno));
    }
}

void ByteSink::Close() {
    Flush(true);
    if (fd_ != STDOUT_FILENO) {
        int status = close(fd_);
        fd_ = -1;
        if (status == 0 && !part_.empty()) {
            status = rename(part_.c_str(), name_.c_str());
        }
        if (status != 0) {
            throw FormatError(name_ + ": cannot write: " + std::strerror(errno));
        }
    }
}

}  // namespace quern::shell
