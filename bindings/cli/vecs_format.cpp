// Reader and writer of the *vecs formats.
#include "vecs_format.h"

#include <cstring>

#include "format_error.h"
#include "little_endian.h"

namespace quern::shell {
namespace {

// Reads the dimension of the next row; false at the end of the file.
bool ReadDimension(ByteSource* source, const std::string& where, size_t* dim) {
    unsigned char bytes[4];
    const size_t got = source->Read(bytes, sizeof(bytes));
    if (got == 0) {
        return false;
    }
    if (got < sizeof(bytes)) {
        throw FormatError(where + ": the file ends inside a row", true);
    }
    const uint32_t value = LittleU32(bytes);
    if (value == 0 || value > kDimensionMax) {
        throw FormatError(where + ": dimension " + std::to_string(static_cast<int32_t>(value)) +
                          " is not between 1 and 65536: not a file of this format?");
    }
    *dim = value;
    return true;
}

class VecsReader : public RecordReader {
public:
    VecsReader(std::unique_ptr<ByteSource> source, VecsElement element)
        : RecordReader(std::move(source)), element_(element) {}

    bool Next(Record* record) override {
        StartRow(record);
        size_t dim = 0;
        if (!ReadDimension(source_.get(), record->where, &dim)) {
            return false;
        }
        if (dim_ == 0) {
            dim_ = dim;
        }
        if (dim != dim_) {
            Fail(*record,
                 "dimension " + std::to_string(dim) + ", the first row has " + std::to_string(dim_),
                 false);
        }
        const size_t element_bytes = element_ == VecsElement::kU8 ? 1 : 4;
        bytes_.resize(dim * element_bytes);
        if (source_->Read(bytes_.data(), bytes_.size()) < bytes_.size()) {
            Fail(*record, "the file ends inside a row", true);
        }
        record->vector.resize(dim);
        for (size_t i = 0; i < dim; i++) {
            if (element_ == VecsElement::kU8) {
                record->vector[i] = bytes_[i];
                continue;
            }
            const uint32_t bits = LittleU32(bytes_.data() + 4 * i);
            if (element_ == VecsElement::kF32) {
                std::memcpy(&record->vector[i], &bits, sizeof(bits));
            } else {
                record->vector[i] = static_cast<float>(static_cast<int32_t>(bits));
            }
        }
        record->has_vector = true;
        return true;
    }

private:
    VecsElement element_;
    size_t dim_ = 0;
    std::vector<unsigned char> bytes_;
};

class VecsWriter : public RecordWriter {
public:
    VecsWriter(std::unique_ptr<ByteSink> sink, VecsElement element)
        : sink_(std::move(sink)), element_(element) {}
    void Write(const Record& record) override {
        if (!record.has_vector) {
            return;
        }
        bytes_.clear();
        Append(static_cast<uint32_t>(record.vector.size()));
        for (size_t i = 0; i < record.vector.size(); i++) {
            const float value = record.vector[i];
            uint32_t bits = 0;
            switch (element_) {
                case VecsElement::kF32:
                    std::memcpy(&bits, &value, sizeof(bits));
                    Append(bits);
                    break;
                case VecsElement::kU8:
                    CheckWhole(record, i, 0, 255, "bvecs");
                    bytes_.push_back(static_cast<char>(static_cast<unsigned char>(value)));
                    break;
                case VecsElement::kI32:
                    CheckWhole(record, i, INT32_MIN, INT32_MAX, "ivecs");
                    Append(static_cast<uint32_t>(static_cast<int32_t>(value)));
                    break;
            }
        }
        sink_->Write(bytes_);
    }
    void Finish() override { sink_->Close(); }

private:
    void Append(uint32_t value) {
        for (int shift = 0; shift < 32; shift += 8) {
            bytes_.push_back(static_cast<char>(static_cast<unsigned char>(value >> shift)));
        }
    }
    std::unique_ptr<ByteSink> sink_;
    VecsElement element_;
    std::string bytes_;
};

}  // namespace

std::unique_ptr<RecordReader> NewVecsReader(std::unique_ptr<ByteSource> source,
                                            VecsElement element) {
    return std::make_unique<VecsReader>(std::move(source), element);
}

std::unique_ptr<RecordWriter> NewVecsWriter(std::unique_ptr<ByteSink> sink, VecsElement element) {
    return std::make_unique<VecsWriter>(std::move(sink), element);
}

std::vector<std::vector<int32_t>> ReadTruth(ByteSource* source, size_t rows_skipped,
                                            size_t rows_max, size_t width_max) {
    std::vector<std::vector<int32_t>> rows;
    std::vector<unsigned char> bytes;
    size_t position = 0;
    while (rows.size() < rows_max) {
        const std::string where = source->name() + ": row " + std::to_string(position);
        size_t dim = 0;
        if (!ReadDimension(source, where, &dim)) {
            break;
        }
        bytes.resize(dim * 4);
        if (source->Read(bytes.data(), bytes.size()) < bytes.size()) {
            throw FormatError(where + ": the file ends inside a row");
        }
        if (position++ < rows_skipped) {
            continue;
        }
        std::vector<int32_t>& row = rows.emplace_back(std::min(dim, width_max));
        for (size_t i = 0; i < row.size(); i++) {
            row[i] = static_cast<int32_t>(LittleU32(bytes.data() + 4 * i));
        }
    }
    return rows;
}

}  // namespace quern::shell
