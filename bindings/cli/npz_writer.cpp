// Writer of npz: two stored members, their sizes and CRCs behind them, and a directory with zip64
// records, so that neither needs a file that can be patched nor a size below 4 GiB.
#include <zlib.h>

#include <algorithm>
#include <utility>

#include "float_codes.h"
#include "format_error.h"
#include "little_endian.h"
#include "npy_header.h"
#include "npz_format.h"
#include "temporary_bytes.h"

namespace quern::shell {
namespace {

// UTF-8, which is known to be clean, as UTF-32.
void AppendUtf32(std::string_view text, std::string* bytes) {
    for (size_t i = 0; i < text.size();) {
        const auto first = static_cast<unsigned char>(text[i]);
        const size_t size = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
        uint32_t point = size == 1 ? first : first & (0xffU >> (size + 1));
        for (size_t j = 1; j < size && i + j < text.size(); j++) {
            point = point << 6 | (static_cast<unsigned char>(text[i + j]) & 0x3fU);
        }
        AppendLittle(point, 4, bytes);
        i += size;
    }
}

class NpzWriter : public RecordWriter {
public:
    NpzWriter(std::unique_ptr<ByteSink> sink, NpzShape shape)
        : sink_(std::move(sink)), shape_(std::move(shape)) {
        if (shape_.key_name == shape_.field) {
            throw FormatError("npz: key and vectors have the same name " + Quoted(shape_.field));
        }
        StartMember(shape_.field);
        WriteData(NpyHeaderBytes(DescrOfElement(shape_.element), shape_.rows, shape_.dim));
    }

    void Write(const Record& record) override {
        if (!record.has_vector) {
            return;
        }
        bytes_.clear();
        for (float value : record.vector) {
            AppendNpyElement(shape_.element, value, &bytes_);
        }
        WriteData(bytes_);
        bytes_.clear();
        if (shape_.int_keys) {
            int64_t key = 0;
            if (!ParseInt(record.key, &key)) {
                throw FormatError("npz: the key " + Quoted(record.key) + " is not a whole number");
            }
            AppendLittle(static_cast<uint64_t>(key), 8, &bytes_);
        } else {
            std::string text;
            AppendUtf32(record.key, &text);
            key_bytes_max_ = std::max(key_bytes_max_, text.size());
            AppendLittle(text.size(), 4, &bytes_);
            bytes_ += text;
        }
        keys_.Write(bytes_);
        rows_++;
    }

    void Finish() override {
        if (rows_ != shape_.rows) {
            throw FormatError("npz: " + std::to_string(rows_) + " rows written, the header says " +
                              std::to_string(shape_.rows));
        }
        EndMember();
        StartMember(shape_.key_name);
        const std::string descr =
            shape_.int_keys ? "<i8"
                            : "<U" + std::to_string(std::max<size_t>(1, key_bytes_max_ / 4));
        WriteData(NpyHeaderBytes(descr, shape_.rows, 0));
        WriteKeys();
        EndMember();
        WriteDirectory();
        sink_->Close();
    }

private:
    struct Member {
        std::string name;
        uint64_t place = 0;
        uint64_t bytes = 0;
        uint32_t crc = 0;
    };

    void Put(std::string_view bytes) {
        sink_->Write(bytes);
        place_ += bytes.size();
    }
    void WriteData(std::string_view bytes) {
        Member& member = members_.back();
        member.crc =
            static_cast<uint32_t>(crc32(member.crc, reinterpret_cast<const Bytef*>(bytes.data()),
                                        static_cast<uInt>(bytes.size())));
        member.bytes += bytes.size();
        Put(bytes);
    }

    // Version 4.5 (zip64), sizes behind the data, UTF-8 names, stored, no time (1 January 1980: the
    // same records make the same file).
    static void AppendCommon(std::string* head) {
        AppendLittle(45, 2, head);
        AppendLittle(0x0808, 2, head);
        AppendLittle(0, 2, head);
        AppendLittle(0, 2, head);
        AppendLittle(0x21, 2, head);
    }

    void StartMember(const std::string& name) {
        Member member;
        member.name = name + ".npy";
        member.place = place_;
        member.crc = static_cast<uint32_t>(crc32(0, nullptr, 0));
        std::string head;
        AppendLittle(0x04034b50, 4, &head);
        AppendCommon(&head);
        AppendLittle(0, 4, &head);
        AppendLittle(0xffffffff, 4, &head);
        AppendLittle(0xffffffff, 4, &head);
        AppendLittle(member.name.size(), 2, &head);
        AppendLittle(20, 2, &head);
        head += member.name;
        AppendLittle(1, 2, &head);
        AppendLittle(16, 2, &head);
        AppendLittle(0, 8, &head);
        AppendLittle(0, 8, &head);
        members_.push_back(std::move(member));
        Put(head);
    }

    void EndMember() {
        const Member& member = members_.back();
        std::string tail;
        AppendLittle(0x08074b50, 4, &tail);
        AppendLittle(member.crc, 4, &tail);
        AppendLittle(member.bytes, 8, &tail);
        AppendLittle(member.bytes, 8, &tail);
        Put(tail);
    }

    void WriteKeys() {
        if (shape_.int_keys) {
            keys_.Rewind();
            for (uint64_t row = 0; row < rows_; row++) {
                keys_.Read(8, &bytes_);
                WriteData(bytes_);
            }
            return;
        }
        keys_.Rewind();
        const size_t width = std::max<size_t>(4, key_bytes_max_);
        for (uint64_t row = 0; row < rows_; row++) {
            keys_.Read(4, &bytes_);
            size_t size = 0;
            for (size_t i = 0; i < 4; i++) {
                size |= static_cast<size_t>(static_cast<unsigned char>(bytes_[i])) << (8 * i);
            }
            keys_.Read(size, &bytes_);
            bytes_.resize(width, '\0');
            WriteData(bytes_);
        }
    }

    void WriteDirectory() {
        const uint64_t start = place_;
        std::string directory;
        for (const Member& member : members_) {
            AppendLittle(0x02014b50, 4, &directory);
            AppendLittle(3 << 8 | 45, 2, &directory);  // made on Unix
            AppendCommon(&directory);
            AppendLittle(member.crc, 4, &directory);
            AppendLittle(0xffffffff, 4, &directory);
            AppendLittle(0xffffffff, 4, &directory);
            AppendLittle(member.name.size(), 2, &directory);
            AppendLittle(28, 2, &directory);
            AppendLittle(0, 6, &directory);
            AppendLittle(uint64_t{0100644} << 16, 4, &directory);
            AppendLittle(0xffffffff, 4, &directory);
            directory += member.name;
            AppendLittle(1, 2, &directory);
            AppendLittle(24, 2, &directory);
            AppendLittle(member.bytes, 8, &directory);
            AppendLittle(member.bytes, 8, &directory);
            AppendLittle(member.place, 8, &directory);
        }
        const uint64_t size = directory.size();
        AppendLittle(0x06064b50, 4, &directory);
        AppendLittle(44, 8, &directory);
        AppendLittle(3 << 8 | 45, 2, &directory);
        AppendLittle(45, 2, &directory);
        AppendLittle(0, 8, &directory);
        AppendLittle(members_.size(), 8, &directory);
        AppendLittle(members_.size(), 8, &directory);
        AppendLittle(size, 8, &directory);
        AppendLittle(start, 8, &directory);
        AppendLittle(0x07064b50, 4, &directory);
        AppendLittle(0, 4, &directory);
        AppendLittle(start + size, 8, &directory);
        AppendLittle(1, 4, &directory);
        AppendLittle(0x06054b50, 4, &directory);
        AppendLittle(0, 4, &directory);
        AppendLittle(members_.size(), 2, &directory);
        AppendLittle(members_.size(), 2, &directory);
        AppendLittle(0xffffffff, 4, &directory);
        AppendLittle(0xffffffff, 4, &directory);
        AppendLittle(0, 2, &directory);
        Put(directory);
    }

    std::unique_ptr<ByteSink> sink_;
    NpzShape shape_;
    std::vector<Member> members_;
    uint64_t place_ = 0;
    uint64_t rows_ = 0;
    TemporaryBytes keys_;
    size_t key_bytes_max_ = 0;
    std::string bytes_;
};

}  // namespace

std::unique_ptr<RecordWriter> NewNpzWriter(std::unique_ptr<ByteSink> sink, NpzShape shape) {
    return std::make_unique<NpzWriter>(std::move(sink), std::move(shape));
}

}  // namespace quern::shell
