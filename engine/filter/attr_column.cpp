#include "engine/filter/attr_column.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <unordered_map>

#include "storage/base/test_fault.h"

namespace quern::filter {

namespace {

// Of a distinct text beside its bytes.
constexpr uint64_t kTextBytes = 100;

int Sign(bool less, bool greater) {
    return less ? -1 : (greater ? 1 : 0);
}

// Exactly: not by way of a double, which does not hold every int.
int CompareIntReal(int64_t number, double real) {
    if (TestFault(Fault::kIntAsDouble)) {
        return Sign(static_cast<double>(number) < real, static_cast<double>(number) > real);
    }
    if (real < -9223372036854775808.0) {
        return 1;
    }
    if (real >= 9223372036854775808.0) {
        return -1;
    }
    const auto whole = static_cast<int64_t>(real);
    if (number != whole) {
        return Sign(number < whole, true);
    }
    const double rest = real - static_cast<double>(whole);
    return Sign(rest > 0, rest < 0);
}

int OrderClassOf(Cell::Kind kind) {
    return kind == Cell::Kind::kBlob ? 2 : (kind == Cell::Kind::kText ? 1 : 0);
}

}  // namespace

int CompareValues(const Cell& value, const Value& constant) {
    const int left = OrderClassOf(value.kind);
    const int right = OrderClassOf(constant.kind);
    if (left != right) {
        return Sign(left < right, true);
    }
    if (left > 0) {
        const int order = value.text.compare(constant.text);
        return Sign(order<0, order> 0);
    }
    if (value.kind == Cell::Kind::kInt) {
        return constant.kind == Cell::Kind::kInt
                   ? Sign(value.number<constant.number, value.number> constant.number)
                   : CompareIntReal(value.number, constant.real);
    }
    return constant.kind == Cell::Kind::kInt
               ? -CompareIntReal(constant.number, value.real)
               : Sign(value.real<constant.real, value.real> constant.real);
}

size_t AttrColumn::memory_bytes() const {
    return numbers_.size() * 8 + reals_.size() * 8 + bytes_.size() + begins_.size() * 8 +
           codes8_.size() + codes16_.size() * 2 + codes32_.size() * 4 + sizeof(*this);
}

Cell AttrColumn::value(uint32_t code) const {
    Cell cell;
    cell.kind = kind_;
    const size_t i = code - 1;
    switch (kind_) {
        case Cell::Kind::kInt: cell.number = numbers_[i]; break;
        case Cell::Kind::kReal: cell.real = reals_[i]; break;
        default:
            cell.text = std::string_view(bytes_).substr(
                static_cast<size_t>(begins_[i]), static_cast<size_t>(begins_[i + 1] - begins_[i]));
    }
    return cell;
}

CodeRange AttrColumn::Equal(const Value& constant) const {
    uint32_t low = 1;
    uint32_t high = code_count();
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (CompareValues(value(middle), constant) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    const bool found = low < code_count() && CompareValues(value(low), constant) == 0;
    return {low, low + (found ? 1u : 0u)};
}

uint32_t AttrColumn::AddValue(const Cell& cell) {
    if (cell.kind == Cell::Kind::kInt) {
        numbers_.push_back(cell.number);
    } else if (cell.kind == Cell::Kind::kReal) {
        reals_.push_back(cell.real);
    } else {
        if (begins_.empty()) {
            begins_.push_back(0);
        }
        bytes_ += cell.text;
        begins_.push_back(bytes_.size());
    }
    return ++distinct_;
}

void AttrColumn::SetCodes(std::vector<uint32_t> codes) {
    if (distinct_ < 0x100) {
        codes8_.assign(codes.begin(), codes.end());
    } else if (distinct_ < 0x10000) {
        codes16_.assign(codes.begin(), codes.end());
    } else {
        codes32_ = std::move(codes);
    }
}

template <typename Code>
void AttrColumn::MarkCodes(const Code* codes, const CodeRanges& ranges, Bits* bits) const {
    const size_t words = (records_ + (TestFault(Fault::kLastWordUnmarked) ? 0 : 63)) / 64;
    if (ranges.size() == 1) {
        const uint32_t first = ranges[0].first;
        const uint32_t length = ranges[0].second - first;
        uint8_t inside[64];
        for (size_t word = 0; word < words; word++) {
            const Code* at = codes + word * 64;
            const size_t count = std::min<size_t>(64, records_ - word * 64);
            // In two steps, each of which a compiler makes wide.
            std::memset(inside, 0, sizeof(inside));
            for (size_t i = 0; i < count; i++) {
                inside[i] = static_cast<uint32_t>(at[i]) - first < length ? 1 : 0;
            }
            uint64_t mask = 0;
            for (size_t i = 0; i < 8; i++) {
                uint64_t eight = 0;
                std::memcpy(&eight, inside + i * 8, 8);
                mask |= (eight * 0x0102040810204080u >> 56) << (i * 8);
            }
            (*bits)[word] |= mask;
        }
        return;
    }
    std::vector<uint8_t> wanted(code_count(), 0);
    for (const CodeRange& range : ranges) {
        std::fill(wanted.begin() + range.first, wanted.begin() + range.second, uint8_t{1});
    }
    for (size_t record = 0; record < records_; record++) {
        (*bits)[record / 64] |= static_cast<uint64_t>(wanted[codes[record]]) << (record % 64);
    }
}

void AttrColumn::Mark(const CodeRanges& ranges, Bits* bits) const {
    if (ranges.empty()) {
        return;
    }
    if (!codes8_.empty()) {
        MarkCodes(codes8_.data(), ranges, bits);
    } else if (!codes16_.empty()) {
        MarkCodes(codes16_.data(), ranges, bits);
    } else {
        MarkCodes(codes32_.data(), ranges, bits);
    }
}

// Distinct texts as they come.
struct ColumnBuilder::Texts {
    std::unordered_map<std::string, uint32_t> numbers;
};

bool ColumnBuilder::Set(size_t record, const Cell& cell) {
    if (cell.kind == Cell::Kind::kNull) {
        return true;
    }
    if (column_.kind_ != Cell::Kind::kNull && column_.kind_ != cell.kind) {
        return false;
    }
    column_.kind_ = cell.kind;
    const auto place = static_cast<uint32_t>(record);
    if (cell.kind == Cell::Kind::kInt) {
        numbers_.emplace_back(cell.number, place);
    } else if (cell.kind == Cell::Kind::kReal) {
        if (std::isnan(cell.real)) {
            return false;
        }
        reals_.emplace_back(cell.real, place);
    } else {
        if (texts_ == nullptr) {
            texts_ = std::make_shared<Texts>();
        }
        const auto next = static_cast<uint32_t>(texts_->numbers.size() + 1);
        const auto [place_of, fresh] = texts_->numbers.try_emplace(std::string(cell.text), next);
        codes_[record] = place_of->second;
        distinct_text_bytes_ += fresh ? cell.text.size() : 0;
        text_bytes_ += fresh ? kTextBytes + 2 * cell.text.size() : 0;  // there and in the column
    }
    return true;
}

namespace {

// Numbers the values in their order.
template <typename T>
void Rank(std::vector<std::pair<T, uint32_t>>* pairs, std::vector<T>* distinct,
          std::vector<uint32_t>* codes) {
    std::sort(pairs->begin(), pairs->end());
    for (const auto& [value, record] : *pairs) {
        if (distinct->empty() || distinct->back() < value) {
            distinct->push_back(value);
        }
        (*codes)[record] = static_cast<uint32_t>(distinct->size());
    }
}

}  // namespace

std::unique_ptr<AttrColumn> ColumnBuilder::Finish() {
    auto column = std::make_unique<AttrColumn>(std::move(column_));
    column->records_ = codes_.size();
    Rank(&numbers_, &column->numbers_, &codes_);
    Rank(&reals_, &column->reals_, &codes_);
    size_t distinct = column->numbers_.size() + column->reals_.size();
    if (texts_ != nullptr) {
        std::vector<std::pair<std::string_view, uint32_t>> sorted(texts_->numbers.begin(),
                                                                  texts_->numbers.end());
        std::sort(sorted.begin(), sorted.end());
        std::vector<uint32_t> ranks(sorted.size() + 1, 0);
        column->begins_.push_back(0);
        for (const auto& [text, number] : sorted) {
            ranks[number] = static_cast<uint32_t>(column->begins_.size());
            column->bytes_ += text;
            column->begins_.push_back(column->bytes_.size());
        }
        for (uint32_t& code : codes_) {
            code = ranks[code];
        }
        distinct = sorted.size();
    }
    column->distinct_ = static_cast<uint32_t>(distinct);
    column->SetCodes(std::move(codes_));
    return column;
}

}  // namespace quern::filter
