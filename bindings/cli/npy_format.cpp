// Reader and writer of npy.
#include "npy_format.h"

#include <cstring>
#include <utility>

#include "float_codes.h"
#include "format_error.h"

namespace quern::shell {
namespace {

constexpr char kMagic[] = "\x93NUMPY";
constexpr size_t kMagicBytes = 6;
// NumPy itself refuses to read longer headers unless told so.
constexpr size_t kHeaderBytesMax = 10000;
// The header that is written: long enough for any shape, so that it can be replaced in place.
constexpr size_t kHeaderBytesWritten = 128;

size_t ElementBytes(NpyElement element) {
    switch (element) {
        case NpyElement::kF2: return 2;
        case NpyElement::kF4: return 4;
        case NpyElement::kF8: return 8;
        case NpyElement::kI1:
        case NpyElement::kU1: break;
    }
    return 1;
}

uint64_t LittleInteger(const unsigned char* bytes, size_t size) {
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++) {
        value |= static_cast<uint64_t>(bytes[i]) << (8 * i);
    }
    return value;
}

// What stands behind 'name': in the dict.
std::string_view DictValue(std::string_view dict, std::string_view name) {
    for (char quote : {'\'', '"'}) {
        const std::string wanted = quote + std::string(name) + quote;
        const size_t at = dict.find(wanted);
        if (at == std::string_view::npos) {
            continue;
        }
        std::string_view rest = dict.substr(at + wanted.size());
        const size_t start = rest.find_first_not_of(" :");
        return start == std::string_view::npos ? std::string_view() : rest.substr(start);
    }
    return {};
}

class NpyReader : public RecordReader {
public:
    explicit NpyReader(std::unique_ptr<ByteSource> source) : RecordReader(std::move(source)) {
        ReadHeader();
    }

    uint64_t rows_claimed() const override { return rows_total_; }

    bool Next(Record* record) override {
        StartRow(record);
        if (record->row >= rows_total_) {
            return false;
        }
        if (source_->Read(bytes_.data(), bytes_.size()) < bytes_.size()) {
            const uint64_t claimed =
                std::exchange(rows_total_, record->row);  // no row is behind it
            Fail(*record,
                 "the file ends here, its header says " + std::to_string(claimed) + " rows", true);
        }
        const size_t element_bytes = ElementBytes(element_);
        record->vector.resize(dim_);
        for (size_t i = 0; i < dim_; i++) {
            const unsigned char* at = bytes_.data() + i * element_bytes;
            const uint64_t bits = LittleInteger(at, element_bytes);
            switch (element_) {
                case NpyElement::kF2:
                    record->vector[i] = HalfToFloat(static_cast<uint16_t>(bits));
                    break;
                case NpyElement::kF4: {
                    const auto word = static_cast<uint32_t>(bits);
                    std::memcpy(&record->vector[i], &word, sizeof(word));
                    break;
                }
                case NpyElement::kF8: {
                    double value;
                    std::memcpy(&value, &bits, sizeof(value));
                    record->vector[i] = static_cast<float>(value);
                    break;
                }
                case NpyElement::kI1: record->vector[i] = static_cast<int8_t>(bits); break;
                case NpyElement::kU1: record->vector[i] = static_cast<uint8_t>(bits); break;
            }
        }
        record->has_vector = true;
        return true;
    }

private:
    [[noreturn]] void FailHeader(const std::string& what) const {
        throw FormatError(source_->name() + ": npy header: " + what);
    }

    void ReadHeader() {
        unsigned char start[8];
        if (source_->Read(start, sizeof(start)) < sizeof(start) ||
            std::memcmp(start, kMagic, kMagicBytes) != 0) {
            throw FormatError(source_->name() + ": not an npy file");
        }
        const size_t length_bytes = start[6] == 1 ? 2 : 4;
        unsigned char length[4];
        if (start[6] < 1 || start[6] > 3 || source_->Read(length, length_bytes) < length_bytes) {
            FailHeader("unknown version " + std::to_string(start[6]));
        }
        const uint64_t header_bytes = LittleInteger(length, length_bytes);
        if (header_bytes > kHeaderBytesMax) {
            FailHeader(std::to_string(header_bytes) + " bytes long");
        }
        std::string dict(header_bytes, '\0');
        if (source_->Read(dict.data(), dict.size()) < dict.size()) {
            FailHeader("the file ends inside");
        }
        ReadElement(DictValue(dict, "descr"));
        if (DictValue(dict, "fortran_order").substr(0, 5) != "False") {
            FailHeader("Fortran order; save it with numpy.ascontiguousarray");
        }
        ReadShape(DictValue(dict, "shape"));
        bytes_.resize(dim_ * ElementBytes(element_));
    }

    void ReadElement(std::string_view value) {
        const std::string_view code = value.size() >= 5 ? value.substr(1, 3) : std::string_view();
        if (code == "<f2") {
            element_ = NpyElement::kF2;
        } else if (code == "<f4") {
            element_ = NpyElement::kF4;
        } else if (code == "<f8") {
            element_ = NpyElement::kF8;
        } else if (code == "|i1" || code == "<i1") {
            element_ = NpyElement::kI1;
        } else if (code == "|u1" || code == "<u1") {
            element_ = NpyElement::kU1;
        } else {
            FailHeader("element type " + std::string(value.substr(0, value.find(','))) +
                       "; wanted one of '<f2', '<f4', '<f8', '|i1', '|u1'");
        }
    }

    void ReadShape(std::string_view value) {
        const size_t comma = value.find(',');
        const size_t close = value.find(')');
        int64_t rows = 0;
        int64_t dim = 0;
        if (value.empty() || value[0] != '(' || comma == std::string_view::npos ||
            close == std::string_view::npos || comma > close) {
            FailHeader("no shape");
        }
        std::string_view second = value.substr(comma + 1, close - comma - 1);
        second.remove_prefix(std::min(second.find_first_not_of(' '), second.size()));
        if (!ParseInt(value.substr(1, comma - 1), &rows) || rows < 0 || !ParseInt(second, &dim)) {
            FailHeader("shape " + std::string(value.substr(0, close + 1)) +
                       "; wanted two dimensions (rows, dim)");
        }
        if (dim < 1 || dim > static_cast<int64_t>(kDimensionMax)) {
            FailHeader("dimension " + std::to_string(dim) + " is not between 1 and 65536");
        }
        rows_total_ = static_cast<uint64_t>(rows);
        dim_ = static_cast<size_t>(dim);
    }

    NpyElement element_ = NpyElement::kF4;
    uint64_t rows_total_ = 0;
    size_t dim_ = 0;
    std::vector<unsigned char> bytes_;
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
            AppendElement(value);
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
        static const char* const kDescr[] = {"<f2", "<f4", "<f8", "|i1", "|u1"};
        std::string header(kMagic, kMagicBytes);
        const size_t dict_bytes = kHeaderBytesWritten - 10;
        header += '\x01';
        header += '\0';
        header += static_cast<char>(dict_bytes & 0xff);
        header += static_cast<char>(dict_bytes >> 8);
        header += std::string("{'descr': '") + kDescr[static_cast<size_t>(element_)] +
                  "', 'fortran_order': False, 'shape': (" + std::to_string(rows) + ", " +
                  std::to_string(dim_) + "), }";
        header.resize(kHeaderBytesWritten - 1, ' ');
        header += '\n';
        return header;
    }

    void AppendElement(float value) {
        uint64_t bits = 0;
        switch (element_) {
            case NpyElement::kF2: bits = FloatToHalf(value); break;
            case NpyElement::kF4: {
                uint32_t word;
                std::memcpy(&word, &value, sizeof(word));
                bits = word;
                break;
            }
            case NpyElement::kF8: {
                const double wide = value;
                std::memcpy(&bits, &wide, sizeof(bits));
                break;
            }
            case NpyElement::kI1: bits = static_cast<uint8_t>(static_cast<int8_t>(value)); break;
            case NpyElement::kU1: bits = static_cast<uint8_t>(value); break;
        }
        for (size_t i = 0; i < ElementBytes(element_); i++) {
            bytes_.push_back(static_cast<char>(static_cast<unsigned char>(bits >> (8 * i))));
        }
    }

    std::unique_ptr<ByteSink> sink_;
    NpyElement element_;
    uint64_t rows_claimed_;
    size_t dim_;
    uint64_t rows_written_ = 0;
    std::string bytes_;
};

}  // namespace

std::unique_ptr<RecordReader> NewNpyReader(std::unique_ptr<ByteSource> source) {
    return std::make_unique<NpyReader>(std::move(source));
}

std::unique_ptr<RecordWriter> NewNpyWriter(std::unique_ptr<ByteSink> sink, NpyElement element,
                                           uint64_t rows, size_t dim) {
    return std::make_unique<NpyWriter>(std::move(sink), element, rows, dim);
}

}  // namespace quern::shell
