#include "spmat_format.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

#include "format_error.h"
#include "little_endian.h"
#include "random_bytes.h"
#include "temporary_bytes.h"

namespace quern::shell {
namespace {

constexpr uint64_t kSpmatHeadBytes = 24;
// The engine's limit is 65,535; what is beyond it is found where values are converted.
constexpr uint64_t kRowEntriesMax = uint64_t{1} << 20;

class SpmatReader : public RecordReader {
public:
    explicit SpmatReader(std::unique_ptr<ByteSource> source)
        : RecordReader(std::move(source)), all_(source_.get()) {
        ReadHead();
    }

    uint64_t rows_claimed() const override { return rows_total_; }
    bool has_columns() const override { return true; }

    bool Next(Record* record) override {
        StartRow(record);
        if (record->row >= rows_total_) {
            return false;
        }
        const uint64_t end = NextStart(record->row + 1);
        if (end < at_ || end > entries_) {
            throw FormatError(source_->name() + ": offset " +
                              std::to_string(kSpmatHeadBytes + 8 * (record->row + 1)) + ": row " +
                              std::to_string(record->row) + " ends at entry " +
                              std::to_string(end) + "; it begins at " + std::to_string(at_) +
                              ", and there are " + std::to_string(entries_));
        }
        const uint64_t count = end - at_;
        if (count > kRowEntriesMax) {
            throw FormatError(record->where + ": " + std::to_string(count) + " entries");
        }
        Value& value = record->Add(kSpmatColumn);
        value.kind = Value::Kind::kSparse;
        TakeRow(*record, static_cast<size_t>(count), &value);
        at_ = end;
        return true;
    }

private:
    void ReadHead() {
        unsigned char head[kSpmatHeadBytes];
        if (all_.ReadAt(0, head, sizeof(head)) < sizeof(head)) {
            throw FormatError(source_->name() + ": the file ends inside its head of 24 bytes");
        }
        rows_total_ = LittleInteger(head, 8);
        dims_ = LittleInteger(head + 8, 8);
        entries_ = LittleInteger(head + 16, 8);
        // Neither sum nor product can be beyond 64 bits where both numbers are below the size.
        const uint64_t size = all_.size();
        if (rows_total_ >= size || entries_ >= size ||
            kSpmatHeadBytes + 8 * (rows_total_ + 1) + 8 * entries_ != size) {
            throw FormatError(source_->name() + ": the head tells of " + Signed(rows_total_) +
                              " rows and " + Signed(entries_) +
                              " entries, which is not a file of " + std::to_string(size) +
                              " bytes");
        }
        unsigned char last[8] = {};
        const uint64_t place_of_last = kSpmatHeadBytes + 8 * rows_total_;
        if (all_.ReadAt(place_of_last, last, sizeof(last)) < sizeof(last) ||
            LittleInteger(last, 8) != entries_) {
            throw FormatError(source_->name() + ": offset " + std::to_string(place_of_last) +
                              ": the last row ends at entry " + Signed(LittleInteger(last, 8)) +
                              ", and there are " + Signed(entries_));
        }
        if (dims_ > uint64_t{1} << 32) {
            throw FormatError(source_->name() + ": offset 8: " + Signed(dims_) +
                              " dimensions; 4294967296 are the limit");
        }
        const uint64_t place = kSpmatHeadBytes + 8 * (rows_total_ + 1);
        starts_ = all_.Piece(kSpmatHeadBytes, 8 * (rows_total_ + 1), source_->name());
        indices_ = all_.Piece(place, 4 * entries_, source_->name());
        weights_ = all_.Piece(place + 4 * entries_, 4 * entries_, source_->name());
        if (NextStart(0) != 0) {
            throw FormatError(source_->name() + ": offset 24: the first row does not begin at 0");
        }
    }

    static std::string Signed(uint64_t value) {
        return std::to_string(static_cast<int64_t>(value));
    }

    uint64_t NextStart(uint64_t row) {
        unsigned char bytes[8];
        if (starts_->Read(bytes, sizeof(bytes)) < sizeof(bytes)) {
            throw FormatError(source_->name() + ": offset " +
                              std::to_string(kSpmatHeadBytes + 8 * row) +
                              ": the file became shorter");
        }
        return LittleInteger(bytes, 8);
    }

    void TakeRow(const Record& record, size_t count, Value* value) {
        bytes_.resize(4 * count);
        value->dims.resize(count);
        value->numbers.resize(count);
        if (indices_->Read(bytes_.data(), bytes_.size()) < bytes_.size()) {
            throw FormatError(record.where + ": the file became shorter");
        }
        size_t wrong = count;
        for (size_t i = count; i > 0; i--) {
            value->dims[i - 1] =
                static_cast<uint32_t>(LittleInteger(bytes_.data() + 4 * (i - 1), 4));
            wrong = value->dims[i - 1] >= dims_ ? i - 1 : wrong;
        }
        if (weights_->Read(bytes_.data(), bytes_.size()) < bytes_.size()) {
            throw FormatError(record.where + ": the file became shorter");
        }
        for (size_t i = 0; i < count; i++) {
            const auto bits = static_cast<uint32_t>(LittleInteger(bytes_.data() + 4 * i, 4));
            std::memcpy(&value->numbers[i], &bits, sizeof(bits));
        }
        if (wrong < count) {
            const std::string what = "entry " + std::to_string(wrong) + " is of dimension " +
                                     std::to_string(static_cast<int32_t>(value->dims[wrong])) +
                                     ", the head tells of " + std::to_string(dims_);
            at_ += count;
            Fail(record, what, true);
        }
    }

    RandomBytes all_;
    std::unique_ptr<ByteSource> starts_, indices_, weights_;
    uint64_t rows_total_ = 0;
    uint64_t dims_ = 0;
    uint64_t entries_ = 0;
    uint64_t at_ = 0;
    std::vector<unsigned char> bytes_;
};

class SpmatWriter : public RecordWriter {
public:
    SpmatWriter(std::unique_ptr<ByteSink> sink, uint64_t dims)
        : sink_(std::move(sink)), dims_(dims) {}

    void Write(const Record& record) override {
        const Value* value = nullptr;
        for (size_t i = 0; i < record.value_count() && value == nullptr; i++) {
            value = record.value(i).value.kind == Value::Kind::kSparse ? &record.value(i).value
                                                                       : nullptr;
        }
        if (value == nullptr) {
            return;
        }
        order_.resize(value->dims.size());
        std::iota(order_.begin(), order_.end(), size_t{0});
        std::sort(order_.begin(), order_.end(),
                  [&](size_t a, size_t b) { return value->dims[a] < value->dims[b]; });
        AppendStart();
        indices_bytes_.clear();
        weights_bytes_.clear();
        for (size_t i : order_) {
            if (value->dims[i] > static_cast<uint32_t>(INT32_MAX)) {
                throw FormatError("the record " + Quoted(record.key) + ": dimension " +
                                  std::to_string(value->dims[i]) +
                                  " is beyond 2147483647, the largest that spmat has");
            }
            used_ = std::max(used_, uint64_t{value->dims[i]} + 1);
            uint32_t bits;
            std::memcpy(&bits, &value->numbers[i], sizeof(bits));
            AppendLittle(value->dims[i], 4, &indices_bytes_);
            AppendLittle(bits, 4, &weights_bytes_);
        }
        indices_.Write(indices_bytes_);
        weights_.Write(weights_bytes_);
        entries_ += order_.size();
        rows_++;
    }

    void Finish() override {
        AppendStart();
        std::string head;
        AppendLittle(rows_, 8, &head);
        AppendLittle(dims_ == 0 ? used_ : dims_, 8, &head);
        AppendLittle(entries_, 8, &head);
        sink_->Write(head);
        starts_.CopyTo(sink_.get());
        indices_.CopyTo(sink_.get());
        weights_.CopyTo(sink_.get());
        sink_->Close();
    }

private:
    void AppendStart() {
        std::string start;
        AppendLittle(entries_, 8, &start);
        starts_.Write(start);
    }

    std::unique_ptr<ByteSink> sink_;
    uint64_t dims_;
    uint64_t used_ = 0;
    uint64_t rows_ = 0;
    uint64_t entries_ = 0;
    std::vector<size_t> order_;
    std::string indices_bytes_, weights_bytes_;
    TemporaryBytes starts_, indices_, weights_;
};

}  // namespace

std::unique_ptr<RecordReader> NewSpmatReader(std::unique_ptr<ByteSource> source) {
    return std::make_unique<SpmatReader>(std::move(source));
}

std::unique_ptr<RecordWriter> NewSpmatWriter(std::unique_ptr<ByteSink> sink, uint64_t dims) {
    return std::make_unique<SpmatWriter>(std::move(sink), dims);
}

}  // namespace quern::shell
