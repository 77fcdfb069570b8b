#include "engine/db/dense_queries.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/kernels/distance.h"

namespace quern {

namespace {

class QueryTaker {
public:
    QueryTaker(Database* database, Snapshot* snapshot, const CollectionView& view,
               const SearchRequest& request, size_t field, DenseQueries* vectors)
        : database_(database),
          snapshot_(snapshot),
          view_(view),
          request_(request),
          field_(field),
          def_(view.info->schema.dense[field]),
          vectors_(vectors),
          bits_(def_.element == Element::kBit) {}

    Status Run() {
        vectors_->row_bytes = bits_ ? def_.row_bytes() : size_t{def_.dim} * sizeof(float);
        vectors_->count = request_.by_key        ? request_.keys.size()
                          : request_.is_composed ? request_.composed.count
                                                 : request_.count;
        const auto most = static_cast<uint64_t>(database_->limits().queries.load());
        if (vectors_->count > most && !request_.by_key) {
            return Status::Error(Code::kLimit, "%zu queries, the limit is %lld", vectors_->count,
                                 static_cast<long long>(most));
        }
        QUERN_TRY(request_.by_key        ? TakeStored()
                  : request_.is_composed ? TakeComposed()
                                         : TakeGiven());
        if (request_.moved != nullptr) {
            std::memcpy(vectors_->rows.data(), request_.moved, vectors_->rows.size());
        }
        return {};
    }

private:
    Status CheckDimension(size_t dim) const {
        return dim == def_.dim ? Status()
                               : Status::Error(Code::kDimension,
                                               "field '%s' has dimension %u, the query has %zu",
                                               def_.name.c_str(), def_.dim, dim);
    }

    Status TakeGiven() {
        QUERN_TRY(CheckDimension(request_.dim));
        if (!request_.is_f32 && (request_.element == Element::kBit) != bits_) {
            return Status::Error(Code::kType, "field '%s': bit queries go with bit fields only",
                                 def_.name.c_str());
        }
        const Element from = request_.is_f32 ? Element::kF32 : request_.element;
        const size_t in_bytes = VectorBytes(from, def_.dim);
        vectors_->rows.resize(vectors_->count * vectors_->row_bytes);
        const char* in = static_cast<const char*>(request_.vectors);
        for (size_t q = 0; q < vectors_->count; q++) {
            size_t bad = 0;
            if (!kernels::AllFinite(from, in + q * in_bytes, 1, def_.dim, &bad)) {
                return Status::Error(Code::kNotFinite,
                                     "query %zu has NaN or infinity at element %zu", q, bad);
            }
            Convert(from, in + q * in_bytes, Row(q));
        }
        return {};
    }

    void Convert(Element from, const char* in, char* out) {
        if (bits_ && from == Element::kF32) {
            size_t bad = 0;
            std::vector<float> aligned(def_.dim);
            std::memcpy(aligned.data(), in, def_.dim * sizeof(float));
            kernels::FromF32(Element::kBit, aligned.data(), 1, def_.dim, out, &bad);
        } else if (bits_) {
            std::memcpy(out, in, vectors_->row_bytes);
            if (def_.dim % 8 != 0) {
                char* const last = out + vectors_->row_bytes - 1;
                *last = static_cast<char>(*last & ((1 << (def_.dim % 8)) - 1));
            }
        } else {
            kernels::ToF32(from, in, 1, def_.dim, reinterpret_cast<float*>(out));
        }
    }

    Status TakeStored() {
        vectors_->rows.resize(vectors_->count * vectors_->row_bytes);
        vectors_->named.resize(vectors_->count);
        return ReadStoredQueries(
            snapshot_, view_, request_, field_,
            [&](size_t q, BytesView vector, const RecordPlace& place) -> Status {
                vectors_->named[q] = place;
                vectors_->named_ends.push_back(q + 1);
                if (bits_) {
                    std::memcpy(Row(q), vector.data(), vectors_->row_bytes);
                } else {
                    Convert(def_.element, vector.data(), Row(q));
                }
                return {};
            });
    }

    Status TakeComposed() {
        if (bits_) {
            return Status::Error(Code::kType, "field '%s': vectors of bits have no sums",
                                 def_.name.c_str());
        }
        std::vector<std::vector<const QueryTerm*>> of_query(vectors_->count);
        for (const QueryTerm& term : request_.composed.terms) {
            of_query[term.query].push_back(&term);
        }
        vectors_->rows.resize(vectors_->count * vectors_->row_bytes);
        for (size_t q = 0; q < vectors_->count; q++) {
            const Status composed = Compose(of_query[q], reinterpret_cast<float*>(Row(q)));
            if (!composed.ok()) {
                return Status(composed).WithContext("query " + std::to_string(q));
            }
            vectors_->named_ends.push_back(vectors_->named.size());
        }
        return {};
    }

    // One query.
    Status Compose(const std::vector<const QueryTerm*>& terms, float* out) {
        if (terms.empty()) {
            return Status::Error(Code::kInvalid, "it has no terms");
        }
        const bool unit = request_.composed.unit_terms.value_or(def_.metric == Metric::kCosine);
        SearchRequest stored;
        for (const QueryTerm* term : terms) {
            if (term->stored) {
                stored.keys.push_back(term->key);
            } else {
                QUERN_TRY(CheckDimension(term->vector.size()));
            }
        }
        std::vector<float> found(stored.keys.size() * def_.dim);
        QUERN_TRY(ReadStoredQueries(
            snapshot_, view_, stored, field_,
            [&](size_t i, BytesView vector, const RecordPlace& place) -> Status {
                vectors_->named.push_back(place);
                kernels::ToF32(def_.element, vector.data(), 1, def_.dim, &found[i * def_.dim]);
                return {};
            }));
        // In the order in which they were given, so that it does not matter which are stored.
        std::vector<double> sum(def_.dim, 0);
        double weights = 0;
        size_t taken = 0;
        for (const QueryTerm* term : terms) {
            const float* const vector =
                term->stored ? &found[taken++ * def_.dim] : term->vector.data();
            AddVector(vector, def_.dim, term->weight, unit, sum.data());
            weights += term->weight;
        }
        return Finish(weights, &sum, out);
    }

    Status Finish(double weights, std::vector<double>* sum, float* out) const {
        double factor = 1;
        if (request_.composed.scale == ComposedQueries::Scale::kMean) {
            if (!(weights > 0)) {
                return Status::Error(Code::kInvalid,
                                     "scale=mean: the weights add up to %g, not to more than 0",
                                     weights);
            }
            factor = 1 / weights;
        } else if (request_.composed.scale == ComposedQueries::Scale::kUnit) {
            double squares = 0;
            for (const double x : *sum) {
                squares += x * x;
            }
            factor = squares > 0 ? 1 / std::sqrt(squares) : 1;
        }
        for (size_t i = 0; i < sum->size(); i++) {
            out[i] = static_cast<float>((*sum)[i] * factor);
            if (!std::isfinite(out[i])) {
                return Status::Error(Code::kNotFinite, "element %zu of the sum is beyond f32", i);
            }
        }
        return {};
    }

    char* Row(size_t q) { return vectors_->rows.data() + q * vectors_->row_bytes; }

    Database* database_;
    Snapshot* snapshot_;
    const CollectionView& view_;
    const SearchRequest& request_;
    size_t field_;
    const DenseDef& def_;
    DenseQueries* vectors_;
    bool bits_;
};

}  // namespace

std::span<const RecordPlace> DenseQueries::NamedOf(size_t q) const {
    if (named_ends.empty()) {
        return {};
    }
    const size_t first = q == 0 ? 0 : named_ends[q - 1];
    return {named.data() + first, named_ends[q] - first};
}

size_t DenseQueries::named_max() const {
    size_t most = 0;
    for (size_t q = 0; q < named_ends.size(); q++) {
        most = std::max(most, NamedOf(q).size());
    }
    return most;
}

Status TakeDenseQueries(Database* database, Snapshot* snapshot, const CollectionView& view,
                        const SearchRequest& request, size_t field, DenseQueries* vectors) {
    return QueryTaker(database, snapshot, view, request, field, vectors).Run();
}

void AddVector(const float* vector, size_t dim, double weight, bool unit, double* sum) {
    double factor = weight;
    if (unit) {
        double squares = 0;
        for (size_t i = 0; i < dim; i++) {
            squares += static_cast<double>(vector[i]) * static_cast<double>(vector[i]);
        }
        factor = squares > 0 ? weight / std::sqrt(squares) : weight;
    }
    for (size_t i = 0; i < dim; i++) {
        sum[i] += factor * static_cast<double>(vector[i]);
    }
}

}  // namespace quern
