#include "engine/dense/graph_seed.h"

#include <algorithm>
#include <atomic>

#include "engine/dense/neighbour_choice.h"
#include "storage/base/parallel.h"

namespace quern::dense {

namespace {

constexpr size_t kSeedNodesAtOnce = 64;  // that a worker takes; also how often it looks for a stop
constexpr size_t kGoneMax = 256;         // nodes that are passed through in search of living ones
constexpr size_t kCandidatesMax = 400;

class Heir {
public:
    Heir(const VectorRows& rows, const GraphSeed& seed, uint32_t levels_max)
        : rows_(rows), old_(*seed.links), levels_max_(levels_max), now_(seed.now) {}

    Result<InheritedLinks> Run(const std::vector<bool>& wanted, int threads, Work* work) {
        Choose(wanted);
        Unpack();
        Lay();
        QUERN_TRY(ForEachNode(threads, work));
        DropOrphans();
        for (uint32_t node = 0; node < out_.levels.size(); node++) {
            if (out_.levels[node] == 0) {
                continue;
            }
            out_.count++;
            if (out_.entry == kNoNode || out_.levels[node] > out_.levels[out_.entry]) {
                out_.entry = node;
            }
        }
        return std::move(out_);
    }

private:
    // Who is taken over: what a walk of the old graph reaches, once each.
    void Choose(const std::vector<bool>& wanted) {
        const std::vector<bool> reached = old_.Reachable();
        std::vector<bool> taken(rows_.count, false);
        for (uint32_t old = 0; old < old_.count; old++) {
            uint32_t& now = now_[old];
            if (now != kNoNode && (!reached[old] || !wanted[now] || taken[now])) {
                now = kNoNode;
            }
            if (now != kNoNode) {
                taken[now] = true;
            }
        }
        uppers_.assign(old_.count, kNoNode);
        for (uint32_t upper = 0; upper < old_.upper_offsets.size(); upper++) {
            uppers_[old_.UpperNode(upper)] = upper;
        }
    }

    void Unpack() {
        base_.assign(size_t{old_.count} * old_.degree, kNoNode);
        for (uint32_t old = 0; old < old_.count; old++) {
            uint32_t* out = base_.data() + size_t{old} * old_.degree;
            old_.ForNeighbours(old, [&](uint32_t neighbour) { *out++ = neighbour; });
        }
    }

    // Levels, and room for the lists.
    void Lay() {
        out_.levels.assign(rows_.count, 0);
        out_.offsets.assign(rows_.count, 0);
        size_t words = 0;
        for (uint32_t old = 0; old < old_.count; old++) {
            const uint32_t now = now_[old];
            if (now == kNoNode) {
                continue;
            }
            const uint32_t upper = uppers_[old] == kNoNode ? 0 : old_.UpperLevel(uppers_[old]);
            out_.levels[now] = std::min(levels_max_, upper + 1);
            out_.offsets[now] = words;
            words += old_.degree + size_t{out_.levels[now] - 1} * old_.upper_degree;
        }
        out_.words.assign(words, kNoNode);
    }

    Status ForEachNode(int threads, Work* work) {
        std::atomic<uint32_t> next{0};
        return RunOnThreads(threads, [&](int) -> Status {
            Worker worker(this);
            while (true) {
                const uint32_t first = next.fetch_add(kSeedNodesAtOnce);
                if (first >= old_.count) {
                    return {};
                }
                for (uint32_t old = first;
                     old < std::min<size_t>(old_.count, first + kSeedNodesAtOnce); old++) {
                    if (now_[old] != kNoNode) {
                        worker.Relink(old);
                    }
                }
                QUERN_TRY(work->Check("take over links", first, old_.count));
            }
        });
    }

    // A list of the old graph, in old node numbers.
    const uint32_t* List(uint32_t old, uint32_t level, uint32_t* degree) const {
        *degree = level == 0 ? old_.degree : old_.upper_degree;
        return level == 0 ? base_.data() + size_t{old} * old_.degree
                          : old_.UpperNeighbours(uppers_[old], level);
    }
    uint32_t OldNode(uint32_t link, uint32_t level) const {
        return level == 0 ? link : old_.UpperNode(link);
    }

    struct Worker {
        explicit Worker(Heir* h) : heir(h), choice(h->rows_), seen(h->old_.count, 0) {}

        void Relink(uint32_t old) {
            const uint32_t now = heir->now_[old];
            uint32_t* out = heir->out_.words.data() + heir->out_.offsets[now];
            for (uint32_t level = 0; level < heir->out_.levels[now]; level++) {
                uint32_t degree = 0;
                heir->List(old, level, &degree);
                Collect(old, level);
                if (gone.empty()) {
                    std::copy(living.begin(), living.end(), out);
                } else {
                    Select(now, degree, out);
                }
                out += degree;
            }
        }

        // The living neighbours, and those that stand behind neighbours who are gone.
        void Collect(uint32_t old, uint32_t level) {
            round++;
            living.clear();
            gone.clear();
            seen[old] = round;
            Visit(old, level);
            direct = living.size();
            const size_t near = gone.size();
            for (size_t i = 0; i < gone.size() && living.size() < kCandidatesMax; i++) {
                // Farther than two links only when there is nobody nearer.
                if (i < near || (living.empty() && i < kGoneMax)) {
                    Visit(gone[i], level);
                }
            }
        }
        void Visit(uint32_t from, uint32_t level) {
            uint32_t degree = 0;
            const uint32_t* list = heir->List(from, level, &degree);
            for (uint32_t i = 0; i < degree && list[i] != kNoNode; i++) {
                const uint32_t to = heir->OldNode(list[i], level);
                if (seen[to] == round) {
                    continue;
                }
                seen[to] = round;
                const uint32_t now = heir->now_[to];
                if (now == kNoNode) {
                    gone.push_back(to);
                } else if (level < heir->out_.levels[now]) {
                    living.push_back(now);
                }
            }
        }
        // Links that are left stay; free places go to the nearest in directions that have no link
        // yet. (Choosing all of them anew gives shorter lists and costs recall: 0.9692 against
        // 0.9808 with 30 % gone.)
        void Select(uint32_t now, uint32_t degree, uint32_t* out) {
            const size_t fresh = living.size() - direct;
            distances.resize(fresh);
            choice.Measure(now, living.data() + direct, fresh, distances.data());
            candidates.clear();
            for (size_t i = 0; i < living.size(); i++) {
                candidates.push_back({i < direct ? 0.0f : distances[i - direct], living[i]});
            }
            NeighbourChoice::Sort(&candidates, direct);
            choice.Choose(degree, &candidates, direct);
            for (const NeighbourChoice::Candidate& candidate : candidates) {
                *out++ = candidate.node;
            }
        }

        Heir* heir;
        NeighbourChoice choice;
        std::vector<float> distances;
        std::vector<NeighbourChoice::Candidate> candidates;
        std::vector<uint32_t> seen;  // old nodes; the round in which one was met
        uint32_t round = 0;
        size_t direct = 0;             // of the living, those that were neighbours
        std::vector<uint32_t> living;  // new numbers
        std::vector<uint32_t> gone;    // old numbers
    };

    // Nodes without any neighbour left are inserted anew, and so nobody may link to them yet.
    void DropOrphans() {
        bool dropped = true;
        while (dropped) {
            dropped = false;
            for (uint32_t node = 0; node < out_.levels.size(); node++) {
                if (out_.levels[node] > 0 && out_.words[out_.offsets[node]] == kNoNode) {
                    out_.levels[node] = 0;
                    dropped = true;
                }
            }
            for (uint32_t node = 0; dropped && node < out_.levels.size(); node++) {
                uint32_t* list = out_.words.data() + out_.offsets[node];
                for (uint32_t level = 0; level < out_.levels[node]; level++) {
                    const uint32_t degree = level == 0 ? old_.degree : old_.upper_degree;
                    uint32_t* end = std::remove_if(list, list + degree, [&](uint32_t to) {
                        return to != kNoNode && out_.levels[to] == 0;
                    });
                    std::fill(end, list + degree, kNoNode);
                    list += degree;
                }
            }
        }
    }

    const VectorRows& rows_;
    const GraphLinks& old_;
    uint32_t levels_max_;
    std::vector<uint32_t> now_;
    std::vector<uint32_t> base_;    // the old graph's lists, degree places each
    std::vector<uint32_t> uppers_;  // of each old node its upper number
    InheritedLinks out_;
};

}  // namespace

Result<InheritedLinks> Inherit(const VectorRows& rows, const GraphSeed& seed,
                               const std::vector<bool>& wanted, uint32_t levels_max, int threads,
                               Work* work) {
    return Heir(rows, seed, levels_max).Run(wanted, threads, work);
}

}  // namespace quern::dense
