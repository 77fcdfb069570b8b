#include "engine/db/term_feedback.h"

#include <algorithm>
#include <cmath>

#include "engine/db/sparse_queries.h"
#include "engine/db/stored_distances.h"
#include "engine/db/text_column.h"

namespace quern {

namespace {

using TextTerms = std::map<std::string, double>;
using SparseTerms = std::map<uint32_t, double>;

template <typename Term>
double LengthOf(const std::map<Term, double>& terms) {
    double squares = 0;
    for (const auto& [term, weight] : terms) {
        squares += weight * weight;
    }
    return std::sqrt(squares);
}

// What the query itself counts for in the new one.
double OwnShare(const Feedback& feedback, size_t docs) {
    return feedback.kind == Feedback::Kind::kAverage ? 1 / static_cast<double>(docs + 1)
                                                     : feedback.alpha.value_or(1);
}

class TermMover {
public:
    TermMover(Database* database, Snapshot* snapshot, const SearchedViews& views,
              const SearchRequest& request, size_t field, const Feedback& feedback)
        : database_(database),
          snapshot_(snapshot),
          views_(views),
          request_(request),
          field_(field),
          feedback_(feedback),
          work_(database->NewWork()) {}

    Status MoveSparse(const std::vector<std::vector<RecordPlace>>& records,
                      std::vector<sparse::SparseVector>* moved) {
        const SparseDef& def = views_.whole->info->schema.sparse_field(field_);
        SparseQueries queries;
        FileReads unused;  // the first search has counted it
        QUERN_TRY(TakeSparseQueries(database_, snapshot_, *views_.whole, request_, field_, &unused,
                                    &queries));
        *moved = std::move(queries.vectors);
        for (size_t q = 0; q < moved->size(); q++) {
            std::vector<SparseTerms> docs;
            QUERN_TRY(ReadStoredValues(snapshot_, *views_.matching, field_, records[q],
                                       [&](size_t, BytesView value) -> Status {
                                           docs.push_back(TermsOfValue(value));
                                           return {};
                                       }));
            std::erase_if(docs, [](const SparseTerms& doc) { return doc.empty(); });
            const Status status = MoveOne(def, docs, &(*moved)[q]);
            if (!status.ok()) {
                return Status(status).WithContext("query " + std::to_string(q) +
                                                  ", moved by feedback");
            }
            QUERN_TRY(work_.Check("search", q, moved->size()));
        }
        return {};
    }

    Status MoveTexts(const std::vector<std::vector<RecordPlace>>& records,
                     std::vector<sparse::TextQuery>* moved) {
        const TextDef& def = views_.whole->info->schema.text_field(field_);
        QUERN_ASSIGN(const AnalyzerPool::Lease analyzer, database_->analyzers()->Take(def));
        for (size_t q = 0; q < request_.texts.size(); q++) {
            QUERN_ASSIGN(sparse::TextQuery query,
                         sparse::ParseTextQuery(request_.texts[q], analyzer.get()));
            std::vector<TextTerms> docs;
            QUERN_TRY(WeighTexts(analyzer.get(), records[q], &docs));
            MoveWords(docs, &query);
            moved->push_back(std::move(query));
            QUERN_TRY(work_.Check("search", q, request_.texts.size()));
        }
        return {};
    }

private:
    static SparseTerms TermsOfValue(BytesView value) {
        SparseTerms terms;
        if (value.data() != nullptr) {
            for (const sparse::SparseEntry& entry : SparseVectorOf(value)) {
                terms[entry.dimension] = static_cast<double>(entry.weight);
            }
        }
        return terms;
    }

    Status MoveOne(const SparseDef& def, const std::vector<SparseTerms>& docs,
                   sparse::SparseVector* query) const {
        if (docs.empty()) {
            return {};
        }
        SparseTerms sum;
        for (const sparse::SparseEntry& entry : *query) {
            sum[entry.dimension] = static_cast<double>(entry.weight);
        }
        const double length = LengthOf(sum);
        for (auto& [dimension, weight] : sum) {
            weight *= OwnShare(feedback_, docs.size());
        }
        for (const auto& [dimension, weight] : TermsOf(feedback_, length, docs)) {
            sum[dimension] += weight;
        }
        std::vector<uint32_t> dimensions;
        std::vector<float> weights;
        for (const auto& [dimension, weight] : sum) {
            dimensions.push_back(dimension);
            weights.push_back(static_cast<float>(weight));
        }
        return sparse::MakeSparseVector(dimensions.data(), weights.data(), weights.size(),
                                        {def.dimensions}, query);
    }

    // What the words of each text add to a score.
    Status WeighTexts(sparse::TextAnalyzer* analyzer, const std::vector<RecordPlace>& records,
                      std::vector<TextTerms>* docs) {
        std::map<std::string, bool> words;
        std::vector<sparse::TextTerm> terms;
        QUERN_TRY(ReadStoredValues(
            snapshot_, *views_.matching, field_, records, [&](size_t, BytesView value) -> Status {
                if (value.data() != nullptr) {
                    QUERN_TRY(analyzer->Analyze({value.data(), value.size()}, &terms));
                    for (sparse::TextTerm& term : terms) {
                        words.emplace(std::move(term.term), true);
                    }
                }
                return {};
            }));
        std::vector<sparse::TextQuery> all(1);
        for (const auto& [word, unused] : words) {
            sparse::TextClause clause;
            clause.terms = {word};
            clause.positions = {0};
            all[0].clauses.push_back(std::move(clause));
        }
        SearchRequest request;
        request.collection = request_.collection;
        request.field = request_.field;
        request.is_text = true;
        request.texts = {""};
        request.moved_texts = &all;
        ResultTable unused;
        QUERN_ASSIGN(const auto search,
                     OpenFieldSearch(database_, snapshot_, views_, request, &unused));
        for (const RecordPlace& record : records) {
            ExplainedScore score;
            QUERN_TRY(search->Explain(0, record, &score));
            TextTerms doc;
            for (const ScorePart& part : score.parts) {
                doc[part.term] = part.adds;
            }
            if (!doc.empty()) {
                docs->push_back(std::move(doc));
            }
        }
        return {};
    }

    void MoveWords(const std::vector<TextTerms>& docs, sparse::TextQuery* query) const {
        if (docs.empty()) {
            return;
        }
        size_t count = 0;
        for (sparse::TextClause& clause : query->clauses) {
            count += clause.occur == sparse::TextOccur::kMustNot ? 0 : 1;
            // A clause that must be there may count for nothing, but is no clause without a boost.
            clause.boost = std::max(clause.boost * OwnShare(feedback_, docs.size()),
                                    std::numeric_limits<double>::min());
        }
        const double length = std::sqrt(static_cast<double>(count));
        for (const auto& [word, weight] : TermsOf(feedback_, length, docs)) {
            const auto known = std::find_if(
                query->clauses.begin(), query->clauses.end(), [&word = word](const auto& clause) {
                    return !clause.is_prefix && clause.terms.size() == 1 &&
                           clause.terms[0] == word && clause.occur != sparse::TextOccur::kMustNot;
                });
            if (known != query->clauses.end()) {
                known->boost += weight;
            } else if (weight > 0) {
                sparse::TextClause clause;
                clause.terms = {word};
                clause.positions = {0};
                clause.boost = weight;
                query->clauses.push_back(std::move(clause));
            }
        }
    }

    Database* database_;
    Snapshot* snapshot_;
    const SearchedViews& views_;
    const SearchRequest& request_;
    size_t field_;
    const Feedback& feedback_;
    Work work_;
};

}  // namespace

size_t TermDocsOf(const Feedback& feedback) {
    return feedback.docs.value_or(feedback.kind == Feedback::Kind::kAverage ? 3 : 10);
}

template <typename Term>
std::map<Term, double> TermsOf(const Feedback& feedback, double length,
                               const std::vector<std::map<Term, double>>& docs) {
    std::map<Term, double> sum;
    for (const auto& doc : docs) {
        const double of_doc = LengthOf(doc);
        for (const auto& [term, weight] : doc) {
            sum[term] += of_doc > 0 ? weight / of_doc : 0;
        }
    }
    std::vector<std::pair<double, Term>> heaviest;
    for (const auto& [term, weight] : sum) {
        heaviest.emplace_back(-std::abs(weight), term);
    }
    std::sort(heaviest.begin(), heaviest.end());
    for (size_t i = feedback.terms; i < heaviest.size(); i++) {
        sum.erase(heaviest[i].second);
    }
    const double all = LengthOf(sum);
    const double factor = feedback.kind == Feedback::Kind::kAverage
                              ? length / static_cast<double>(docs.size() + 1)
                          : all > 0 ? feedback.beta.value_or(0.75) * length / all
                                    : 0;
    for (auto& [term, weight] : sum) {
        weight *= factor;
    }
    return sum;
}

template std::map<uint32_t, double> TermsOf(const Feedback&, double,
                                            const std::vector<std::map<uint32_t, double>>&);
template std::map<std::string, double> TermsOf(const Feedback&, double,
                                               const std::vector<std::map<std::string, double>>&);

Status MoveTerms(Database* database, Snapshot* snapshot, const SearchedViews& views,
                 const SearchRequest& request, size_t field, const Feedback& feedback,
                 const std::vector<std::vector<RecordPlace>>& records, MovedTerms* moved) {
    TermMover mover(database, snapshot, views, request, field, feedback);
    return views.whole->info->schema.is_text(field) ? mover.MoveTexts(records, &moved->texts)
                                                    : mover.MoveSparse(records, &moved->sparse);
}

}  // namespace quern
