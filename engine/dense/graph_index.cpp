#include "engine/dense/graph_index.h"

#include <algorithm>

#include "engine/dense/graph_builder.h"
#include "engine/dense/packed_walk.h"
#include "engine/kernels/distance.h"

namespace quern::dense {

namespace {

constexpr size_t kHeldOutMax = 500;  // recall within about 0.003 at 0.98
constexpr size_t kHeldOutShare = 8;  // and never more than one record in so many

// Walks on the vectors.
class RowScorer {
public:
    RowScorer(const VectorRows& rows, const kernels::Query& query) : rows_(rows), query_(query) {}
    void Score(const uint32_t* nodes, size_t count, float* distances) {
        constexpr size_t kAtOnce = 4;
        for (size_t i = 0; i < count; i += kAtOnce) {
            const size_t now = std::min(kAtOnce, count - i);
            for (size_t j = i + kAtOnce; j < std::min(count, i + 2 * kAtOnce); j++) {
                Fetch(nodes[j]);
            }
            kernels::DistancesPicked(rows_.element, rows_.metric, query_, rows_.rows, nodes + i,
                                     now, rows_.inverse_norms, distances + i);
        }
    }
    void Fetch(uint32_t node) const {
        const char* row = rows_.row(node);
        for (size_t at = 0; at < std::min<size_t>(rows_.row_bytes(), 4096); at += 64) {
            __builtin_prefetch(row + at);
        }
    }

private:
    const VectorRows& rows_;
    const kernels::Query& query_;
};

}  // namespace

Result<std::unique_ptr<GraphIndex>> GraphIndex::Build(const VectorRows& rows,
                                                      const GraphIndexOptions& options,
                                                      Work* work) {
    std::unique_ptr<GraphIndex> index(new GraphIndex());
    index->metric_ = rows.metric;
    std::vector<uint32_t> inside;
    index->outsiders_ = Outsiders::Find(rows, &inside);
    index->linked_ = inside.size();
    GraphBuildOptions build;
    build.m = options.m;
    build.ef = options.ef_build;
    build.threads = options.threads;
    GraphBuilder builder(rows, inside, build);
    const size_t held = std::min(kHeldOutMax, inside.size() / kHeldOutShare);
    QUERN_TRY(builder.Add(inside.size() - held, work));
    CodeChoice codes = rows.element == Element::kBit ? CodeChoice::kNone : options.codes;
    if (codes == CodeChoice::kAuto && held == 0) {
        codes = CodeChoice::k8Bit;  // too few to tell
    }
    if (codes != CodeChoice::kAuto && codes != CodeChoice::kNone) {
        QUERN_TRY(index->Encode(rows, codes, options.threads, work));
    }
    if (held > 0) {
        index->links_ = builder.Links();
        const std::vector<uint32_t>& order = builder.order();
        EffortMeasure measure(rows, {order.end() - static_cast<ptrdiff_t>(held), order.end()},
                              inside);
        QUERN_TRY(measure.FindTruth(options.threads, work));
        if (codes == CodeChoice::kAuto) {
            QUERN_TRY(index->ChooseCodes(rows, options, measure, work));
        }
        QUERN_TRY(index->Pack(options.threads, nullptr, work));
        constexpr double kAllPools = 2;
        QUERN_ASSIGN(EffortTrial trial,
                     index->Try(rows, measure, held, kAllPools, options.threads, work));
        index->curve_ = std::move(trial.curve);
        index->blocks_ = NeighbourBlocks();  // of links that are about to change
        QUERN_TRY(builder.Add(held, work));
    }
    index->links_ = builder.Links();
    index->EncodeHead();
    return index;
}

Status GraphIndex::Encode(const VectorRows& rows, CodeChoice kind, int threads, Work* work) {
    QUERN_ASSIGN(codes_, Codes::Train(kind, rows, threads, work));
    code_rows_ = Buffer(rows.count * codes_->row_bytes(), nullptr);
    squared_norms_ = codes_->has_norms() ? Buffer(rows.count * sizeof(float), nullptr) : Buffer();
    return codes_->EncodeAll(rows, reinterpret_cast<uint8_t*>(code_rows_.data()),
                             reinterpret_cast<float*>(squared_norms_.data()), threads, work);
}

Result<EffortTrial> GraphIndex::Try(const VectorRows& rows, const EffortMeasure& measure,
                                    size_t queries, double enough, int threads, Work* work) const {
    return measure.Run(
        [&](const void* vector, size_t ef, WalkSpace* space, std::vector<uint32_t>* nodes) {
            return Search(rows, vector, ef, space, nodes, work);
        },
        queries, enough, threads, work);
}

Status GraphIndex::ChooseCodes(const VectorRows& rows, const GraphIndexOptions& options,
                               const EffortMeasure& measure, Work* work) {
    constexpr size_t kQueries = 150;   // 0.99 is off by about 0.003
    constexpr double kEnough = 0.997;  // of a pool: what 0.99 takes is known
    CodeRoom room;
    const uint64_t links = links_.base.bytes();
    room.code_bytes = options.index_bytes - std::min(options.index_bytes, links);
    room.vectors_in_memory = options.vectors_in_memory;
    const std::vector<CodeChoice> kinds = CodesToTry(rows, room);
    if (kinds.size() == 1) {
        return Encode(rows, kinds[0], options.threads, work);
    }
    struct Encoded {
        std::unique_ptr<Codes> codes;
        Buffer rows;
        Buffer norms;
    };
    std::vector<CodeTrial> trials;
    Encoded best;
    for (const CodeChoice kind : kinds) {
        QUERN_TRY(Encode(rows, kind, options.threads, work));
        QUERN_TRY(Pack(options.threads, nullptr, work));
        QUERN_ASSIGN(EffortTrial effort,
                     Try(rows, measure, kQueries, kEnough, options.threads, work));
        blocks_ = NeighbourBlocks();
        trials.push_back({kind, std::move(effort)});
        // Only the best so far is kept: codes of a large field are large.
        if (BestTrial(trials, rows, room) + 1 == trials.size()) {
            best = {std::move(codes_), std::move(code_rows_), std::move(squared_norms_)};
        }
    }
    codes_ = std::move(best.codes);
    code_rows_ = std::move(best.rows);
    squared_norms_ = std::move(best.norms);
    return {};
}

Status GraphIndex::Search(const VectorRows& rows, const void* vector, size_t ef, WalkSpace* space,
                          std::vector<uint32_t>* nodes, Work* work, NodeBounds* bounds) const {
    nodes->clear();
    std::unique_ptr<CodeScorer> scorer_of_codes;
    if (codes_) {
        scorer_of_codes = codes_->NewScorer(static_cast<const float*>(vector), Rows());
        QUERN_TRY(WalkCodes(static_cast<const float*>(vector), *scorer_of_codes, ef, space, work));
    } else {
        const kernels::Query query =
            kernels::PrepareQuery(rows.element, rows.metric, vector, rows.dim);
        RowScorer scorer(rows, query);
        QUERN_TRY(Walk(links_, scorer, ef, space, work));
    }
    nodes->reserve(space->size);
    for (size_t i = 0; i < space->size; i++) {
        nodes->push_back(space->node(i));
    }
    if (bounds != nullptr) {
        bounds->least.resize(nodes->size());
        std::vector<float> errors(nodes->size());
        if (!scorer_of_codes ||
            !scorer_of_codes->Estimate(nodes->data(), nodes->size(), space->distances.data(),
                                       bounds->least.data(), errors.data())) {
            bounds->least.clear();
        }
        for (size_t i = 0; i < bounds->least.size(); i++) {
            bounds->least[i] -= bounds->errors * errors[i];
        }
    }
    return {};
}

Status GraphIndex::WalkCodes(const float* vector, const CodeScorer& scorer, size_t ef,
                             WalkSpace* space, Work* work) const {
    if (blocks_.empty()) {
        return Walk(links_, scorer, ef, space, work);
    }
    NeighbourBlocks::Query query;
    blocks_.Prepare(vector, &query);
    return WalkPacked(links_, blocks_, query, scorer, ef, space, work);
}

Status GraphIndex::Pack(int threads, const std::shared_ptr<MemoryCounter>& counter, Work* work) {
    if (codes() != CodeChoice::kPacked) {
        return {};
    }
    QUERN_ASSIGN(blocks_, NeighbourBlocks::Make(links_, static_cast<const ScalarCodes&>(*codes_),
                                                Rows(), threads, counter, work));
    return {};
}

uint64_t GraphIndex::PackBytes() const {
    return codes() == CodeChoice::kPacked
               ? NeighbourBlocks::Bytes(codes_->dim(), links_.degree, links_.count)
               : 0;
}

std::vector<float> GraphIndex::PoolDistances(const void* vector, const WalkSpace& space) const {
    std::vector<float> distances(space.distances.begin(),
                                 space.distances.begin() + static_cast<ptrdiff_t>(space.size));
    if (codes_) {
        codes_->ToDistances(static_cast<const float*>(vector), &distances);
    }
    return distances;
}

uint64_t GraphIndex::memory_bytes() const {
    return links_.base.bytes() + links_.upper_words.size() * sizeof(uint32_t) +
           links_.upper_offsets.size() * sizeof(uint32_t) + code_rows_.bytes() +
           squared_norms_.bytes() + blocks_.bytes() + outsiders_.memory_bytes() + head_.size();
}

}  // namespace quern::dense
