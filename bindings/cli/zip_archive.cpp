#include "zip_archive.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "format_error.h"
#include "import_record.h"
#include "little_endian.h"

namespace quern::shell {
namespace {

constexpr uint32_t kLocalMagic = 0x04034b50;
constexpr uint32_t kDirectoryMagic = 0x02014b50;
constexpr uint32_t kEndMagic = 0x06054b50;
constexpr uint32_t kWideEndMagic = 0x06064b50;
constexpr uint32_t kWideLocatorMagic = 0x07064b50;
constexpr size_t kEndBytes = 22;
constexpr size_t kWideEndBytes = 56;
constexpr size_t kWideLocatorBytes = 20;
constexpr size_t kEntryBytes = 46;
constexpr size_t kLocalBytes = 30;
constexpr size_t kCommentMax = 65535;
constexpr size_t kDirectoryBytesMax = size_t{1} << 20;
constexpr size_t kPackedBufferBytes = size_t{64} << 10;
constexpr uint32_t kWide = 0xffffffff;  // the value stands in the zip64 field

uint32_t Little16(const unsigned char* bytes) {
    return static_cast<uint32_t>(LittleInteger(bytes, 2));
}
uint32_t Little32(const unsigned char* bytes) {
    return static_cast<uint32_t>(LittleInteger(bytes, 4));
}

// The bytes of a member, unpacked, counted and proved.
class MemberInput : public RawInput {
public:
    MemberInput(RandomBytes* bytes, uint64_t place, const ZipMember& member, std::string name)
        : bytes_(bytes),
          place_(place),
          packed_left_(member.packed_bytes),
          left_(member.bytes),
          wanted_crc_(member.crc),
          deflated_(member.method == 8),
          name_(std::move(name)),
          crc_(static_cast<uint32_t>(crc32(0, nullptr, 0))) {
        std::memset(&stream_, 0, sizeof(stream_));
        if (deflated_) {
            in_.resize(static_cast<size_t>(std::min<uint64_t>(kPackedBufferBytes, packed_left_)));
            if (inflateInit2(&stream_, -15) != Z_OK) {
                throw std::bad_alloc();
            }
        }
    }
    MemberInput(const MemberInput&) = delete;
    MemberInput& operator=(const MemberInput&) = delete;
    ~MemberInput() override {
        if (deflated_) {
            inflateEnd(&stream_);
        }
    }

    size_t Read(char* to, size_t n) override {
        n = static_cast<size_t>(std::min<uint64_t>({n, left_, uint64_t{1} << 30}));
        if (n == 0) {
            return 0;
        }
        const size_t got = deflated_ ? Inflate(to, n) : bytes_->ReadAt(place_, to, n);
        if (got == 0) {
            throw FormatError(name_ + ": the member ends " + std::to_string(left_) +
                              " bytes before the size that the archive tells");
        }
        place_ += deflated_ ? 0 : got;
        left_ -= got;
        crc_ = static_cast<uint32_t>(
            crc32(crc_, reinterpret_cast<const Bytef*>(to), static_cast<uInt>(got)));
        if (left_ == 0 && crc_ != wanted_crc_) {
            throw FormatError(name_ + ": the member is damaged (wrong CRC)");
        }
        return got;
    }

private:
    size_t Inflate(char* to, size_t n) {
        stream_.next_out = reinterpret_cast<Bytef*>(to);
        stream_.avail_out = static_cast<uInt>(n);
        while (stream_.avail_out == n && !ended_) {
            if (stream_.avail_in == 0 && packed_left_ > 0) {
                const auto part = static_cast<size_t>(std::min<uint64_t>(in_.size(), packed_left_));
                const size_t got = bytes_->ReadAt(place_, in_.data(), part);
                place_ += got;
                packed_left_ = got == 0 ? 0 : packed_left_ - got;
                stream_.next_in = reinterpret_cast<Bytef*>(in_.data());
                stream_.avail_in = static_cast<uInt>(got);
            }
            const int status = inflate(&stream_, Z_NO_FLUSH);
            if (status == Z_BUF_ERROR && stream_.avail_in == 0 && packed_left_ == 0) {
                break;  // cut short
            }
            if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR) {
                throw FormatError(name_ + ": damaged deflate data");
            }
            ended_ = status == Z_STREAM_END;
        }
        return n - stream_.avail_out;
    }

    RandomBytes* bytes_;
    uint64_t place_;
    uint64_t packed_left_;
    uint64_t left_;
    uint32_t wanted_crc_;
    bool deflated_;
    bool ended_ = false;
    std::string name_;
    uint32_t crc_;
    std::vector<char> in_;
    z_stream stream_;
};

}  // namespace

ZipArchive::ZipArchive(RandomBytes* bytes, std::string name)
    : bytes_(bytes), name_(std::move(name)) {
    ReadEnd();
    ReadDirectory();
}

void ZipArchive::Fail(uint64_t place, const std::string& what) const {
    throw FormatError(name_ + ": zip, offset " + std::to_string(place) + ": " + what);
}

std::vector<unsigned char> ZipArchive::Take(uint64_t place, size_t size, const char* what) {
    if (place > bytes_->size() || size > bytes_->size() - place) {
        Fail(place, std::string(what) + " is not within the file");
    }
    std::vector<unsigned char> taken(size);
    if (bytes_->ReadAt(place, taken.data(), size) < size) {
        Fail(place, std::string(what) + " cannot be read");
    }
    return taken;
}

void ZipArchive::ReadEnd() {
    if (bytes_->size() < kEndBytes) {
        throw FormatError(name_ + ": not a zip file");
    }
    const auto tail_bytes =
        static_cast<size_t>(std::min<uint64_t>(bytes_->size(), kEndBytes + kCommentMax));
    const uint64_t tail_place = bytes_->size() - tail_bytes;
    const std::vector<unsigned char> tail = Take(tail_place, tail_bytes, "the end");
    size_t at = tail.size() - kEndBytes + 1;
    bool found = false;
    while (at > 0 && !found) {
        at--;
        found = Little32(tail.data() + at) == kEndMagic &&
                at + kEndBytes + Little16(tail.data() + at + 20) == tail.size();
    }
    if (!found) {
        throw FormatError(name_ + ": not a zip file, or cut short: it has no directory at its end");
    }
    const unsigned char* end = tail.data() + at;
    const uint64_t end_place = tail_place + at;
    member_count_ = Little16(end + 10);
    directory_bytes_ = Little32(end + 12);
    directory_place_ = Little32(end + 16);
    if (end_place >= kWideLocatorBytes) {
        const auto locator = Take(end_place - kWideLocatorBytes, kWideLocatorBytes, "the locator");
        if (Little32(locator.data()) == kWideLocatorMagic) {
            const uint64_t place = LittleInteger(locator.data() + 8, 8);
            const auto wide = Take(place, kWideEndBytes, "the zip64 end record");
            if (Little32(wide.data()) != kWideEndMagic) {
                Fail(place, "no zip64 end record");
            }
            member_count_ = LittleInteger(wide.data() + 32, 8);
            directory_bytes_ = LittleInteger(wide.data() + 40, 8);
            directory_place_ = LittleInteger(wide.data() + 48, 8);
        }
    }
    if (member_count_ > kZipMembersMax || directory_bytes_ > kDirectoryBytesMax) {
        Fail(end_place, std::to_string(member_count_) + " members in a directory of " +
                            std::to_string(directory_bytes_) + " bytes; the limits are " +
                            std::to_string(kZipMembersMax) + " and " +
                            std::to_string(kDirectoryBytesMax));
    }
}

void ZipArchive::ReadWideSizes(const unsigned char* extra, size_t size, ZipMember* member) const {
    while (size >= 4) {
        const uint32_t kind = Little16(extra);
        const size_t bytes = Little16(extra + 2);
        if (bytes > size - 4) {
            return;
        }
        if (kind == 1) {
            const unsigned char* value = extra + 4;
            size_t left = bytes;
            for (uint64_t* wide : {&member->bytes, &member->packed_bytes, &member->header_place}) {
                if (*wide == kWide && left >= 8) {
                    *wide = LittleInteger(value, 8);
                    value += 8;
                    left -= 8;
                }
            }
            return;
        }
        extra += 4 + bytes;
        size -= 4 + bytes;
    }
}

void ZipArchive::ReadDirectory() {
    const auto directory =
        Take(directory_place_, static_cast<size_t>(directory_bytes_), "the directory");
    size_t at = 0;
    for (uint64_t i = 0; i < member_count_; i++) {
        const uint64_t place = directory_place_ + at;
        if (directory.size() - at < kEntryBytes) {
            Fail(place, "the directory ends before its member " + std::to_string(i));
        }
        const unsigned char* entry = directory.data() + at;
        if (Little32(entry) != kDirectoryMagic) {
            Fail(place, "no directory entry");
        }
        const size_t name_bytes = Little16(entry + 28);
        const size_t extra_bytes = Little16(entry + 30);
        const size_t all = kEntryBytes + name_bytes + extra_bytes + Little16(entry + 32);
        if (directory.size() - at < all) {
            Fail(place, "a directory entry goes beyond the directory");
        }
        ZipMember member;
        member.name.assign(reinterpret_cast<const char*>(entry) + kEntryBytes, name_bytes);
        member.method = Little16(entry + 10);
        member.crc = Little32(entry + 16);
        member.packed_bytes = Little32(entry + 20);
        member.bytes = Little32(entry + 24);
        member.header_place = Little32(entry + 42);
        ReadWideSizes(entry + kEntryBytes + name_bytes, extra_bytes, &member);
        if ((Little16(entry + 8) & 1) != 0) {
            Fail(place, Quoted(member.name) + " is encrypted");
        }
        if (member.method != 0 && member.method != 8) {
            Fail(place, Quoted(member.name) + " is packed by method " +
                            std::to_string(member.method) + "; wanted stored or deflated");
        }
        if (member.method == 0 && member.packed_bytes != member.bytes) {
            Fail(place, Quoted(member.name) + " is stored, but has two sizes");
        }
        members_.push_back(std::move(member));
        at += all;
    }
}

std::unique_ptr<ByteSource> ZipArchive::OpenMember(const ZipMember& member) {
    const auto header = Take(member.header_place, kLocalBytes, "the header of a member");
    if (Little32(header.data()) != kLocalMagic) {
        Fail(member.header_place, "no header of " + Quoted(member.name));
    }
    const uint64_t place = member.header_place + kLocalBytes + Little16(header.data() + 26) +
                           Little16(header.data() + 28);
    if (place > bytes_->size() || member.packed_bytes > bytes_->size() - place) {
        Fail(member.header_place, "the data of " + Quoted(member.name) + " is not within the file");
    }
    const std::string name = name_ + ": " + member.name.substr(0, 60);
    return ByteSource::FromInput(std::make_unique<MemberInput>(bytes_, place, member, name), name,
                                 member.bytes);
}

}  // namespace quern::shell
