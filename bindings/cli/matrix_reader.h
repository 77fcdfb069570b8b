// A reader of files that are one matrix behind a head: rows of as many numbers one after the other.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "import_record.h"

namespace quern::shell {

class MatrixReader : public RecordReader {
public:
    uint64_t rows_claimed() const override { return rows_; }

    bool Next(Record* record) override {
        StartRow(record);
        if (record->row >= rows_) {
            CheckEnd(rows_);
            return false;
        }
        if (source_->Read(row_.data(), row_.size()) < row_.size()) {
            const uint64_t claimed = std::exchange(rows_, record->row);  // no row is behind it
            Fail(*record,
                 "the file ends here, its header says " + std::to_string(claimed) + " rows", true);
        }
        record->vector.resize(dim_);
        for (size_t i = 0; i < dim_; i++) {
            record->vector[i] = Element(row_.data() + i * element_bytes_);
        }
        record->has_vector = true;
        return true;
    }

protected:
    using RecordReader::RecordReader;
    // As the head says.
    void SetShape(uint64_t rows, size_t dim, size_t element_bytes) {
        rows_ = rows;
        dim_ = dim;
        element_bytes_ = element_bytes;
        row_.resize(dim * element_bytes);
    }
    virtual float Element(const unsigned char* at) const = 0;

private:
    uint64_t rows_ = 0;
    size_t dim_ = 0;
    size_t element_bytes_ = 0;
    std::vector<unsigned char> row_;
};

}  // namespace quern::shell
