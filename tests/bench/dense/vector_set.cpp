#include "tests/bench/dense/vector_set.h"

#include <quern.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <stdexcept>

#include "bindings/cli/file_format.h"
#include "bindings/cli/vecs_format.h"
#include "engine/dense/flat.h"

namespace bench {
namespace {

namespace kernels = quern::kernels;
using quern::Element;
using quern::Metric;
using quern::shell::ByteSource;

// Held out of sets that have no queries of their own: a thousand or as many queries as are asked
// for, or every fourth row of small ones.
constexpr size_t kHeldOut = 1000;
// Distances this much beyond the k-th still count, relative to it: engines add up in other orders.
constexpr float kRounding = 1e-6F;

struct Source {
    const char* name;
    int32_t metric;
    const char* base_file;
    size_t base_rows;        // 0: all
    const char* query_file;  // NULL: some rows are held out
    size_t query_skip;       // rows of query_file that are not queries
    const char* truth_file;  // NULL, or some rows are held out: an exact scan tells
    bool small = false;      // too small to compare speeds
};

// clang-format off
constexpr Source kSources[] = {
    {"mnist784", QUERN_L2, "images.u8.npy.zst", 60000, "images.u8.npy.zst", 60000, nullptr},
    {"sift500k", QUERN_L2, "base.bvecs.zst", 0, "query.bvecs.zst", 0, "truth100.l2.ivecs.zst"},
    {"words250k", QUERN_IP, "base.f16.npy.zst", 0, "query.f32.npy.zst", 0, "truth100.ip.ivecs.zst"},
    // The titles of the set's own test split ask for abstracts.
    {"acl-anthology", QUERN_COSINE, "lsa256.docs.f16.npy.zst", 0, "lsa256.titles.f16.npy.zst", 26810, nullptr},
    {"bge-queries", QUERN_COSINE, "bge-base-768.f32.npy.zst", 0, nullptr, 0, nullptr},
    {"words", QUERN_COSINE, "word2vec-googlenews-8000x300.f32.npy.zst", 0, nullptr, 0, nullptr, true},
    {"scifact", QUERN_IP, "dense.docs.f32.npy.zst", 0, "dense.queries.f32.npy.zst", 0, nullptr, true},
    {"coco-objects", QUERN_L2, "vectors.f32.npy.zst", 0, nullptr, 0, nullptr, true},
    {"goodreads", QUERN_COSINE, "minilm.f32.npy.zst", 0, nullptr, 0, nullptr, true},
    {"scidocs-minilm", QUERN_COSINE, "docs.f32.npy.zst", 0, "queries.f32.npy.zst", 0, nullptr, true},
    {"cohere-int8", QUERN_COSINE, "wiki-en-queries.i8.npy.zst", 0, nullptr, 0, nullptr, true},
};
// clang-format on

Matrix ReadVectors(const std::string& path, size_t skip, size_t count) {
    auto reader =
        quern::shell::NewRecordReader(ByteSource::Open(path), quern::shell::FormatOfPath(path));
    Matrix matrix;
    quern::shell::Record record;
    for (size_t row = 0; (count == 0 || row < skip + count) && reader->Next(&record); row++) {
        if (row >= skip) {
            matrix.dim = record.vector.size();
            matrix.values.insert(matrix.values.end(), record.vector.begin(), record.vector.end());
        }
    }
    return matrix;
}

void AppendRow(const Matrix& from, size_t row, Matrix* to) {
    to->dim = from.dim;
    to->values.insert(to->values.end(), from.row(row), from.row(row) + from.dim);
}

void HoldOut(size_t most, VectorSet* set) {
    const size_t step = std::max<size_t>(set->base.rows() / most, 4);
    Matrix kept;
    for (size_t row = 0; row < set->base.rows(); row++) {
        const bool held = row % step == 0 && set->queries.rows() < most;
        AppendRow(set->base, row, held ? &set->queries : &kept);
    }
    set->base = std::move(kept);
}

// So that engines without cosine answer by inner product. A zero vector stays one.
void Normalize(Matrix* matrix) {
    for (size_t row = 0; row < matrix->rows(); row++) {
        float* values = matrix->values.data() + row * matrix->dim;
        double square = 0;
        for (size_t i = 0; i < matrix->dim; i++) {
            square += static_cast<double>(values[i]) * static_cast<double>(values[i]);
        }
        for (size_t i = 0; square > 0 && i < matrix->dim; i++) {
            values[i] = static_cast<float>(static_cast<double>(values[i]) / std::sqrt(square));
        }
    }
}

// Which queries are asked: spread evenly over all; none that is all zeros, to which every row is
// equally near.
std::vector<size_t> PickQueries(const Matrix& queries, size_t most) {
    std::vector<size_t> useful;
    for (size_t row = 0; row < queries.rows(); row++) {
        const float* values = queries.row(row);
        if (std::any_of(values, values + queries.dim, [](float value) { return value != 0; })) {
            useful.push_back(row);
        }
    }
    std::vector<size_t> picked;
    const size_t count = std::min(most, useful.size());
    for (size_t i = 0; i < count; i++) {
        picked.push_back(useful[i * useful.size() / count]);
    }
    return picked;
}

// The metric that decides: vectors are normalised under cosine, so the inner product orders them.
Metric DecidingMetric(const Space& space) {
    return space.metric == QUERN_L2 ? Metric::kL2 : Metric::kIp;
}

std::vector<float> DistancesTo(const VectorSet& set, size_t query,
                               const std::vector<uint32_t>& rows) {
    const Metric metric = DecidingMetric(set.space);
    const kernels::Query prepared =
        kernels::PrepareQuery(Element::kF32, metric, set.queries.row(query), set.space.dim);
    std::vector<float> distances(rows.size());
    kernels::DistancesPicked(Element::kF32, metric, prepared, set.base.values.data(), rows.data(),
                             rows.size(), nullptr, distances.data());
    return distances;
}

void TruthFromFile(const std::string& path, const std::vector<size_t>& picked, VectorSet* set) {
    const auto source = ByteSource::Open(path);
    const auto truth = quern::shell::ReadTruth(source.get(), 0, SIZE_MAX, kNearest);
    for (size_t i = 0; i < picked.size(); i++) {
        const auto& row = truth.at(picked[i]);
        const auto distances = DistancesTo(*set, i, {row.begin(), row.end()});
        set->kth_distance.push_back(*std::max_element(distances.begin(), distances.end()));
    }
    set->origin += ", truth of the set";
}

void TruthFromScan(VectorSet* set) {
    const Metric metric = DecidingMetric(set->space);
    std::vector<quern::dense::FlatQuery> queries;
    for (size_t i = 0; i < set->queries.rows(); i++) {
        queries.emplace_back(kNearest);
        queries.back().query =
            kernels::PrepareQuery(Element::kF32, metric, set->queries.row(i), set->space.dim);
        double square = 0;
        for (size_t j = 0; j < set->space.dim; j++) {
            square += std::pow(static_cast<double>(set->queries.row(i)[j]), 2);
        }
        queries.back().norm = std::sqrt(square);
    }
    quern::dense::FlatField field;
    field.metric = metric;
    field.dim = set->space.dim;
    quern::dense::FlatRows rows;
    rows.rows = reinterpret_cast<const char*>(set->base.values.data());
    rows.count = set->base.rows();
    quern::Work work;
    if (!quern::dense::FlatScan(field, queries.data(), queries.size()).Run(rows, &work).ok()) {
        throw std::runtime_error("the exact scan failed");
    }
    for (quern::dense::FlatQuery& query : queries) {
        set->kth_distance.push_back(query.top.Threshold());
    }
    set->origin += ", truth by exact scan";
}

}  // namespace

std::vector<std::string> SetNames(bool small) {
    std::vector<std::string> names;
    for (const Source& source : kSources) {
        if (small || !source.small) {
            names.push_back(source.name);
        }
    }
    return names;
}

const char* MetricName(int32_t metric) {
    return metric == QUERN_L2 ? "L2" : metric == QUERN_IP ? "inner product" : "cosine";
}

size_t VectorSet::Hits(size_t query, const uint32_t* found) const {
    std::vector<uint32_t> rows;
    for (size_t i = 0; i < kNearest; i++) {
        if (found[i] < base.rows() && std::find(rows.begin(), rows.end(), found[i]) == rows.end()) {
            rows.push_back(found[i]);
        }
    }
    const float bound = kth_distance[query] + std::abs(kth_distance[query]) * kRounding;
    size_t hits = 0;
    for (const float distance : DistancesTo(*this, query, rows)) {
        hits += distance <= bound;
    }
    return hits;
}

bool LoadVectorSet(const SetRequest& request, VectorSet* set, std::string* reason) {
    const auto* source =
        std::find_if(std::begin(kSources), std::end(kSources),
                     [&](const Source& known) { return request.name == known.name; });
    if (source == std::end(kSources)) {
        throw std::runtime_error("there is no set named " + request.name);
    }
    const std::string folder = request.data_dir + "/" + source->name + "/";
    for (const char* file : {source->base_file, source->query_file, source->truth_file}) {
        if (file != nullptr && !std::filesystem::exists(folder + file)) {
            *reason = "there is no " + folder + file;
            return false;
        }
    }
    *set = VectorSet();
    set->name = source->name;
    // All rows when some are held out, so that the queries do not depend on the limit.
    const bool cut = request.limit > 0;
    const bool own_queries = source->query_file != nullptr && !request.hold_out;
    const size_t wanted =
        cut && own_queries
            ? std::min(request.limit, source->base_rows > 0 ? source->base_rows : request.limit)
            : source->base_rows;
    set->base = ReadVectors(folder + source->base_file, 0, wanted);
    if (own_queries) {
        set->queries = ReadVectors(folder + source->query_file, source->query_skip, 0);
        set->origin = "queries of the set";
    } else {
        HoldOut(std::max(kHeldOut, request.queries), set);
        set->origin = "queries held out of the rows";
    }
    set->space = {set->base.dim, source->metric};
    if (cut && request.limit < set->base.rows()) {
        set->base.values.resize(request.limit * set->base.dim);
    }
    if (source->metric == QUERN_COSINE) {
        Normalize(&set->base);
        Normalize(&set->queries);
    }
    const std::vector<size_t> picked = PickQueries(set->queries, request.queries);
    Matrix queries;
    for (const size_t row : picked) {
        AppendRow(set->queries, row, &queries);
    }
    set->queries = std::move(queries);
    if (set->base.rows() < kNearest || set->queries.rows() == 0) {
        throw std::runtime_error(request.name + ": too few rows or queries");
    }
    if (source->truth_file != nullptr && !cut && own_queries) {
        TruthFromFile(folder + source->truth_file, picked, set);
    } else {
        TruthFromScan(set);
    }
    return true;
}

}  // namespace bench
