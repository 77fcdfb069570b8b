// Reader and writer of npy.
#include "npy_format.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <string_view>
#include <utility>

#include "float_codes.h"
#include "format_error.h"
#include "little_endian.h"
#include "matrix_reader.h"
#include "npy_header.h"

namespace quern::shell {
namespace {

constexpr const char* kDescrs[] = {"<f2", "<f4", "|i1", "|u1"};

size_t ElementBytes(NpyElement element) {
    return element == NpyElement::kF4 ? 4 : element == NpyElement::kF2 ? 2 : 1;
}

// "<f4": byte order, kind and size; false for what is no number of at most eight bytes.
struct NpyNumber {
    bool big = false;
    char kind = 'f';
    size_t bytes = 4;
};

bool NumberOfDescr(const std::string& descr, NpyNumber* number) {
    static const std::string_view kKinds[] = {"f2", "f4", "f8", "i1", "i2", "i4",
                                              "i8", "u1", "u2", "u4", "u8", "b1"};
    if (descr.size() != 3 || std::string_view("<>|=").find(descr[0]) == std::string_view::npos ||
        std::find(std::begin(kKinds), std::end(kKinds), std::string_view(descr).substr(1)) ==
            std::end(kKinds)) {
        return false;
    }
    number->big = descr[0] == '>';
    number->kind = descr[1];
    number->bytes = static_cast<size_t>(descr[2] - '0');
    return true;
}

float FloatOfNumber(const NpyNumber& number, const unsigned char* at) {
    unsigned char turned[8];
    if (number.big) {
        std::reverse_copy(at, at + number.bytes, turned);
        at = turned;
    }
    const uint64_t bits = LittleInteger(at, number.bytes);
    const size_t unused = 64 - 8 * number.bytes;
    if (number.kind == 'i') {
        return static_cast<float>(static_cast<int64_t>(bits << unused) >> unused);
    }
    if (number.kind != 'f') {
        return static_cast<float>(bits);
    }
    if (number.bytes == 2) {
        return HalfToFloat(static_cast<uint16_t>(bits));
    }
    if (number.bytes == 8) {
        double value;
        std::memcpy(&value, &bits, sizeof(value));
        return static_cast<float>(value);
    }
    const auto word = static_cast<uint32_t>(bits);
    float value;
    std::memcpy(&value, &word, sizeof(value));
    return value;
}

class NpyReader : public MatrixReader {
public:
    explicit NpyReader(std::unique_ptr<ByteSource> source) : MatrixReader(std::move(source)) {
        ReadHeader();
    }

private:
    void ReadHeader() {
        const NpyHeader header = ReadNpyHeader(source_.get());
        if (!NumberOfDescr(header.descr, &number_)) {
            FailNpyHeader(*source_, "element type '" + header.descr.substr(0, 40) +
                                        "'; wanted numbers: f2 to f8, i1 to i8, u1 to u8, b1");
        }
        if (!header.c_order) {
            FailNpyHeader(*source_, "Fortran order; save it with numpy.ascontiguousarray");
        }
        if (header.shape.size() != 2) {
            FailNpyHeader(*source_,
                          "shape " + header.shape_text + "; wanted two dimensions (rows, dim)");
        }
        if (header.shape[1] < 1 || header.shape[1] > kDimensionMax) {
            FailNpyHeader(*source_, "dimension " + std::to_string(header.shape[1]) +
                                        " is not between 1 and 65536");
        }
        SetShape(header.shape[0], static_cast<size_t>(header.shape[1]), number_.bytes);
    }

    float Element(const unsigned char* at) const override { return FloatOfNumber(number_, at); }

    NpyNumber number_;
};

class NpyWriter : public RecordWriter {
public:
    NpyWriter(std::unique_ptr<ByteSink> sink, NpyElement element, uint64_t rows, size_t dim)
        : sink_(std::move(sink)), element_(element), rows_claimed_(rows), dim_(dim) {
        sink_->Write(Header(rows));
    }

    void Write(const Record& record) override {
        if (!record.has_vector) {
            return;
        }
        bytes_.clear();
        for (float value : record.vector) {
            AppendNpyElement(element_, value, &bytes_);
        }
        sink_->Write(bytes_);
        rows_written_++;
    }

    void Finish() override {
        if (rows_written_ != rows_claimed_) {
            if (!sink_->CanPatch()) {
                throw FormatError("npy: " + std::to_string(rows_written_) +
                                  " rows written, the header says " +
                                  std::to_string(rows_claimed_));
            }
            sink_->PatchStart(Header(rows_written_));
        }
        sink_->Close();
    }

private:
    std::string Header(uint64_t rows) const {
        return NpyHeaderBytes(DescrOfElement(element_), rows, dim_);
    }

    std::unique_ptr<ByteSink> sink_;
    NpyElement element_;
    uint64_t rows_claimed_;
    size_t dim_;
    uint64_t rows_written_ = 0;
    std::string bytes_;
};

}  // namespace

const char* DescrOfElement(NpyElement element) {
    return kDescrs[static_cast<size_t>(element)];
}

void AppendNpyElement(NpyElement element, float value, std::string* bytes) {
    uint64_t bits = 0;
    switch (element) {
        case NpyElement::kF2: bits = FloatToHalf(value); break;
        case NpyElement::kF4: {
            uint32_t word;
            std::memcpy(&word, &value, sizeof(word));
            bits = word;
            break;
        }
        case NpyElement::kI1: bits = static_cast<uint8_t>(static_cast<int8_t>(value)); break;
        case NpyElement::kU1: bits = static_cast<uint8_t>(value); break;
    }
    for (size_t i = 0; i < ElementBytes(element); i++) {
        bytes->push_back(static_cast<char>(static_cast<unsigned char>(bits >> (8 * i))));
    }
}

std::unique_ptr<RecordReader> NewNpyReader(std::unique_ptr<ByteSource> source) {
    return std::make_unique<NpyReader>(std::move(source));
}

std::unique_ptr<RecordWriter> NewNpyWriter(std::unique_ptr<ByteSink> sink, NpyElement element,
                                           uint64_t rows, size_t dim) {
    return std::make_unique<NpyWriter>(std::move(sink), element, rows, dim);
}

}  // namespace quern::shell
