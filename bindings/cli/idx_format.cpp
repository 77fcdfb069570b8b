// Reader and writer of idx.
#include "idx_format.h"

#include <cstring>
#include <utility>

#include "format_error.h"
#include "matrix_reader.h"

namespace quern::shell {
namespace {

constexpr size_t kDimensionsMax = 8;

uint64_t BigInteger(const unsigned char* bytes, size_t size) {
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++) {
        value = value << 8 | bytes[i];
    }
    return value;
}

class IdxReader : public MatrixReader {
public:
    explicit IdxReader(std::unique_ptr<ByteSource> source) : MatrixReader(std::move(source)) {
        ReadHeader();
    }

private:
    [[noreturn]] void FailHeader(const std::string& what) const {
        throw FormatError(source_->name() + ": idx header: " + what);
    }

    void ReadHeader() {
        unsigned char start[4];
        if (source_->Read(start, sizeof(start)) < sizeof(start) || start[0] != 0 || start[1] != 0) {
            throw FormatError(source_->name() + ": not an idx file");
        }
        code_ = start[2];
        switch (code_) {
            case 0x08:
            case 0x09: element_bytes_ = 1; break;
            case 0x0b: element_bytes_ = 2; break;
            case 0x0c:
            case 0x0d: element_bytes_ = 4; break;
            case 0x0e: element_bytes_ = 8; break;
            default: FailHeader("unknown element code " + std::to_string(code_));
        }
        if (start[3] < 1 || start[3] > kDimensionsMax) {
            FailHeader(std::to_string(start[3]) + " dimensions");
        }
        uint64_t rows = 0;
        uint64_t dim = 1;
        for (size_t i = 0; i < start[3]; i++) {
            unsigned char bytes[4];
            if (source_->Read(bytes, sizeof(bytes)) < sizeof(bytes)) {
                FailHeader("the file ends inside");
            }
            const uint64_t size = BigInteger(bytes, sizeof(bytes));
            if (i == 0) {
                rows = size;
                continue;
            }
            dim *= size;  // both below 2^32, and dim is checked each time
            if (dim == 0 || dim > kDimensionMax) {
                FailHeader("the dimension of a row is not between 1 and 65536");
            }
        }
        SetShape(rows, static_cast<size_t>(dim), element_bytes_);
    }

    float Element(const unsigned char* at) const override {
        const uint64_t bits = BigInteger(at, element_bytes_);
        switch (code_) {
            case 0x08: return static_cast<uint8_t>(bits);
            case 0x09: return static_cast<int8_t>(bits);
            case 0x0b: return static_cast<int16_t>(bits);
            case 0x0c: return static_cast<float>(static_cast<int32_t>(bits));
            case 0x0d: {
                const auto word = static_cast<uint32_t>(bits);
                float value;
                std::memcpy(&value, &word, sizeof(value));
                return value;
            }
            default: {
                double value;
                std::memcpy(&value, &bits, sizeof(value));
                return static_cast<float>(value);
            }
        }
    }

    unsigned code_ = 0;
    size_t element_bytes_ = 1;
};

class IdxWriter : public RecordWriter {
public:
    IdxWriter(std::unique_ptr<ByteSink> sink, IdxElement element, uint64_t rows, size_t dim)
        : sink_(std::move(sink)), element_(element), rows_left_(rows) {
        if (rows > UINT32_MAX) {
            throw FormatError("idx: " + std::to_string(rows) + " rows, the format holds " +
                              std::to_string(UINT32_MAX));
        }
        const char start[] = {0, 0, static_cast<char>(element), 2};
        bytes_.assign(start, sizeof(start));
        Append(static_cast<uint32_t>(rows));
        Append(static_cast<uint32_t>(dim));
        sink_->Write(bytes_);
    }

    void Write(const Record& record) override {
        if (!record.has_vector) {
            return;
        }
        if (rows_left_-- == 0) {
            throw FormatError("idx: more rows than the header says");
        }
        bytes_.clear();
        for (size_t i = 0; i < record.vector.size(); i++) {
            const float value = record.vector[i];
            if (element_ == IdxElement::kU8) {
                CheckWhole(record, i, 0, 255, "idx of bytes");
                bytes_.push_back(static_cast<char>(static_cast<unsigned char>(value)));
                continue;
            }
            uint32_t bits;
            std::memcpy(&bits, &value, sizeof(bits));
            Append(bits);
        }
        sink_->Write(bytes_);
    }

    void Finish() override {
        if (rows_left_ != 0) {
            throw FormatError("idx: " + std::to_string(rows_left_) +
                              " rows less than the header says");
        }
        sink_->Close();
    }

private:
    void Append(uint32_t value) {
        for (int shift = 24; shift >= 0; shift -= 8) {
            bytes_.push_back(static_cast<char>(static_cast<unsigned char>(value >> shift)));
        }
    }

    std::unique_ptr<ByteSink> sink_;
    IdxElement element_;
    uint64_t rows_left_;
    std::string bytes_;
};

}  // namespace

std::unique_ptr<RecordReader> NewIdxReader(std::unique_ptr<ByteSource> source) {
    return std::make_unique<IdxReader>(std::move(source));
}

std::unique_ptr<RecordWriter> NewIdxWriter(std::unique_ptr<ByteSink> sink, IdxElement element,
                                           uint64_t rows, size_t dim) {
    return std::make_unique<IdxWriter>(std::move(sink), element, rows, dim);
}

}  // namespace quern::shell
