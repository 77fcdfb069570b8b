#include "engine/sparse/record_links.h"

#include <atomic>
#include <cmath>
#include <numeric>
#include <random>

#include "storage/base/parallel.h"

namespace quern::sparse {

namespace {

constexpr size_t kBatchMax = 4096;
// A batch is this share of the records before it at most: its records do not see each other.
constexpr size_t kBatchShare = 8;
constexpr uint32_t kSeed = 20240711;
// The heaviest records of a slot, kept, and terms of a record whose heads its walk begins with.
constexpr uint32_t kHeads = 16;
constexpr uint32_t kHeadTerms = 4;
// Links that wait to be added, in one piece of work.
constexpr size_t kLinksOfPiece = 1024;

struct Near {
    float score = 0;  // dot product by the norm of the row
    uint32_t row = 0;
};

class LinkMaker {
public:
    LinkMaker(const CutRows& cut, const LinkOptions& options)
        : cut_(cut), options_(options), stride_(options.links * 2) {}

    Result<std::vector<uint32_t>> Make(Work* work) {
        const uint32_t count = cut_.count();
        FindNorms();
        links_.assign(size_t{count} * stride_, kNoLink);
        counts_.assign(count, 0);
        heads_.assign(kernels::kSlots * kHeads, {0, kNoLink});
        std::vector<uint32_t> order(count);
        std::iota(order.begin(), order.end(), 0u);
        std::mt19937 random(kSeed);
        for (uint32_t i = count; i > 1; i--) {  // std::shuffle differs between libraries
            std::swap(order[i - 1], order[random() % i]);
        }
        for (size_t done = 0; done < count;) {
            const size_t size =
                std::min({count - done, kBatchMax, std::max<size_t>(1, done / kBatchShare)});
            QUERN_TRY(AddBatch(order.data() + done, size));
            done += size;
            QUERN_TRY(work->Check("sparse links", done, count));
        }
        return Finish();
    }

private:
    void FindNorms() {
        norms_.resize(cut_.count());
        for (uint32_t row = 0; row < cut_.count(); row++) {
            double sum = 0;
            for (uint32_t i = 0; i < CutRows::kEntries; i++) {
                const double weight = CutRows::WeightAt(cut_.Row(row), i);
                sum += weight * weight;
            }
            norms_[row] = static_cast<float>(1 / std::sqrt(std::max(sum, 1.0)));
        }
    }

    float Similarity(uint32_t row, const WalkSpace& space) const {
        return static_cast<float>(cut_.Dot(row, space.table)) * norms_[row];
    }

    // Of near, best first, those that no chosen one is nearer to. The table is changed.
    void Choose(uint32_t row, std::vector<Near>* near, WalkSpace* space) const {
        size_t kept = 0;
        for (size_t i = 0; i < near->size() && kept < options_.links; i++) {
            const Near candidate = (*near)[i];
            if (candidate.row == row) {
                continue;
            }
            space->table.SetRow(cut_.Row(candidate.row), CutRows::kEntries);
            const float own = candidate.score * norms_[row];
            bool open = true;
            for (size_t j = 0; j < kept && open; j++) {
                open = Similarity((*near)[j].row, *space) * norms_[candidate.row] < own;
            }
            if (open) {
                (*near)[kept++] = candidate;
            }
        }
        near->resize(kept);
    }

    void FindNeighbours(uint32_t row, WalkSpace* space, std::vector<Near>* near) const {
        const uint8_t* const at = cut_.Row(row);
        space->table.SetRow(at, CutRows::kEntries);
        space->Start(cut_.count());
        for (uint32_t i = 0; i < kHeadTerms && CutRows::WeightAt(at, i) != 0; i++) {
            const auto* const heads = &heads_[size_t{CutRows::SlotAt(at, i)} * kHeads];
            for (uint32_t h = 0; h < kHeads && heads[h].second != kNoLink; h++) {
                space->Meet(heads[h].second, cut_);
            }
        }
        WalkRecords(cut_, links_.data(), stride_, norms_.data(), options_.pool, space);
        space->End();
        for (const WalkSpace::Met& met : space->pool) {
            near->push_back({met.score, met.row});
        }
        Choose(row, near, space);
    }

    void AddHead(uint32_t row) {
        const uint8_t* const at = cut_.Row(row);
        for (uint32_t i = 0; i < CutRows::kEntries && CutRows::WeightAt(at, i) != 0; i++) {
            auto* const heads = &heads_[size_t{CutRows::SlotAt(at, i)} * kHeads];
            std::pair<uint8_t, uint32_t> head{CutRows::WeightAt(at, i), row};
            for (uint32_t h = 0; h < kHeads && head.second != kNoLink; h++) {
                if (heads[h].second == kNoLink || heads[h].first < head.first) {
                    std::swap(heads[h], head);
                }
            }
        }
    }

    Status AddBatch(const uint32_t* rows, size_t count) {
        std::vector<std::vector<Near>> chosen(count);
        std::atomic<size_t> next{0};
        QUERN_TRY(RunOnThreads(options_.threads, [&](int) -> Status {
            WalkSpace space;
            for (size_t i = next++; i < count; i = next++) {
                FindNeighbours(rows[i], &space, &chosen[i]);
            }
            return {};
        }));
        back_.clear();
        for (size_t i = 0; i < count; i++) {
            for (const Near& near : chosen[i]) {
                links_[size_t{rows[i]} * stride_ + counts_[rows[i]]++] = near.row;
                back_.emplace_back(near.row, rows[i]);
            }
            AddHead(rows[i]);
        }
        std::stable_sort(back_.begin(), back_.end(),
                         [](const auto& a, const auto& b) { return a.first < b.first; });
        return LinkBack();
    }

    // All links from one record are added by one thread, in order.
    Status LinkBack() {
        std::atomic<size_t> next{0};
        return RunOnThreads(options_.threads, [&](int) -> Status {
            WalkSpace space;
            const auto goes_on = [&](size_t i) {
                return i > 0 && i < back_.size() && back_[i].first == back_[i - 1].first;
            };
            for (size_t first = next.fetch_add(kLinksOfPiece); first < back_.size();
                 first = next.fetch_add(kLinksOfPiece)) {
                size_t i = first;
                while (goes_on(i)) {
                    i++;  // belongs to the piece before
                }
                const size_t end = first + kLinksOfPiece;
                for (; i < back_.size() && (i < end || goes_on(i)); i++) {
                    Link(back_[i].first, back_[i].second, &space);
                }
            }
            return {};
        });
    }

    void Link(uint32_t from, uint32_t to, WalkSpace* space) {
        if (counts_[from] == stride_) {
            Shorten(from, space);
        }
        links_[size_t{from} * stride_ + counts_[from]++] = to;
    }

    void Shorten(uint32_t row, WalkSpace* space) {
        uint32_t* const links = links_.data() + size_t{row} * stride_;
        space->table.SetRow(cut_.Row(row), CutRows::kEntries);
        std::vector<Near> near;
        for (uint32_t i = 0; i < counts_[row]; i++) {
            near.push_back({Similarity(links[i], *space), links[i]});
        }
        std::sort(near.begin(), near.end(), [](const Near& a, const Near& b) {
            return a.score != b.score ? a.score > b.score : a.row < b.row;
        });
        Choose(row, &near, space);
        for (uint32_t i = 0; i < stride_; i++) {
            links[i] = i < near.size() ? near[i].row : kNoLink;
        }
        counts_[row] = static_cast<uint32_t>(near.size());
    }

    Result<std::vector<uint32_t>> Finish() {
        const uint32_t count = cut_.count();
        std::atomic<uint32_t> next{0};
        QUERN_TRY(RunOnThreads(options_.threads, [&](int) -> Status {
            WalkSpace space;
            for (uint32_t row = next++; row < count; row = next++) {
                if (counts_[row] > options_.links) {
                    Shorten(row, &space);
                }
            }
            return {};
        }));
        std::vector<uint32_t> made(size_t{count} * options_.links);
        for (uint32_t row = 0; row < count; row++) {
            std::copy_n(links_.data() + size_t{row} * stride_, options_.links,
                        made.data() + size_t{row} * options_.links);
        }
        return made;
    }

    const CutRows& cut_;
    const LinkOptions options_;
    const uint32_t stride_;     // room for twice the links, so that choosing anew is rare
    std::vector<float> norms_;  // 1 / length
    std::vector<uint32_t> links_;
    std::vector<uint32_t> counts_;
    std::vector<std::pair<uint8_t, uint32_t>> heads_;  // by slot: weight, record, heaviest first
    std::vector<std::pair<uint32_t, uint32_t>> back_;  // from, to
};

}  // namespace

Result<std::vector<uint32_t>> LinkRecords(const CutRows& cut, const LinkOptions& options,
                                          Work* work) {
    LinkMaker maker(cut, options);
    return maker.Make(work);
}

}  // namespace quern::sparse
