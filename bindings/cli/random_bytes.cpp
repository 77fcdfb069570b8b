#include "random_bytes.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "format_error.h"

namespace quern::shell {
namespace {

constexpr size_t kSpoolBytes = size_t{256} << 10;

class PieceInput : public RawInput {
public:
    PieceInput(RandomBytes* bytes, uint64_t place, uint64_t size)
        : bytes_(bytes), place_(place), left_(size) {}
    size_t Read(char* to, size_t n) override {
        const auto wanted = static_cast<size_t>(std::min<uint64_t>(n, left_));
        const size_t got = bytes_->ReadAt(place_, to, wanted);
        place_ += got;
        left_ -= got;
        return got;
    }

private:
    RandomBytes* bytes_;
    uint64_t place_;
    uint64_t left_;
};

}  // namespace

RandomBytes::RandomBytes(ByteSource* source) : source_(source) {
    if (!source->plain_memory().empty()) {
        size_ = source->plain_memory().size();
        return;
    }
    if (source->plain_descriptor() >= 0) {
        size_ = source->bytes_total();
        return;
    }
    spool_ = std::tmpfile();
    if (spool_ == nullptr) {
        throw FormatError(source->name() + ": no temporary file: " + std::strerror(errno));
    }
    std::vector<char> buffer(kSpoolBytes);
    try {
        for (size_t got = 0; (got = source->Read(buffer.data(), buffer.size())) > 0;) {
            if (std::fwrite(buffer.data(), 1, got, spool_) != got) {
                throw FormatError(source->name() +
                                  ": cannot unpack to a temporary file: " + std::strerror(errno));
            }
            size_ += got;
        }
        if (std::fflush(spool_) != 0) {
            throw FormatError(source->name() +
                              ": cannot unpack to a temporary file: " + std::strerror(errno));
        }
    } catch (...) {
        std::fclose(spool_);
        throw;
    }
}

RandomBytes::~RandomBytes() {
    if (spool_ != nullptr) {
        std::fclose(spool_);
    }
}

size_t RandomBytes::ReadAt(uint64_t place, void* to, size_t n) {
    if (place >= size_ || n == 0) {  // for nothing, `to` may be NULL
        return 0;
    }
    n = static_cast<size_t>(std::min<uint64_t>(n, size_ - place));
    if (spool_ == nullptr && source_->plain_descriptor() < 0) {
        std::memcpy(to, source_->plain_memory().data() + place, n);
        return n;
    }
    const int fd = spool_ != nullptr ? fileno(spool_) : source_->plain_descriptor();
    char* out = static_cast<char*>(to);
    size_t done = 0;
    while (done < n) {
        source_->CheckStop();
        const ssize_t got = pread(fd, out + done, n - done, static_cast<off_t>(place + done));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            throw FormatError(source_->name() + ": cannot read: " + std::strerror(errno));
        }
        if (got == 0) {
            break;  // the file became shorter
        }
        done += static_cast<size_t>(got);
    }
    if (spool_ == nullptr) {
        source_->CountTaken(done);
    }
    return done;
}

std::unique_ptr<ByteSource> RandomBytes::Piece(uint64_t place, uint64_t size,
                                               const std::string& name) {
    return ByteSource::FromInput(std::make_unique<PieceInput>(this, place, size), name, size);
}

}  // namespace quern::shell
