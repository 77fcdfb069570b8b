// Queries that are made of others: sums of vectors and stored records, and queries that the records
// of a first search move.
#include <charconv>
#include <cmath>

#include "capi/handles.h"

using namespace quern;
using namespace quern::capi;

namespace {

// Terms of all queries of a search; each is kept until it runs.
constexpr size_t kTermsMax = 1048576;
constexpr size_t kComposedMax = 1048576;
constexpr int64_t kTermsOfDocsMax = 1000;  // words that feedback adds; each is a list to be read
constexpr int64_t kDocsMax = 1000;  // records that move a query; more would be a mean of everything

Status ParseReal(const Option& option, double least, double most, const char* form,
                 double* number) {
    const char* end = option.value.data() + option.value.size();
    const auto parsed = std::from_chars(option.value.data(), end, *number);
    return parsed.ec == std::errc() && parsed.ptr == end && *number >= least && *number <= most
               ? Status()
               : BadValue(option, form);
}

Status ParseCompose(const char* options, ComposedQueries* composed) {
    std::vector<Option> list;
    QUERN_TRY(ParseOptions(options, {"terms", "scale"}, &list));
    for (const Option& option : list) {
        if (option.key == "terms") {
            if (option.value != "unit" && option.value != "raw") {
                return BadValue(option, "unit or raw");
            }
            composed->unit_terms = option.value == "unit";
        } else if (option.value == "none") {
            composed->scale = ComposedQueries::Scale::kNone;
        } else if (option.value == "mean") {
            composed->scale = ComposedQueries::Scale::kMean;
        } else if (option.value == "unit") {
            composed->scale = ComposedQueries::Scale::kUnit;
        } else {
            return BadValue(option, "none, mean or unit");
        }
    }
    return {};
}

Status ParseFeedback(const char* options, Feedback* feedback) {
    std::vector<Option> list;
    QUERN_TRY(ParseOptions(
        options, {"kind", "docs", "alpha", "beta", "leg", "before", "after", "terms"}, &list));
    for (const Option& option : list) {
        const char* const form = "a number from 0 to 1000000";
        if (option.key == "kind") {
            if (option.value != "average" && option.value != "rocchio") {
                return BadValue(option, "average or rocchio");
            }
            feedback->kind =
                option.value == "average" ? Feedback::Kind::kAverage : Feedback::Kind::kRocchio;
        } else if (option.key == "docs") {
            int64_t docs = 0;
            QUERN_TRY(ParseInteger(option, 1, kDocsMax, &docs));
            feedback->docs = static_cast<size_t>(docs);
        } else if (option.key == "terms") {
            int64_t terms = 0;
            QUERN_TRY(ParseInteger(option, 1, kTermsOfDocsMax, &terms));
            feedback->terms = static_cast<size_t>(terms);
        } else if (option.key == "leg") {
            int64_t leg = 0;
            QUERN_TRY(ParseInteger(option, 0, 63, &leg));
            feedback->leg = static_cast<size_t>(leg);
        } else {
            double number = 0;
            QUERN_TRY(ParseReal(option, 0, 1e6, form, &number));
            if (option.key == "alpha" || option.key == "beta") {
                (option.key == "alpha" ? feedback->alpha : feedback->beta) = number;
            } else {
                (option.key == "before" ? feedback->before : feedback->after) = number;
            }
        }
    }
    if (feedback->kind == Feedback::Kind::kAverage && (feedback->alpha || feedback->beta)) {
        return Status::Error(Code::kInvalid, "%s goes with kind=rocchio, not with kind=average",
                             feedback->alpha ? "alpha" : "beta");
    }
    if (feedback->alpha && feedback->beta && *feedback->alpha <= 0 && *feedback->beta <= 0) {
        return Status::Error(Code::kInvalid, "alpha=0 and beta=0 leave nothing to look for");
    }
    return {};
}

// The term that make completes becomes one of the query's.
template <typename Make>
void AddTerm(quern_query* q, size_t query, double weight, Make make) {
    if (!IsHandle(q, Magic::kQuery)) {
        return;
    }
    Remember(&q->error, [&]() -> Status {
        ComposedQueries& composed = q->request.composed;
        if (!q->request.is_composed) {
            return Status::Error(Code::kMisuse, "a term needs quern_query_compose before");
        }
        if (query >= composed.count) {
            return Status::Error(Code::kInvalid, "there are %zu queries, there is no number %zu",
                                 composed.count, query);
        }
        if (!std::isfinite(weight)) {
            return Status::Error(Code::kInvalid, "query %zu: the weight of a term is %g", query,
                                 weight);
        }
        if (composed.terms.size() >= kTermsMax) {
            return Status::Error(Code::kLimit, "more than %zu terms", kTermsMax);
        }
        QueryTerm term;
        term.query = query;
        term.weight = weight;
        QUERN_TRY(make(&term));
        composed.terms.push_back(std::move(term));
        return {};
    });
}

}  // namespace

void quern_query_compose(quern_query* q, const char* field, size_t n, const char* options) {
    if (!IsHandle(q, Magic::kQuery)) {
        return;
    }
    Remember(&q->error, [&]() -> Status {
        QUERN_TRY(NotNull(field, "field"));
        if (n > kComposedMax) {
            return Status::Error(Code::kLimit, "%zu queries in one search, the limit is %zu", n,
                                 kComposedMax);
        }
        ComposedQueries composed;
        composed.count = n;
        QUERN_TRY(ParseCompose(options, &composed));
        ForgetTarget(q);
        q->request.field = field;
        q->request.is_composed = true;
        q->request.composed = std::move(composed);
        q->has_target = true;
        return {};
    });
}

void quern_query_term_dense(quern_query* q, size_t query, double weight, const float* vector,
                            size_t dim) {
    AddTerm(q, query, weight, [&](QueryTerm* term) -> Status {
        QUERN_TRY(NotNull(vector, "vector"));
        if (dim > kDimMax) {
            return Status::Error(Code::kDimension, "a term of dimension %zu, the limit is %zu", dim,
                                 static_cast<size_t>(kDimMax));
        }
        term->vector.assign(vector, vector + dim);
        for (size_t i = 0; i < dim; i++) {
            if (!std::isfinite(vector[i])) {
                return Status::Error(Code::kNotFinite,
                                     "query %zu: a term has NaN or infinity at element %zu", query,
                                     i);
            }
        }
        return {};
    });
}

void quern_query_term_key_int(quern_query* q, size_t query, double weight, int64_t key) {
    AddTerm(q, query, weight, [&](QueryTerm* term) -> Status {
        term->stored = true;
        term->key = Key::Int(key);
        return {};
    });
}

void quern_query_term_key_text(quern_query* q, size_t query, double weight, const char* key) {
    AddTerm(q, query, weight, [&](QueryTerm* term) -> Status {
        QUERN_TRY(NotNull(key, "key"));
        term->stored = true;
        term->key = Key::Text(key);
        return {};
    });
}

void quern_query_feedback(quern_query* q, const char* options) {
    if (IsHandle(q, Magic::kQuery)) {
        Remember(&q->error, [&]() -> Status {
            Feedback feedback;
            QUERN_TRY(ParseFeedback(options, &feedback));
            q->request.feedback = feedback;
            return {};
        });
    }
}
