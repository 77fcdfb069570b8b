#include "bin_format.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "format_error.h"
#include "little_endian.h"

namespace quern::shell {
namespace {

constexpr size_t kHeadBytes = 8;

size_t BinElementBytes(BinElement element) {
    return element == BinElement::kU8 || element == BinElement::kI8 ? 1 : 4;
}

struct BinHead {
    uint64_t rows = 0;
    size_t dim = 0;
};

BinHead ReadHead(ByteSource* source) {
    unsigned char head[kHeadBytes];
    if (source->Read(head, sizeof(head)) < sizeof(head)) {
        throw FormatError(source->name() + ": the file ends inside its head of 8 bytes");
    }
    const uint32_t dim = LittleU32(head + 4);
    if (dim < 1 || dim > kDimensionMax) {
        throw FormatError(source->name() + ": offset 4: dimension " + std::to_string(dim) +
                          " is not between 1 and 65536: not a file of this format?");
    }
    return {LittleU32(head), dim};
}

class BinReader : public RecordReader {
public:
    BinReader(std::unique_ptr<ByteSource> source, BinElement element)
        : RecordReader(std::move(source)), element_(element), head_(ReadHead(source_.get())) {
        bytes_.resize(head_.dim * BinElementBytes(element));
        claimed_ = head_.rows;
    }

    uint64_t rows_claimed() const override { return claimed_; }

    bool Next(Record* record) override {
        StartRow(record);
        if (record->row >= head_.rows) {
            CheckBehind();
            return false;
        }
        if (source_->Read(bytes_.data(), bytes_.size()) < bytes_.size()) {
            head_.rows = record->row;  // no row is behind it
            at_end_ = true;
            Fail(*record, "the file ends here, its head says " + std::to_string(claimed_) + " rows",
                 true);
        }
        record->vector.resize(head_.dim);
        for (size_t i = 0; i < head_.dim; i++) {
            record->vector[i] = Element(i);
        }
        record->has_vector = true;
        return true;
    }

private:
    float Element(size_t i) const {
        switch (element_) {
            case BinElement::kU8: return bytes_[i];
            case BinElement::kI8: return static_cast<int8_t>(bytes_[i]);
            case BinElement::kI32:
                return static_cast<float>(static_cast<int32_t>(LittleU32(bytes_.data() + 4 * i)));
            case BinElement::kF32: break;
        }
        const uint32_t bits = LittleU32(bytes_.data() + 4 * i);
        float value;
        std::memcpy(&value, &bits, sizeof(value));
        return value;
    }

    // Once: a file that holds more than it says is not what it seems. Ground truth has a distance
    // for each of its ids, behind all of these.
    void CheckBehind() {
        if (std::exchange(at_end_, true)) {
            return;
        }
        uint64_t rows = 0;
        size_t got = 0;
        while (element_ == BinElement::kI32 && rows < head_.rows &&
               (got = source_->Read(bytes_.data(), bytes_.size())) == bytes_.size()) {
            rows++;
        }
        if (rows < head_.rows && rows + got > 0) {
            throw FormatError(source_->name() + ": behind the " + std::to_string(head_.rows) +
                              " rows that the head tells of is something, but not their distances");
        }
        CheckEnd(
            head_.rows,
            "offset " + std::to_string(kHeadBytes + (head_.rows + rows) * bytes_.size()) + ": ");
    }

    BinElement element_;
    BinHead head_;
    uint64_t claimed_ = 0;
    bool at_end_ = false;
    std::vector<unsigned char> bytes_;
};

class BinWriter : public RecordWriter {
public:
    BinWriter(std::unique_ptr<ByteSink> sink, BinElement element, uint64_t rows, size_t dim)
        : sink_(std::move(sink)), element_(element), rows_claimed_(rows), dim_(dim) {
        sink_->Write(Head(rows));
    }

    void Write(const Record& record) override {
        if (!record.has_vector) {
            return;
        }
        bytes_.clear();
        for (size_t i = 0; i < record.vector.size(); i++) {
            const float value = record.vector[i];
            switch (element_) {
                case BinElement::kF32: {
                    uint32_t bits;
                    std::memcpy(&bits, &value, sizeof(bits));
                    AppendLittle(bits, 4, &bytes_);
                    break;
                }
                case BinElement::kU8:
                    CheckWhole(record, i, 0, 255, "u8bin");
                    bytes_.push_back(static_cast<char>(static_cast<unsigned char>(value)));
                    break;
                case BinElement::kI8:
                    CheckWhole(record, i, -128, 127, "i8bin");
                    bytes_.push_back(static_cast<char>(static_cast<int8_t>(value)));
                    break;
                case BinElement::kI32:
                    CheckWhole(record, i, INT32_MIN, INT32_MAX, "ibin");
                    AppendLittle(static_cast<uint32_t>(static_cast<int32_t>(value)), 4, &bytes_);
                    break;
            }
        }
        sink_->Write(bytes_);
        rows_written_++;
    }

    void Finish() override {
        if (rows_written_ > UINT32_MAX) {
            throw FormatError("the head of this format counts 4,294,967,295 rows at most, not " +
                              std::to_string(rows_written_));
        }
        if (rows_written_ != rows_claimed_) {
            if (!sink_->CanPatch()) {
                throw FormatError(std::to_string(rows_written_) + " rows written, the head says " +
                                  std::to_string(rows_claimed_));
            }
            sink_->PatchStart(Head(rows_written_));
        }
        sink_->Close();
    }

private:
    std::string Head(uint64_t rows) const {
        std::string head;
        AppendLittle(rows, 4, &head);
        AppendLittle(dim_, 4, &head);
        return head;
    }

    std::unique_ptr<ByteSink> sink_;
    BinElement element_;
    uint64_t rows_claimed_;
    size_t dim_;
    uint64_t rows_written_ = 0;
    std::string bytes_;
};

}  // namespace

std::unique_ptr<RecordReader> NewBinReader(std::unique_ptr<ByteSource> source, BinElement element) {
    return std::make_unique<BinReader>(std::move(source), element);
}

std::unique_ptr<RecordWriter> NewBinWriter(std::unique_ptr<ByteSink> sink, BinElement element,
                                           uint64_t rows, size_t dim) {
    return std::make_unique<BinWriter>(std::move(sink), element, rows, dim);
}

std::vector<std::vector<int32_t>> ReadBinTruth(ByteSource* source, size_t rows_skipped,
                                               size_t rows_max, size_t width_max) {
    const BinHead head = ReadHead(source);
    std::vector<std::vector<int32_t>> rows;
    std::vector<unsigned char> bytes(head.dim * 4);
    for (uint64_t position = 0; position < head.rows && rows.size() < rows_max; position++) {
        if (source->Read(bytes.data(), bytes.size()) < bytes.size()) {
            throw FormatError(source->name() + ": row " + std::to_string(position) +
                              ": the file ends here, its head says " + std::to_string(head.rows) +
                              " rows");
        }
        if (position < rows_skipped) {
            continue;
        }
        std::vector<int32_t>& row = rows.emplace_back(std::min(head.dim, width_max));
        for (size_t i = 0; i < row.size(); i++) {
            row[i] = static_cast<int32_t>(LittleU32(bytes.data() + 4 * i));
        }
    }
    return rows;
}

}  // namespace quern::shell
