#include "engine/sparse/term_table.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "engine/sparse/row_shares.h"

namespace quern::sparse {

namespace {

constexpr double kTableImpactMax = 255;
// Between two questions whether to go on.
constexpr uint64_t kCheckEntries = 65536;

struct Range {
    uint64_t key = 0;  // dimension * 2 + (1 when negative)
    WeightRange weights;
};

// An open-addressed hash table of ranges by key. Dimensions come from anywhere in 2^32.
class RangeTable {
public:
    RangeTable() : slots_(1024, 0) {}
    // The number of the range of this key, in order of first appearance.
    uint32_t Number(uint64_t key) {
        uint64_t at = Place(key);
        while (slots_[at] != 0) {
            if (ranges_[slots_[at] - 1].key == key) {
                return slots_[at] - 1;
            }
            at = (at + 1) & (slots_.size() - 1);
        }
        ranges_.push_back({key, {}});
        slots_[at] = static_cast<uint32_t>(ranges_.size());
        if (ranges_.size() * 2 > slots_.size()) {
            Grow();
        }
        return static_cast<uint32_t>(ranges_.size() - 1);
    }
    std::vector<Range>& ranges() { return ranges_; }

private:
    uint64_t Place(uint64_t key) const {
        return (key * 0x9E3779B97F4A7C15u >> 20) & (slots_.size() - 1);
    }
    void Grow() {
        slots_.assign(slots_.size() * 4, 0);
        for (size_t i = 0; i < ranges_.size(); i++) {
            uint64_t at = Place(ranges_[i].key);
            while (slots_[at] != 0) {
                at = (at + 1) & (slots_.size() - 1);
            }
            slots_[at] = static_cast<uint32_t>(i + 1);
        }
    }
    std::vector<uint32_t> slots_;  // number + 1; 0: empty
    std::vector<Range> ranges_;
};

// A range that a share of the rows has met, by the share's own number.
struct KeyOfShare {
    uint64_t key = 0;
    uint32_t share = 0;
    uint32_t number = 0;
};

// Those of all shares by key.
std::vector<KeyOfShare> KeysInOrder(std::vector<RangeTable>* tables) {
    std::vector<KeyOfShare> keys;
    for (uint32_t share = 0; share < tables->size(); share++) {
        const std::vector<Range>& ranges = (*tables)[share].ranges();
        for (uint32_t number = 0; number < ranges.size(); number++) {
            keys.push_back({ranges[number].key, share, number});
        }
    }
    std::sort(keys.begin(), keys.end(), [](const KeyOfShare& a, const KeyOfShare& b) {
        return a.key != b.key ? a.key < b.key : a.share < b.share;
    });
    return keys;
}

// The power of two of the lowest bit that is set in a finite number other than zero.
int LowestBit(float weight) {
    uint32_t bits = 0;
    std::memcpy(&bits, &weight, sizeof bits);
    const int exponent = static_cast<int>(bits >> 23 & 0xff);
    const uint32_t fraction = (bits & 0x7fffff) | (exponent == 0 ? 0 : uint32_t{1} << 23);
    return (exponent == 0 ? -149 : exponent - 150) + __builtin_ctz(fraction);
}

}  // namespace

void WeightRange::Take(float weight) {
    most = std::max(most, std::fabs(weight));
    lowest_bit = std::min(lowest_bit, LowestBit(weight));
}

void WeightRange::Take(const WeightRange& other) {
    most = std::max(most, other.most);
    lowest_bit = std::min(lowest_bit, other.lowest_bit);
}

float WeightRange::Scale() const {
    const double magnitude = static_cast<double>(most);
    if (magnitude <= std::ldexp(kTableImpactMax, lowest_bit)) {
        return std::ldexp(1.0f, lowest_bit);
    }
    auto scale = static_cast<float>(magnitude / kTableImpactMax);
    int exponent = 0;
    while (kTableImpactMax * static_cast<double>(scale) < magnitude ||
           std::frexp(scale, &exponent) == 0.5f) {
        scale = std::nextafter(scale, std::numeric_limits<float>::infinity());
    }
    return scale;
}

uint8_t ImpactOf(float weight, float scale_of_term) {
    const double scale = std::fabs(static_cast<double>(scale_of_term));
    const double magnitude = std::fabs(static_cast<double>(weight));
    auto impact = static_cast<uint32_t>(std::ceil(magnitude / scale));
    // The division may have rounded to either side; the products are exact.
    while (impact > 1 && scale * (impact - 1) >= magnitude) {
        impact--;
    }
    while (scale * impact < magnitude) {
        impact++;
    }
    return static_cast<uint8_t>(impact);
}

Result<TermTable> TermTable::Learn(const SparseRows& rows, int threads, Work* work,
                                   std::vector<uint32_t>* terms_of_entries) {
    const RowShares shares(rows, threads);
    std::vector<RangeTable> tables(shares.count());
    const uint64_t base = rows.count == 0 ? 0 : rows.offsets[0];
    const auto first_entry = [&](size_t row) {
        return rows.count == 0 ? 0 : rows.offsets[row] - base;
    };
    terms_of_entries->resize(rows.entries());
    uint32_t* const terms_of = terms_of_entries->data();
    // Each share numbers what it meets by itself.
    QUERN_TRY(shares.Run([&](const RowShare& share) -> Status {
        RangeTable& table = tables[share.number];
        const uint64_t first = first_entry(share.first);
        const uint64_t end = first_entry(share.end);
        for (uint64_t i = first; i < end; i++) {
            const float weight = rows.weights[base + i];
            const uint64_t key = uint64_t{rows.dimensions[base + i]} * 2 + (weight < 0 ? 1 : 0);
            const uint32_t number = table.Number(key);
            terms_of[i] = number;
            table.ranges()[number].weights.Take(weight);
            if ((i - first) % kCheckEntries == kCheckEntries - 1) {
                QUERN_TRY(work->Check("sparse index", 0, 0));
            }
        }
        return {};
    }));
    const std::vector<KeyOfShare> keys = KeysInOrder(&tables);
    TermTable terms;
    std::vector<std::vector<uint32_t>> places(tables.size());
    for (size_t share = 0; share < tables.size(); share++) {
        places[share].resize(tables[share].ranges().size());
    }
    for (size_t at = 0; at < keys.size();) {
        const uint64_t key = keys[at].key;
        WeightRange weights;
        for (; at < keys.size() && keys[at].key == key; at++) {
            places[keys[at].share][keys[at].number] = static_cast<uint32_t>(terms.size());
            weights.Take(tables[keys[at].share].ranges()[keys[at].number].weights);
        }
        terms.dimensions_.push_back(static_cast<uint32_t>(key / 2));
        const float scale = weights.Scale();
        terms.scales_.push_back(key % 2 == 0 ? scale : -scale);
    }
    QUERN_TRY(shares.Run([&](const RowShare& share) -> Status {
        const std::vector<uint32_t>& place = places[share.number];
        for (uint64_t i = first_entry(share.first); i < first_entry(share.end); i++) {
            terms_of[i] = place[terms_of[i]];
        }
        return {};
    }));
    return terms;
}

std::pair<uint32_t, uint32_t> TermTable::Find(uint32_t dimension) const {
    const auto range = std::equal_range(dimensions_.begin(), dimensions_.end(), dimension);
    return {static_cast<uint32_t>(range.first - dimensions_.begin()),
            static_cast<uint32_t>(range.second - range.first)};
}

void TermTable::Write(ByteWriter* writer) const {
    writer->U32(static_cast<uint32_t>(size()));
    for (size_t term = 0; term < size(); term++) {
        writer->U32(dimensions_[term]);
        uint32_t bits = 0;
        std::memcpy(&bits, &scales_[term], sizeof bits);
        writer->U32(bits);
    }
}

Result<TermTable> TermTable::Read(ByteReader* reader) {
    TermTable terms;
    const uint32_t count = reader->U32();
    if (!reader->ok() || count > reader->left() / 8) {
        return Status::Error(Code::kCorrupt, "sparse index: its terms are cut short");
    }
    for (uint32_t term = 0; term < count; term++) {
        terms.dimensions_.push_back(reader->U32());
        const uint32_t bits = reader->U32();
        float scale = 0;
        std::memcpy(&scale, &bits, sizeof scale);
        terms.scales_.push_back(scale);
        const bool known = std::isfinite(scale) && scale != 0.0f;
        const bool follows = term == 0 || terms.dimensions_[term - 1] < terms.dimensions_[term] ||
                             (terms.dimensions_[term - 1] == terms.dimensions_[term] &&
                              terms.scales_[term - 1] > 0 && scale < 0);
        if (!known || !follows) {
            return Status::Error(Code::kCorrupt, "sparse index: its terms are damaged");
        }
    }
    return terms;
}

}  // namespace quern::sparse
