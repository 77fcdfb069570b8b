#include "engine/sparse/log_window.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/kernels/impact_window.h"
#include "engine/sparse/posting_lists.h"

namespace quern::sparse {

namespace {

constexpr double kLogSumMax = 1 << 30;
// Lines by which a chain of postings grows at most.
constexpr uint32_t kChunksMax = 32;
// Of a run, so many bytes are fetched ahead: the processor fetches what follows by itself.
constexpr uint32_t kLogRunBytesAhead = 768;
constexpr size_t kOpenLinesAhead = 4;
constexpr uint32_t kNone = UINT32_MAX;
constexpr size_t kSlotsMin = 1024;

uint64_t KeyOf(uint32_t dimension, bool negative) {
    return uint64_t{dimension} * 2 + (negative ? 1 : 0);
}
uint64_t Place(uint64_t key, uint64_t mask) {
    return (key * 0x9E3779B97F4A7C15u >> 20) & mask;
}
size_t SlotsFor(size_t terms) {
    size_t slots = 16;
    while (slots * 2 < terms * 3) {
        slots *= 2;
    }
    return slots;
}

}  // namespace

uint32_t WindowPlan::LeastSum(double score) const {
    const double least = (score - slack) / unit;
    return least < 1 ? 1 : least < 4e9 ? static_cast<uint32_t>(least) : uint32_t{4000000000};
}

void WindowPlan::Start() {
    runs.clear();
    unit = most = slack = excess = 0;
    mixed = false;
}

void WindowPlan::Add(Run run, double most_of_run, double excess_of_run) {
    run.benefit = most_of_run / run.count;
    run.most = most_of_run;
    runs.push_back(run);
    most += most_of_run;
    excess += excess_of_run;
}

// magnitude: the most that all terms of the query can add or take away.
void WindowPlan::Finish(size_t query_entries, double magnitude) {
    // A sum of n products, each exact, is off by less than n * 2^-53 of what was summed.
    slack = magnitude * static_cast<double>(query_entries + 1) * 0x1p-50;
    unit = most / kLogSumMax;
    const double units = 1 / unit;
    for (Run& run : runs) {
        run.weight = static_cast<uint32_t>(run.factor * units) + 1;
        // What an OpenWindow adds is cut off to a unit, and one more.
        run.bound =
            run.peak > 0 ? run.weight * run.peak : static_cast<uint32_t>(run.most * units) + 2;
        // Weights are a unit too high at most, for each step of an impact.
        excess += unit * (run.peak + 2);
    }
    std::sort(runs.begin(), runs.end(), [](const Run& a, const Run& b) {
        return a.benefit != b.benefit ? a.benefit > b.benefit : a.place < b.place;
    });
}

void OpenWindow::Clear() {
    rows_ = 0;
    negative_ = false;
    flat_ = true;
    slots_.assign(kSlotsMin, kNone);
    terms_.clear();
    chunks_.clear();
}

uint64_t OpenWindow::memory_bytes() const {
    return slots_.capacity() * sizeof(uint32_t) + terms_.capacity() * sizeof(Term) +
           chunks_.capacity() * sizeof(Chunk);
}

uint32_t OpenWindow::Find(uint64_t key) const {
    const uint64_t mask = slots_.size() - 1;
    uint64_t at = Place(key, mask);
    while (slots_[at] != kNone && terms_[slots_[at]].key != key) {
        at = (at + 1) & mask;
    }
    return slots_[at];
}

OpenWindow::Term& OpenWindow::FindOrAdd(uint64_t key) {
    const uint32_t found = Find(key);
    if (found != kNone) {
        return terms_[found];
    }
    if ((terms_.size() + 1) * 2 > slots_.size()) {
        Grow();
    }
    const uint64_t mask = slots_.size() - 1;
    uint64_t at = Place(key, mask);
    while (slots_[at] != kNone) {
        at = (at + 1) & mask;
    }
    terms_.push_back({key, {}, 0, 0, 0, 0});
    slots_[at] = static_cast<uint32_t>(terms_.size() - 1);
    return terms_.back();
}

void OpenWindow::Grow() {
    std::vector<uint32_t> slots(slots_.size() * 4, kNone);
    const uint64_t mask = slots.size() - 1;
    for (uint32_t term = 0; term < terms_.size(); term++) {
        uint64_t at = Place(terms_[term].key, mask);
        while (slots[at] != kNone) {
            at = (at + 1) & mask;
        }
        slots[at] = term;
    }
    slots_.swap(slots);
}

void OpenWindow::AddChunk(Term* term) {
    if (term->spare > 0) {
        chunks_[term->last].next = term->last + 1;
        term->last++;
        term->spare--;
        return;
    }
    const auto fresh = static_cast<uint32_t>(chunks_.size());
    const uint32_t more = std::clamp(term->count / Chunk::kPostings / 2, 1u, kChunksMax);
    chunks_.resize(chunks_.size() + more);
    (term->count == 0 ? term->first : chunks_[term->last].next) = fresh;
    term->last = fresh;
    term->spare = more - 1;
}

void OpenWindow::Append(const LogRow& row) {
    const auto id = static_cast<uint16_t>(rows_);
    for (size_t i = 0; i < row.count; i++) {
        const bool negative = row.weights[i] < 0;
        negative_ = negative_ || negative;
        flat_ = flat_ && row.weights[i] == 1.0f;
        Term& term = FindOrAdd(KeyOf(row.dimensions[i], negative));
        const uint32_t at = term.count % Chunk::kPostings;
        if (at == 0) {
            AddChunk(&term);
        }
        chunks_[term.last].ids[at] = id;
        chunks_[term.last].weights[at] = std::fabs(row.weights[i]);
        term.weights.Take(row.weights[i]);
        term.count++;
    }
    rows_++;
}

void OpenWindow::Plan(const SparseVector& query, WindowPlan* plan) const {
    plan->Start();
    double magnitude = 0;
    plan->mixed = negative_;
    for (const SparseEntry& entry : query) {
        const double weight = std::fabs(static_cast<double>(entry.weight));
        for (const bool negative : {false, true}) {
            const uint32_t number =
                negative && !negative_ ? kNone : Find(KeyOf(entry.dimension, negative));
            if (number == kNone) {
                continue;
            }
            const Term& term = terms_[number];
            const double most = weight * static_cast<double>(term.weights.most);
            magnitude += most;
            if (negative == (entry.weight < 0)) {
                plan->Add({number, term.count, weight, 0, 0, 0, 0, 0}, most, 0);
            }
        }
        plan->mixed = plan->mixed || entry.weight < 0;
    }
    plan->Finish(query.size(), magnitude);
}

void OpenWindow::Add(const WindowPlan& plan, const WindowPlan::Run& run, uint32_t* sums) const {
    const double units = run.factor / plan.unit;
    uint32_t chunk = terms_[run.place].first;
    for (uint32_t left = run.count; left > 0; chunk = chunks_[chunk].next) {
        const Chunk& postings = chunks_[chunk];
        const uint32_t count = std::min(left, Chunk::kPostings);
        for (uint32_t i = 0; i < count; i++) {
            // One more than what is cut off.
            sums[postings.ids[i]] +=
                static_cast<uint32_t>(units * static_cast<double>(postings.weights[i])) + 1;
        }
        left -= count;
    }
}

// Of what is in a row with the first postings: the rest is found by reading.
void OpenWindow::Fetch(const WindowPlan::Run& run) const {
    const Chunk* const first = chunks_.data() + terms_[run.place].first;
    const size_t lines = std::min({size_t{run.count / Chunk::kPostings + 1}, kOpenLinesAhead,
                                   static_cast<size_t>(chunks_.data() + chunks_.size() - first)});
    for (size_t i = 0; i < lines; i++) {
        __builtin_prefetch(first + i);
    }
}

uint64_t LogWindow::BytesOf(const OpenWindow& window) {
    uint64_t bytes = SlotsFor(window.terms_.size()) * sizeof(Slot);
    for (const OpenWindow::Term& term : window.terms_) {
        bytes += RunBytes(term.count, kLogWindowRows, window.flat_);
    }
    return bytes;
}

LogWindow::LogWindow(const OpenWindow& window, const std::shared_ptr<MemoryCounter>& memory)
    : negative_(window.negative_), flat_(window.flat_) {
    const size_t slot_bytes = SlotsFor(window.terms_.size()) * sizeof(Slot);
    slot_mask_ = slot_bytes / sizeof(Slot) - 1;
    slots_ = Buffer(slot_bytes, memory);
    std::memset(slots_.data(), 0, slot_bytes);
    postings_ = Buffer(static_cast<size_t>(BytesOf(window)) - slot_bytes + 2, memory);
    auto* const slots = reinterpret_cast<Slot*>(slots_.data());
    char* to = postings_.data();
    for (const OpenWindow::Term& term : window.terms_) {
        const uint32_t bytes = RunBytes(term.count, kLogWindowRows, flat_);
        std::memset(to, 0, bytes);
        const bool dense = IsDenseRun(term.count, kLogWindowRows, flat_);
        auto* const ids = reinterpret_cast<uint16_t*>(to);
        auto* const impacts = reinterpret_cast<uint8_t*>(to) + (dense ? 0 : size_t{2} * term.count);
        const float scale = term.weights.Scale();
        uint8_t peak = 0;
        uint32_t chunk = term.first;
        for (uint32_t i = 0; i < term.count; i++) {
            const OpenWindow::Chunk& from = window.chunks_[chunk];
            const uint32_t at = i % OpenWindow::Chunk::kPostings;
            const uint8_t impact = ImpactOf(from.weights[at], scale);
            peak = std::max(peak, impact);
            if (dense && flat_) {
                uint8_t& byte = impacts[from.ids[at] / 8];
                byte = static_cast<uint8_t>(byte | 1 << (from.ids[at] % 8));
            } else if (dense) {
                impacts[from.ids[at]] = impact;
            } else {
                ids[i] = from.ids[at];
                if (!flat_) {
                    impacts[i] = impact;
                }
            }
            chunk = at + 1 == OpenWindow::Chunk::kPostings ? from.next : chunk;
        }
        uint64_t slot = Place(term.key, slot_mask_);
        while (slots[slot].count != 0) {
            slot = (slot + 1) & slot_mask_;
        }
        slots[slot] = {static_cast<uint32_t>(term.key / 2),
                       static_cast<uint32_t>((to - postings_.data()) / 2),
                       scale,
                       static_cast<uint16_t>(term.count & 0x7fff),
                       static_cast<uint16_t>(term.key & 1),
                       peak};
        to += bytes;
    }
}

const LogWindow::Slot* LogWindow::Find(uint64_t key) const {
    const Slot* const all = slots();
    uint64_t at = Place(key, slot_mask_);
    while (all[at].count != 0) {
        if (KeyOf(all[at].dimension, all[at].negative != 0) == key) {
            return &all[at];
        }
        at = (at + 1) & slot_mask_;
    }
    return nullptr;
}

// What is looked up stands anywhere in memory: all of it is fetched at once.
void LogWindow::FetchTerms(const SparseVector& query) const {
    for (const SparseEntry& entry : query) {
        __builtin_prefetch(slots() + Place(KeyOf(entry.dimension, entry.weight < 0), slot_mask_));
    }
}

void LogWindow::Plan(const SparseVector& query, WindowPlan* plan) const {
    plan->Start();
    double magnitude = 0;
    plan->mixed = negative_;
    for (const SparseEntry& entry : query) {
        const double weight = std::fabs(static_cast<double>(entry.weight));
        for (const bool negative : {false, true}) {
            const Slot* const slot =
                negative && !negative_ ? nullptr : Find(KeyOf(entry.dimension, negative));
            if (slot == nullptr) {
                continue;
            }
            const double factor = weight * static_cast<double>(slot->scale);
            const double most = factor * slot->peak;
            magnitude += most;
            if (negative == (entry.weight < 0)) {
                plan->Add({slot->place, slot->count, factor, 0, 0, 0, slot->peak, 0}, most,
                          IsExactScale(slot->scale) ? 0 : factor);
            }
        }
        plan->mixed = plan->mixed || entry.weight < 0;
    }
    plan->Finish(query.size(), magnitude);
}

void LogWindow::Fetch(const WindowPlan::Run& run) const {
    const char* const at = postings_.data() + size_t{run.place} * 2;
    const uint32_t bytes = std::min((flat_ ? 2 : 3) * run.count, kLogRunBytesAhead);
    for (uint32_t i = 0; i < bytes; i += 64) {
        __builtin_prefetch(at + i);
    }
}

void LogWindow::Add(const WindowPlan& /*plan*/, const WindowPlan::Run& run, uint32_t* sums) const {
    const char* const at = postings_.data() + size_t{run.place} * 2;
    const auto* const bytes = reinterpret_cast<const uint8_t*>(at);
    const bool dense = IsDenseRun(run.count, kLogWindowRows, flat_);
    if (dense && flat_) {
        kernels::AddBits(bytes, kLogWindowRows, run.weight, sums);
    } else if (flat_) {
        kernels::AddIds(reinterpret_cast<const uint16_t*>(at), run.count, run.weight, sums);
    } else if (dense) {
        kernels::AddDenseRun(bytes, kLogWindowRows, run.weight, sums);
    } else {
        kernels::AddRun(reinterpret_cast<const uint16_t*>(at), bytes + size_t{2} * run.count,
                        run.count, run.weight, sums);
    }
}

}  // namespace quern::sparse
