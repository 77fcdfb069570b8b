#include "engine/dense/graph_index.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/dense/coded_scan.h"
#include "engine/dense/graph_builder.h"
#include "engine/dense/graph_reach.h"
#include "engine/dense/packed_walk.h"
#include "engine/dense/row_scorer.h"
#include "engine/dense/safe_length.h"
#include "storage/base/test_fault.h"

namespace quern::dense {

namespace {

constexpr size_t kHeldOutMax = 500;  // recall within about 0.003 at 0.98
constexpr size_t kHeldOutShare = 8;  // and never more than one record in so many
constexpr double kFound = 0.9995;    // what is beyond takes an exact search
constexpr double kScanShare = 0.5;   // a walk that scores so much of all is no better than a scan

float LongestSquare(const VectorRows& rows) {
    constexpr size_t kBlock = 1024;
    float longest = 0;
    std::vector<float> squares(kBlock);
    for (size_t i = 0; i < rows.count; i += kBlock) {
        const size_t count = std::min(kBlock, rows.count - i);
        kernels::SquaredNorms(rows.element, rows.row(i), count, rows.dim, squares.data());
        for (size_t j = 0; j < count; j++) {
            longest = std::max(longest, squares[j]);
        }
    }
    return longest;
}

// When it pays to begin with an old graph: measured by bench_growth.
constexpr double kLiveLeast = 0.8;   // of the old graph's nodes
constexpr double kShareLeast = 0.4;  // of the new graph's nodes
// By how much the recall of walks, averaged over the curve, may be below that of the source.
constexpr double kLossMost = 0.01;

bool PaysToGrow(const GraphSource& source, const GraphIndexOptions& options, size_t inside) {
    const GraphLinks& links = source.index->links();
    if (links.degree != 2 * options.m || links.upper_degree != options.m ||
        source.now.size() != links.count) {
        return false;
    }
    if (source.always) {
        return true;
    }
    const auto living = static_cast<double>(
        source.now.size() -
        static_cast<size_t>(std::count(source.now.begin(), source.now.end(), kNoNode)));
    return living >= kLiveLeast * static_cast<double>(links.count) &&
           living >= kShareLeast * static_cast<double>(inside);
}

// Recall@10 of whole pools, averaged over their sizes. Those that were not measured have what the
// largest that was has.
double PoolRecall(const EffortCurve& curve) {
    constexpr size_t kTenth = 1;
    double sum = 0;
    double last = 0;
    for (size_t e = 0; e < EffortCurve::kEf.size(); e++) {
        last = curve.Scored(kTenth, e) > 0
                   ? static_cast<double>(curve.At(kTenth, e, EffortCurve::kRefine.size()))
                   : last;
        sum += last;
    }
    return sum / static_cast<double>(EffortCurve::kEf.size());
}

}  // namespace

bool GraphIndex::CanMeasure(const VectorRows& rows) {
    constexpr float kMost = std::numeric_limits<float>::max();
    switch (rows.metric) {
        case Metric::kIp: return LongestSquare(rows) <= kMost;
        // Two that point away from each other are twice as far apart as they are long.
        case Metric::kL2: return LongestSquare(rows) <= kMost / 4;
        default: return true;
    }
}

Result<std::unique_ptr<GraphIndex>> GraphIndex::Build(const VectorRows& rows,
                                                      const GraphIndexOptions& options, Work* work,
                                                      const GraphSource* source) {
    std::unique_ptr<GraphIndex> index(new GraphIndex());
    index->metric_ = rows.metric;
    std::vector<uint32_t> inside;
    index->outsiders_ = Outsiders::Find(rows, &inside);
    if (TestFault(Fault::kOutsidersLost)) {
        index->outsiders_ = Outsiders();
    }
    index->linked_ = inside.size();
    index->longest_square_ = rows.metric == Metric::kIp ? LongestSquare(rows) : 0;
    GraphBuildOptions build;
    build.m = options.m;
    build.ef = options.ef_build;
    build.threads = options.threads;
    const size_t held = std::min(kHeldOutMax, inside.size() / kHeldOutShare);
    build.held = held;
    if (source != nullptr && !PaysToGrow(*source, options, inside.size())) {
        source = nullptr;
    }
    GraphSeed seed;
    if (source != nullptr) {
        seed = {&source->index->links(), source->now};
    }
    QUERN_ASSIGN(
        const std::unique_ptr<GraphBuilder> builder,
        GraphBuilder::Create(rows, inside, build, source != nullptr ? &seed : nullptr, work));
    index->inherited_ = builder->added();
    CodeChoice codes = rows.element == Element::kBit ? CodeChoice::kNone : options.codes;
    if (codes == CodeChoice::kAuto && held == 0) {
        codes = CodeChoice::k8Bit;  // too few to tell
    }
    if (codes != CodeChoice::kAuto && codes != CodeChoice::kNone) {
        QUERN_TRY(index->Encode(rows, codes, options.threads, work));
    }
    const std::vector<uint32_t>& order = builder->order();
    EffortMeasure measure(rows, {order.end() - static_cast<ptrdiff_t>(held), order.end()}, inside);
    QUERN_TRY(measure.FindTruth(options.threads, work));
    index->far_queries_ = FarQueries::Measure(measure, rows.metric, rows.dim);
    QUERN_TRY(index->Insert(rows, options, measure, builder.get(), work));
    if (held > 0) {
        QUERN_ASSIGN(index->links_, builder->Links(work));
        if (codes == CodeChoice::kAuto) {
            QUERN_TRY(index->ChooseCodes(rows, options, measure, work));
        }
        EffortPlan plan;
        plan.enough = kFound;
        QUERN_TRY(index->Pack(options.threads, nullptr, work));
        QUERN_ASSIGN(index->curve_, index->Try(rows, measure, plan, options.threads, work));
        if (source != nullptr && !source->always && !source->index->curve().empty() &&
            PoolRecall(index->curve_) < PoolRecall(source->index->curve()) - kLossMost) {
            return Build(rows, options, work);
        }
        QUERN_TRY(index->CalibrateRange(rows, measure, options.threads, work));
        index->blocks_ = NeighbourBlocks();  // of links that are about to change
        QUERN_TRY(builder->Add(held, work));
    }
    QUERN_ASSIGN(index->links_, builder->Links(work));
    QUERN_TRY(index->CheckReach());
    if (index->codes_) {
        QUERN_ASSIGN(index->errors_, RowErrors::Measure(*index->codes_, rows, index->Rows(),
                                                        options.threads, work));
    }
    index->EncodeHead();
    return index;
}

Status GraphIndex::Insert(const VectorRows& rows, const GraphIndexOptions& options,
                          const EffortMeasure& measure, GraphBuilder* builder, Work* work) {
    const size_t count = builder->order().size() - measure.queries() - builder->added();
    CodedRows made;
    QUERN_ASSIGN(
        const InsertionCodes codes,
        ChooseInsertionCodes(rows, measure, {codes_.get(), Rows()}, &made, options.threads, work));
    builder->WalkOver(codes);
    const Status added = builder->Add(count, work);
    builder->WalkOver({});
    return added;
}

Status GraphIndex::CheckReach() const {
    const std::vector<bool> reached = links_.Reachable();
    const auto count = static_cast<size_t>(std::count(reached.begin(), reached.end(), true));
    if (static_cast<double>(count) < kReachLeast * static_cast<double>(linked_)) {
        return Status::Error(Code::kCorrupt, "graph: a walk reaches %zu of %zu nodes", count,
                             linked_);
    }
    return {};
}

Status GraphIndex::Encode(const VectorRows& rows, CodeChoice kind, int threads, Work* work) {
    QUERN_ASSIGN(std::unique_ptr<Codes> codes, Codes::Train(kind, rows, threads, work));
    QUERN_ASSIGN(CodedRows coded, CodedRows::Of(std::move(codes), rows, threads, work));
    TakeCodes(std::move(coded));
    return {};
}

void GraphIndex::TakeCodes(CodedRows coded) {
    codes_ = std::move(coded.codes);
    code_rows_ = std::move(coded.rows);
    squared_norms_ = std::move(coded.norms);
}

Result<EffortCurve> GraphIndex::Try(const VectorRows& rows, const EffortMeasure& measure,
                                    EffortPlan plan, int threads, Work* work) const {
    plan.scored_most = kScanShare * static_cast<double>(linked_);
    return measure.Run(
        [&](const void* vector, const Effort& effort, WalkSpace* space,
            std::vector<uint32_t>* nodes) {
            return Search(rows, vector, effort, space, nodes, work);
        },
        plan, threads, work);
}

Status GraphIndex::ChooseCodes(const VectorRows& rows, const GraphIndexOptions& options,
                               const EffortMeasure& measure, Work* work) {
    EffortPlan plan;
    plan.queries = 150;  // 0.99 is off by about 0.003
    plan.ten_only = true;
    plan.enough = 0.997;  // what 0.99 takes is known
    CodeRoom room;
    const uint64_t links = links_.base.bytes();
    room.code_bytes = options.index_bytes - std::min(options.index_bytes, links);
    room.vectors_in_memory = options.vectors_in_memory;
    const std::vector<CodeChoice> kinds = CodesToTry(rows, room);
    if (kinds.size() == 1) {
        return Encode(rows, kinds[0], options.threads, work);
    }
    std::vector<CodeTrial> trials;
    CodedRows best;
    for (const CodeChoice kind : kinds) {
        QUERN_TRY(Encode(rows, kind, options.threads, work));
        QUERN_TRY(Pack(options.threads, nullptr, work));
        QUERN_ASSIGN(EffortCurve curve, Try(rows, measure, plan, options.threads, work));
        blocks_ = NeighbourBlocks();
        trials.push_back({kind, codes_->row_bytes(), std::move(curve)});
        // Only the best so far is kept: codes of a large field are large.
        if (BestTrial(trials, rows, room) + 1 == trials.size()) {
            best = {std::move(codes_), std::move(code_rows_), std::move(squared_norms_)};
        }
    }
    TakeCodes(std::move(best));
    return {};
}

WalkEnd GraphIndex::EndOf(const Effort& effort, const void* vector, size_t dim) const {
    WalkEnd end;
    end.ef = effort.ef;
    if (effort.reach == Effort::kNoReach || effort.k == 0) {
        return end;
    }
    // Distances of l2, cosine (of unit vectors) and hamming are squared ones, or half of these. The
    // inner product becomes one when every row gets a last dimension that makes all equally long.
    const float* values = static_cast<const float*>(vector);
    double nearest = 0;
    if (metric_ == Metric::kIp) {
        float square = 0;
        kernels::SquaredNorms(Element::kF32, values, 1, dim, &square);
        nearest = -0.5 * (static_cast<double>(square) + static_cast<double>(longest_square_));
    }
    const double zero = codes_ ? static_cast<double>(codes_->ScoreAt(values, nearest)) : nearest;
    const double factor =
        (1.0 + static_cast<double>(effort.reach)) * (1.0 + static_cast<double>(effort.reach));
    end.place = effort.k;
    end.scale = static_cast<float>(factor);
    end.shift = static_cast<float>((1.0 - factor) * zero);
    end.keep = effort.keep;
    return std::isfinite(end.shift) ? end : WalkEnd{effort.ef};
}

Status GraphIndex::Search(const VectorRows& rows, const void* vector, const Effort& effort,
                          WalkSpace* space, std::vector<uint32_t>* nodes, Work* work,
                          NodeBounds* bounds) const {
    nodes->clear();
    const SafeQuery safe(metric_, vector, rows.dim, SafeQuery::Products::kScaled);
    const WalkEnd end = EndOf(effort, codes_ ? safe.values() : vector, rows.dim);
    std::unique_ptr<CodeScorer> scorer_of_codes;
    Status walked;
    if (codes_) {
        scorer_of_codes = codes_->NewScorer(safe.values(), Rows());
        walked = WalkCodes(safe.values(), *scorer_of_codes, end, space, work);
    } else {
        const kernels::Query query =
            kernels::PrepareQuery(rows.element, rows.metric, vector, rows.dim);
        RowScorer scorer(rows, query);
        walked = Walk(links_, scorer, end, space, work);
    }
    TakePool(scorer_of_codes.get(), safe.back(), *space, nodes, bounds);
    return walked;
}

Status GraphIndex::SearchWanted(const VectorRows& rows, const void* vector, const Effort& effort,
                                const WantedNodes& wanted, WalkSpace* space,
                                std::vector<uint32_t>* nodes, bool* complete, Work* work,
                                NodeBounds* bounds) const {
    nodes->clear();
    const SafeQuery safe(metric_, vector, rows.dim, SafeQuery::Products::kScaled);
    const WalkEnd end = EndOf(effort, codes_ ? safe.values() : vector, rows.dim);
    std::unique_ptr<CodeScorer> scorer_of_codes;
    Status walked;
    if (codes_) {
        scorer_of_codes = codes_->NewScorer(safe.values(), Rows());
        walked = WalkFiltered(links_, *scorer_of_codes, end, wanted, space, complete, work);
    } else {
        const kernels::Query query =
            kernels::PrepareQuery(rows.element, rows.metric, vector, rows.dim);
        RowScorer scorer(rows, query);
        walked = WalkFiltered(links_, scorer, end, wanted, space, complete, work);
    }
    TakePool(scorer_of_codes.get(), safe.back(), *space, nodes, bounds);
    return walked;
}

Status GraphIndex::Scan(const void* vector, const uint64_t* wanted, size_t keep, size_t sorted,
                        WalkSpace* space, std::vector<uint32_t>* nodes, bool* complete, Work* work,
                        NodeBounds* bounds) const {
    nodes->clear();
    const SafeQuery safe(metric_, vector, codes_->dim(), SafeQuery::Products::kScaled);
    const auto scorer = codes_->NewScorer(safe.values(), Rows());
    const ScannedNodes scan = {wanted, links_.count, keep, sorted, codes_->row_bytes()};
    const Status scanned = ScanCodes(*scorer, scan, space, complete, work);
    TakePool(scorer.get(), safe.back(), *space, nodes, bounds);
    return scanned;
}

void GraphIndex::TakePool(const CodeScorer* scorer, double back, const WalkSpace& space,
                          std::vector<uint32_t>* nodes, NodeBounds* bounds) {
    nodes->reserve(space.size);
    for (size_t i = 0; i < space.size; i++) {
        nodes->push_back(space.node(i));
    }
    if (bounds == nullptr) {
        return;
    }
    bounds->least.resize(nodes->size());
    std::vector<float> errors(nodes->size());
    if (scorer == nullptr || !scorer->Estimate(nodes->data(), nodes->size(), space.distances.data(),
                                               bounds->least.data(), errors.data())) {
        bounds->least.clear();
    }
    for (size_t i = 0; i < bounds->least.size(); i++) {
        bounds->least[i] = static_cast<float>(
            back * static_cast<double>(bounds->least[i] - bounds->errors * errors[i]));
    }
}

Status GraphIndex::WalkCodes(const float* vector, const CodeScorer& scorer, const WalkEnd& end,
                             WalkSpace* space, Work* work) const {
    if (blocks_.empty()) {
        return Walk(links_, scorer, end, space, work);
    }
    NeighbourBlocks::Query query;
    blocks_.Prepare(vector, &query);
    return WalkPacked(links_, blocks_, query, scorer, end, space, work);
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
               ? NeighbourBlocks::Bytes(static_cast<const ScalarCodes&>(*codes_).coded(),
                                        links_.degree, links_.count)
               : 0;
}

std::vector<float> GraphIndex::PoolDistances(const void* vector, const WalkSpace& space) const {
    std::vector<float> distances(space.distances.begin(),
                                 space.distances.begin() + static_cast<ptrdiff_t>(space.size));
    if (codes_) {
        const SafeQuery safe(metric_, vector, codes_->dim(), SafeQuery::Products::kScaled);
        codes_->ToDistances(safe.values(), &distances);
        for (float& distance : distances) {
            distance = static_cast<float>(safe.back() * static_cast<double>(distance));
        }
    }
    return distances;
}

float GraphIndex::CodeDistance(const void* vector, uint32_t node) const {
    const SafeQuery safe(metric_, vector, codes_->dim(), SafeQuery::Products::kScaled);
    std::vector<float> distance(1);
    codes_->NewScorer(safe.values(), Rows())->Score(&node, 1, distance.data());
    codes_->ToDistances(safe.values(), &distance);
    return static_cast<float>(safe.back() * static_cast<double>(distance[0]));
}

double GraphIndex::WalkRowNs(size_t vector_bytes) const {
    return CodePrices(codes(), codes_ ? codes_->row_bytes() : vector_bytes, links_.count).row_ns;
}

double GraphIndex::RefineRows(size_t vector_bytes, bool vectors_in_memory) const {
    const CodePrices prices(codes(), codes_ ? codes_->row_bytes() : vector_bytes, links_.count);
    return prices.VectorNs(vector_bytes, vectors_in_memory) / prices.row_ns;
}

double GraphIndex::longest() const {
    // It was added up in f32.
    constexpr double kMore = 4;
    const double rounding =
        kMore * static_cast<double>(kernels::InnerProductError(codes_ ? codes_->dim() : 0)) + 1e-6;
    return std::sqrt(static_cast<double>(longest_square_) * (1 + rounding)) + 1e-18;
}

uint64_t GraphIndex::memory_bytes() const {
    return links_.base.bytes() + links_.upper_words.size() * sizeof(uint32_t) +
           links_.upper_offsets.size() * sizeof(uint32_t) + code_rows_.bytes() +
           squared_norms_.bytes() + errors_.memory_bytes() + blocks_.bytes() +
           outsiders_.memory_bytes() + head_.size() + range_head_.size();
}

}  // namespace quern::dense
