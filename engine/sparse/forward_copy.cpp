#include "engine/sparse/forward_copy.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>
#include <unordered_map>
#include <unordered_set>

#include "engine/kernels/impact_window.h"
#include "engine/sparse/bad_sparse.h"
#include "engine/sparse/row_shares.h"

namespace quern::sparse {

namespace {

constexpr size_t kMarks = 65536;
constexpr size_t kTableMax = 65536;

uint32_t BitsOf(float weight) {
    uint32_t bits = 0;
    std::memcpy(&bits, &weight, sizeof bits);
    return bits;
}

// The distinct weights, ascending; empty when there are more than a table holds.
Result<std::vector<float>> DistinctWeights(const SparseRows& rows, const RowShares& shares) {
    std::vector<std::vector<float>> found(shares.count());
    std::atomic<bool> too_many{false};
    QUERN_TRY(shares.Run([&](const RowShare& share) -> Status {
        std::unordered_set<uint32_t> seen;
        std::vector<float>& distinct = found[share.number];
        float last = 0;
        for (uint64_t i = rows.offsets[share.first]; i < rows.offsets[share.end]; i++) {
            const float weight = rows.weights[i];
            if (weight == last) {
                continue;
            }
            last = weight;
            if (seen.insert(BitsOf(weight)).second) {
                distinct.push_back(weight);
                if (distinct.size() > kTableMax || too_many) {
                    too_many = true;
                    break;
                }
            }
        }
        return {};
    }));
    std::vector<float> distinct;
    for (const std::vector<float>& part : found) {
        distinct.insert(distinct.end(), part.begin(), part.end());
    }
    std::sort(distinct.begin(), distinct.end());
    distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
    if (too_many || distinct.size() > kTableMax) {
        distinct.clear();
    }
    return distinct;
}

// Products one by one in order: the order is part of what a score is.
template <typename Id, typename WeightOf>
RowScore ScoreEntries(const Id* ids, size_t count, const QueryMarks& query, uint32_t* places,
                      const WeightOf& weight_of) {
    RowScore result;
    const size_t found = kernels::FindMarked(ids, count, query.marks(), places);
    for (size_t i = 0; i < found; i++) {
        const uint32_t place = places[i];
        double weight = 0;
        if constexpr (sizeof(Id) == 2) {
            weight = query.NarrowWeight(ids[place]);
        } else {
            weight = query.WideWeight(ids[place]);
            if (weight == 0) {
                continue;
            }
        }
        result.common++;
        result.score += weight * static_cast<double>(weight_of(place));
    }
    return result;
}

template <typename Id>
RowScore ScoreRow(const ForwardCopy& copy, uint32_t first, size_t count, const QueryMarks& query,
                  uint32_t* places) {
    const Id* const ids = reinterpret_cast<const Id*>(copy.terms.data()) + first;
    const float* const table = copy.table.data();
    const char* const codes = copy.weights.data() + first * BytesOf(copy.form);
    const auto* const bytes = reinterpret_cast<const uint8_t*>(codes);
    const auto* const pairs = reinterpret_cast<const uint16_t*>(codes);
    const auto* const exact = reinterpret_cast<const float*>(codes);
    const auto score = [&](const auto& weight_of) {
        return ScoreEntries(ids, count, query, places, weight_of);
    };
    switch (copy.form) {
        case WeightForm::kSame: return score([&](uint32_t) { return table[0]; });
        case WeightForm::kTable8: return score([&](uint32_t at) { return table[bytes[at]]; });
        case WeightForm::kTable16: return score([&](uint32_t at) { return table[pairs[at]]; });
        case WeightForm::kImpact8: return score([&](uint32_t at) { return bytes[at]; });
        case WeightForm::kFloat: break;
    }
    return score([&](uint32_t at) { return exact[at]; });
}

}  // namespace

QueryMarks::QueryMarks() : weights_(kMarks, 0) {}

void QueryMarks::Set(const std::vector<uint32_t>& terms, const std::vector<double>& weights,
                     const TermTable* scales) {
    marks_.Clear();
    marked_.clear();
    for (size_t i = 0; i < terms.size(); i++) {
        const double scale = scales == nullptr ? 1.0 : static_cast<double>(scales->scale(terms[i]));
        marked_.emplace_back(terms[i], weights[i] * scale);
        marks_.Add(static_cast<uint16_t>(terms[i]));
        weights_[terms[i] & 0xffff] = weights[i] * scale;
    }
}

double QueryMarks::WideWeight(uint32_t term) const {
    const auto found = std::lower_bound(
        marked_.begin(), marked_.end(), term,
        [](const std::pair<uint32_t, double>& marked, uint32_t t) { return marked.first < t; });
    return found != marked_.end() && found->first == term ? found->second : 0;
}

Result<ForwardCopy> ForwardCopy::Build(const SparseRows& rows, const TermTable& term_table,
                                       bool impacts, const std::vector<uint32_t>& terms_of_entries,
                                       int threads, Work* work) {
    ForwardCopy copy;
    if (rows.count == 0) {
        return copy;
    }
    const uint64_t base = rows.offsets[0];
    const uint64_t entries = rows.entries();
    copy.offsets.reserve(rows.count + 1);
    for (size_t row = 0; row < rows.count; row++) {
        copy.offsets.push_back(static_cast<uint32_t>(rows.offsets[row + 1] - base));
    }
    const RowShares shares(rows, threads);
    QUERN_ASSIGN(copy.table, DistinctWeights(rows, shares));
    copy.form = copy.table.empty() && entries > 0 ? WeightForm::kFloat
                : copy.table.size() == 1          ? WeightForm::kSame
                : copy.table.size() <= 256        ? WeightForm::kTable8
                                                  : WeightForm::kTable16;
    if (impacts && BytesOf(copy.form) > 1) {
        copy.form = WeightForm::kImpact8;
        copy.table.clear();
        copy.scales = &term_table;
    }
    std::unordered_map<uint32_t, uint16_t> codes;
    for (size_t i = 0; i < copy.table.size(); i++) {
        codes[BitsOf(copy.table[i])] = static_cast<uint16_t>(i);
    }
    copy.wide_terms = term_table.size() > kMarks;
    copy.terms = Buffer(entries * (copy.wide_terms ? 4 : 2), nullptr);
    copy.weights = Buffer(entries * BytesOf(copy.form), nullptr);
    QUERN_TRY(work->Check("sparse index", 0, 0));
    QUERN_TRY(shares.Run([&](const RowShare& share) -> Status {
        const uint64_t first = rows.offsets[share.first] - base;
        const uint64_t end = rows.offsets[share.end] - base;
        copy.TakeTerms(terms_of_entries.data(), first, end);
        if (copy.form == WeightForm::kImpact8) {
            copy.TakeImpacts(rows.weights + base, terms_of_entries.data(), first, end);
        } else {
            copy.TakeWeights(rows.weights + base, first, end, codes);
        }
        return {};
    }));
    return copy;
}

void ForwardCopy::TakeTerms(const uint32_t* from, uint64_t first, uint64_t end) {
    if (wide_terms) {
        std::copy(from + first, from + end, reinterpret_cast<uint32_t*>(terms.data()) + first);
    } else {
        std::transform(from + first, from + end, reinterpret_cast<uint16_t*>(terms.data()) + first,
                       [](uint32_t term) { return static_cast<uint16_t>(term); });
    }
}

void ForwardCopy::TakeImpacts(const float* from, const uint32_t* terms_of, uint64_t first,
                              uint64_t end) {
    for (uint64_t i = first; i < end; i++) {
        const double scale = std::fabs(static_cast<double>(scales->scale(terms_of[i])));
        const double steps = std::fabs(static_cast<double>(from[i])) / scale;
        weights.data()[i] =
            static_cast<char>(static_cast<uint8_t>(std::min(std::round(steps), 255.0)));
    }
}

void ForwardCopy::TakeWeights(const float* from, uint64_t first, uint64_t end,
                              const std::unordered_map<uint32_t, uint16_t>& codes) {
    if (form == WeightForm::kFloat) {
        std::copy(from + first, from + end, reinterpret_cast<float*>(weights.data()) + first);
    }
    if (form != WeightForm::kTable8 && form != WeightForm::kTable16) {
        return;
    }
    for (uint64_t i = first; i < end; i++) {
        const uint16_t code = codes.find(BitsOf(from[i]))->second;
        if (form == WeightForm::kTable8) {
            weights.data()[i] = static_cast<char>(code);
        } else {
            reinterpret_cast<uint16_t*>(weights.data())[i] = code;
        }
    }
}

float ForwardCopy::WeightAt(uint32_t entry) const {
    switch (form) {
        case WeightForm::kSame: return table[0];
        case WeightForm::kTable8: return table[static_cast<uint8_t>(weights.data()[entry])];
        case WeightForm::kTable16:
            return table[reinterpret_cast<const uint16_t*>(weights.data())[entry]];
        case WeightForm::kImpact8: {
            // A hair more than the largest weight may be no float.
            const double weight = static_cast<double>(scales->scale(TermAt(entry))) *
                                  static_cast<uint8_t>(weights.data()[entry]);
            constexpr double kMost = std::numeric_limits<float>::max();
            return static_cast<float>(std::clamp(weight, -kMost, kMost));
        }
        case WeightForm::kFloat: break;
    }
    return reinterpret_cast<const float*>(weights.data())[entry];
}

double ForwardCopy::ScoreError(const std::vector<uint32_t>& terms_of_query,
                               const std::vector<double>& query) const {
    double error = 0;
    double most = 0;
    for (size_t i = 0; i < terms_of_query.size() && scales != nullptr; i++) {
        const uint32_t term = terms_of_query[i];
        const double step = std::fabs(query[i] * static_cast<double>(scales->scale(term)));
        error += scales->IsExact(term) ? 0 : step / 2;
        most += step * 255;
    }
    // And what the two sums are rounded by.
    return error > 0 ? error + most * 1e-9 : 0;
}

RowScore ForwardCopy::Score(uint32_t row, const QueryMarks& query, uint32_t* places) const {
    const uint32_t first = offsets[row];
    const uint32_t count = offsets[row + 1] - first;
    return wide_terms ? ScoreRow<uint32_t>(*this, first, count, query, places)
                      : ScoreRow<uint16_t>(*this, first, count, query, places);
}

void ForwardCopy::Fetch(uint32_t row) const {
    const size_t term_size = wide_terms ? 4 : 2;
    const char* const from = terms.data() + offsets[row] * term_size;
    const char* const to = terms.data() + offsets[row + 1] * term_size;
    for (const char* at = from; at < to && at < from + 512; at += 64) {
        __builtin_prefetch(at);
    }
    const size_t width = BytesOf(form);
    const char* const weight = weights.data() + offsets[row] * width;
    for (const char* at = weight;
         at < weights.data() + offsets[row + 1] * width && at < weight + 256; at += 64) {
        __builtin_prefetch(at);
    }
}

Status ForwardCopy::Validate(const TermTable& term_table) const {
    const uint64_t entries = offsets.back();
    const size_t term_size = wide_terms ? 4 : 2;
    if (offsets.front() != 0 || terms.bytes() != entries * term_size ||
        weights.bytes() != entries * BytesOf(form) || wide_terms != (term_table.size() > kMarks)) {
        return BadIndex("its forward copy has a wrong size");
    }
    if ((form == WeightForm::kSame && table.size() != 1) ||
        (form == WeightForm::kImpact8 && !table.empty())) {
        return BadIndex("its table of weights is damaged");
    }
    for (const float weight : table) {
        if (!std::isfinite(weight) || weight == 0.0f) {
            return BadIndex("its table of weights is damaged");
        }
    }
    for (size_t row = 0; row + 1 < offsets.size(); row++) {
        // Against the whole first: offsets that go down would pass for huge rows.
        if (offsets[row + 1] < offsets[row] || offsets[row + 1] > entries ||
            offsets[row + 1] - offsets[row] > kEntriesMax) {
            return BadIndex("a row of its forward copy has a wrong length");
        }
        for (uint32_t i = offsets[row]; i < offsets[row + 1]; i++) {
            const uint32_t term = TermAt(i);
            if (term >= term_table.size() || (i > offsets[row] && TermAt(i - 1) >= term)) {
                return BadIndex("a row of its forward copy is damaged");
            }
            if (form == WeightForm::kTable8 || form == WeightForm::kTable16) {
                const size_t code = form == WeightForm::kTable8
                                        ? static_cast<uint8_t>(weights.data()[i])
                                        : reinterpret_cast<const uint16_t*>(weights.data())[i];
                if (code >= table.size()) {
                    return BadIndex("a weight is not in the table");
                }
            }
            if (form == WeightForm::kImpact8) {
                continue;  // any number is one
            }
            const float weight = WeightAt(i);
            if (!std::isfinite(weight) || weight == 0.0f ||
                (weight < 0) != (term_table.scale(term) < 0)) {
                return BadIndex("a weight of its forward copy is damaged");
            }
        }
    }
    return {};
}

}  // namespace quern::sparse
