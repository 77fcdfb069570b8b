#include "engine/db/feedback.h"

#include <algorithm>
#include <cmath>

#include "engine/db/candidate_search.h"
#include "engine/db/dense_queries.h"
#include "engine/db/query_choice.h"
#include "engine/db/stored_distances.h"
#include "engine/kernels/distance.h"

namespace quern {

namespace {

size_t DocsOf(const Feedback& feedback) {
    return feedback.docs.value_or(feedback.kind == Feedback::Kind::kAverage ? 3 : 5);
}

// The request that finds the records: the other legs weigh less, or nothing.
SearchRequest FirstSearch(const SearchRequest& request, const Feedback& feedback, size_t leg,
                          size_t docs) {
    SearchRequest first = request;
    first.feedback.reset();
    first.limit = docs;
    first.has_limit = true;
    first.has_min_score = false;
    first.has_max_distance = false;
    for (size_t l = 0; l < first.legs.size(); l++) {
        first.legs[l].weight = WeightOf(request, l) * (l == leg ? 1 : feedback.before);
    }
    first.fusion.weights.clear();
    return first;
}

// The number of the leg whose query is moved; of no meaning without legs.
Result<size_t> LegToMove(const Schema& schema, const SearchRequest& request) {
    const std::vector<SearchLeg>& legs = request.legs;
    if (request.feedback->leg) {
        if (legs.empty()) {
            return Status::Error(Code::kInvalid, "feedback has leg=%zu, the query has no legs",
                                 *request.feedback->leg);
        }
        if (*request.feedback->leg >= legs.size()) {
            return Status::Error(Code::kInvalid, "feedback moves leg %zu, there are %zu legs",
                                 *request.feedback->leg, legs.size());
        }
        return *request.feedback->leg;
    }
    std::vector<size_t> dense;
    for (size_t l = 0; l < legs.size(); l++) {
        const int field = schema.FindField(legs[l].request.field);
        if (field >= 0 && schema.is_dense(static_cast<size_t>(field))) {
            dense.push_back(l);
        }
    }
    if (dense.empty() && legs.size() == 1) {
        return size_t{0};
    }
    if (!legs.empty() && dense.size() != 1) {
        return Status::Error(Code::kInvalid,
                             "feedback moves the query of one dense leg, there are %zu: say which",
                             dense.size());
    }
    return legs.empty() ? 0 : dense[0];
}

// One query vector, moved by those of the records.
void Move(const Feedback& feedback, const float* query, const std::vector<std::vector<float>>& docs,
          bool unit, size_t dim, float* out) {
    const auto count = static_cast<double>(docs.size());
    std::vector<double> sum(dim, 0);
    const bool average = feedback.kind == Feedback::Kind::kAverage;
    AddVector(query, dim, average ? 1 / (count + 1) : feedback.alpha.value_or(0.4), unit,
              sum.data());
    for (const std::vector<float>& doc : docs) {
        AddVector(doc.data(), dim, average ? 1 / (count + 1) : feedback.beta.value_or(0.6) / count,
                  unit, sum.data());
    }
    for (size_t i = 0; i < dim; i++) {
        out[i] = static_cast<float>(sum[i]);
    }
}

}  // namespace

// The records that move the queries.
Result<std::shared_ptr<const CandidateSets>> MovedRequest::FindRecords(
    Database* database, Snapshot* snapshot, const SearchedViews& views,
    const SearchRequest& request, size_t number, size_t docs, size_t queries, ResultTable* table) {
    ResultTable own;
    QUERN_ASSIGN(auto records, FindCandidates(database, snapshot, views,
                                              FirstSearch(request, *request.feedback, number, docs),
                                              docs, {}, request.budget.get(), &own));
    table->tally.Add(own.tally);
    table->trace.Feedback()->Add(*own.trace.Candidates());
    table->flags |= own.flags & ~1u;
    exact_ = (own.flags & 1u) != 0;
    expected_recall_ = own.tally.expected_recall;
    if (records->size() != queries) {
        return Status::Error(Code::kInternal, "%zu queries have found for %zu", queries,
                             records->size());
    }
    records_ = records;
    return records;
}

Status MovedRequest::MoveVectors(Database* database, Snapshot* snapshot, const SearchedViews& views,
                                 const SearchRequest& request, size_t number, size_t field,
                                 ResultTable* table) {
    const Feedback& feedback = *request.feedback;
    const SearchRequest& leg = request.legs.empty() ? request : request.legs[number].request;
    const DenseDef& def = views.whole->info->schema.dense[field];
    DenseQueries queries;
    QUERN_TRY(TakeDenseQueries(database, snapshot, *views.matching, leg, field, &queries));
    QUERN_ASSIGN(const auto records, FindRecords(database, snapshot, views, request, number,
                                                 DocsOf(feedback), queries.count, table));
    vectors_.resize(queries.count * def.dim);
    Work work = database->NewWork();
    for (size_t q = 0; q < queries.count; q++) {
        // In the order of their places. A record that another leg has found may have no vector.
        std::vector<std::vector<float>> docs((*records)[q].size());
        QUERN_TRY(ReadStoredValues(snapshot, *views.matching, field, (*records)[q],
                                   [&](size_t i, BytesView value) -> Status {
                                       if (value.data() != nullptr) {
                                           docs[i].resize(def.dim);
                                           kernels::ToF32(def.element, value.data(), 1, def.dim,
                                                          docs[i].data());
                                       }
                                       return {};
                                   }));
        std::erase_if(docs, [](const std::vector<float>& doc) { return doc.empty(); });
        float* const out = &vectors_[q * def.dim];
        if (docs.empty()) {
            std::copy_n(queries.f32(q), def.dim, out);
        } else {
            Move(feedback, queries.f32(q), docs, def.metric == Metric::kCosine, def.dim, out);
        }
        size_t bad = 0;
        if (!kernels::AllFinite(Element::kF32, out, 1, def.dim, &bad)) {
            return Status::Error(Code::kNotFinite,
                                 "query %zu: element %zu of the sum is beyond f32", q, bad);
        }
        QUERN_TRY(work.Check("search", q, queries.count));
    }
    return {};
}

Status MovedRequest::Make(Database* database, Snapshot* snapshot, const SearchedViews& views,
                          const SearchRequest& request, ResultTable* table) {
    const Feedback& feedback = *request.feedback;
    const Schema& schema = views.whole->info->schema;
    QUERN_ASSIGN(const size_t number, LegToMove(schema, request));
    const SearchRequest& leg = request.legs.empty() ? request : request.legs[number].request;
    const int found = schema.FindField(leg.field);
    if (found < 0) {
        return Status::Error(Code::kUnknownField, "collection '%s' has no field '%s'",
                             views.whole->info->name.c_str(), leg.field.c_str());
    }
    const auto field = static_cast<size_t>(found);
    const bool dense = schema.is_dense(field);
    if (!leg.by_key && leg.kind() != std::string_view(schema.field_kind(field))) {
        return Status::Error(Code::kType, "field '%s' is %s, the query has %s queries",
                             leg.field.c_str(), schema.field_kind(field), leg.kind());
    }
    if ((dense && schema.dense[field].element == Element::kBit) ||
        (schema.is_text(field) && leg.by_key)) {
        return Status::Error(Code::kType,
                             "feedback moves vectors of numbers and texts, field '%s' has none",
                             leg.field.c_str());
    }
    if (dense && feedback.terms != Feedback().terms) {
        return Status::Error(Code::kInvalid,
                             "feedback has terms=%zu, field '%s' is dense: its queries have none",
                             feedback.terms, leg.field.c_str());
    }
    if (dense) {
        QUERN_TRY(MoveVectors(database, snapshot, views, request, number, field, table));
    } else {
        QUERN_ASSIGN(const auto records, FindRecords(database, snapshot, views, request, number,
                                                     TermDocsOf(feedback), QueryCount(leg), table));
        QUERN_TRY(MoveTerms(database, snapshot, views, leg, field, feedback, *records, &terms_));
    }
    moved_ = request;
    moved_.feedback.reset();
    SearchRequest& second = moved_.legs.empty() ? moved_ : moved_.legs[number].request;
    if (dense) {
        second.moved = vectors_.data();
    } else if (schema.is_text(field)) {
        second.moved_texts = &terms_.texts;
    } else {
        second.moved_sparse = &terms_.sparse;
    }
    for (size_t l = 0; l < moved_.legs.size(); l++) {
        moved_.legs[l].weight = WeightOf(request, l) * (l == number ? 1 : feedback.after);
    }
    moved_.fusion.weights.clear();
    SearchBudget* const budget = request.budget.get();
    if (budget != nullptr && budget->NothingToRead()) {
        // Of what there was to read nothing is left to look for others.
        moved_.among = records_;
        budget->LeftOut(kSpentBytes);
    }
    return {};
}

void MovedRequest::Finish(ResultTable* table) const {
    if (!exact_) {
        table->flags &= ~1u;
        table->tally.expected_recall = std::min(table->tally.expected_recall, expected_recall_);
    }
}

}  // namespace quern
