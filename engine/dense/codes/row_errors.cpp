#include "engine/dense/codes/row_errors.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>

#include "engine/dense/bad_index.h"
#include "engine/dense/codes/code_training.h"
#include "storage/base/parallel.h"

namespace quern::dense {

namespace {

constexpr double kStepsOfTwo = 16;  // levels between an error and its double
constexpr size_t kLooseShare = 64;
constexpr size_t kErrorRows = 256;      // that one worker measures at a time
constexpr double kErrorMax = 1e30;      // squares of what is beyond leave f32
constexpr double kLevelSlack = 1e-6;    // for powers of two that a library rounds in its own way
constexpr double kMeasureSlack = 1e-9;  // for sums of 65536 squares in double

float RoundUp(double value) {
    const auto rounded = static_cast<float>(value);
    return static_cast<double>(rounded) >= value
               ? rounded
               : std::nextafter(rounded, std::numeric_limits<float>::infinity());
}

}  // namespace

Result<RowErrors> RowErrors::Measure(const Codes& codes, const VectorRows& rows,
                                     const CodeRows& coded, int threads, Work* work) {
    RowErrors errors;
    std::vector<double> restored(rows.dim);
    if (rows.count == 0 || !codes.Restore(coded, 0, restored.data())) {
        return errors;
    }
    std::vector<float> of_row(rows.count);
    std::atomic<size_t> next{0};
    QUERN_TRY(RunOnThreads(threads, [&](int) -> Status {
        std::vector<float> values(kErrorRows * rows.dim);
        std::vector<double> decoded(rows.dim);
        while (true) {
            const size_t first = next.fetch_add(kErrorRows);
            if (first >= rows.count) {
                return {};
            }
            const size_t count = std::min(kErrorRows, rows.count - first);
            DecodeRows(rows, first, count, values.data());
            for (size_t i = 0; i < count; i++) {
                codes.Restore(coded, first + i, decoded.data());
                double squares = 0;
                for (size_t j = 0; j < rows.dim; j++) {
                    const double off = static_cast<double>(values[i * rows.dim + j]) - decoded[j];
                    squares += off * off;
                }
                of_row[first + i] = RoundUp(std::sqrt(squares) * (1 + kMeasureSlack));
            }
            QUERN_TRY(work->Check("measure codes", first, rows.count));
        }
    }));
    float unit = 0;
    for (const float error : of_row) {
        if (!(static_cast<double>(error) <= kErrorMax)) {
            return errors;
        }
        unit = std::max(unit, error);
    }
    errors.bytes_ = Buffer(sizeof(float) + rows.count, nullptr);
    std::memcpy(errors.bytes_.data(), &unit, sizeof(unit));
    errors.Fill(unit);
    auto* const levels = reinterpret_cast<uint8_t*>(errors.bytes_.data()) + sizeof(unit);
    for (size_t i = 0; i < rows.count; i++) {
        const double least = static_cast<double>(of_row[i]) * (1 + kLevelSlack);
        const auto level =
            std::lower_bound(errors.of_level_.begin(), errors.of_level_.end(), least);
        levels[i] =
            static_cast<uint8_t>(std::min<ptrdiff_t>(level - errors.of_level_.begin(), UINT8_MAX));
    }
    errors.FindLoose();
    return errors;
}

Result<RowErrors> RowErrors::Read(Buffer bytes, size_t count) {
    RowErrors errors;
    if (bytes.bytes() == 0) {
        return errors;
    }
    float unit = 0;
    if (bytes.bytes() != sizeof(unit) + count) {
        return BadIndex("errors of its codes are those of another number of vectors");
    }
    std::memcpy(&unit, bytes.data(), sizeof(unit));
    if (!(unit >= 0 && static_cast<double>(unit) <= kErrorMax)) {
        return BadIndex("the error of its codes is no length");
    }
    errors.bytes_ = std::move(bytes);
    errors.Fill(unit);
    errors.FindLoose();
    return errors;
}

void RowErrors::Fill(float unit) {
    for (size_t level = 1; level < of_level_.size(); level++) {
        const double power = (static_cast<double>(level) - UINT8_MAX) / kStepsOfTwo;
        of_level_[level] = static_cast<double>(unit) * std::exp2(power) * (1 + kLevelSlack);
    }
}

void RowErrors::FindLoose() {
    std::array<size_t, 256> counts{};
    const size_t count = bytes_.bytes() - sizeof(float);
    for (size_t i = 0; i < count; i++) {
        counts[levels()[i]]++;
    }
    size_t above = 0;
    common_ = UINT8_MAX;
    while (common_ > 0 && above + counts[common_] <= count / kLooseShare) {
        above += counts[common_];
        common_--;
    }
    loose_.reserve(above);
    for (uint32_t i = 0; i < count && above > 0; i++) {
        if (levels()[i] > common_) {
            loose_.push_back(i);
        }
    }
}

}  // namespace quern::dense
