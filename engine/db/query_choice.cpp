#include "engine/db/query_choice.h"

#include <algorithm>

#include "storage/base/bytes.h"
#include "storage/base/hash.h"

namespace quern {

size_t QueryCount(const SearchRequest& request) {
    if (!request.legs.empty()) {
        return QueryCount(request.legs[0].request);
    }
    return request.is_composed                         ? request.composed.count
           : request.by_key                            ? request.keys.size()
           : request.is_sparse                         ? request.sparse.count
           : request.is_text || request.is_sparse_text ? request.texts.size()
                                                       : request.count;
}

namespace {

// All that was added, in one number.
class Mark {
public:
    void Add(const void* data, size_t size) { hash_ = Hash64(data, size, MixSeed(hash_, size)); }
    void Add(std::string_view text) { Add(text.data(), text.size()); }
    void Add(uint64_t number) { Add(&number, sizeof(number)); }
    void Add(double number) { Add(&number, sizeof(number)); }
    uint64_t hash() const { return hash_; }

private:
    uint64_t hash_ = 0;
};

void AddTo(Mark* mark, const ComposedQueries& composed) {
    for (const QueryTerm& term : composed.terms) {
        if (term.query == 0) {
            mark->Add(term.weight);
            mark->Add(term.stored ? term.key.ToString() : std::string());
            mark->Add(term.vector.data(), term.vector.size() * sizeof(float));
        }
    }
}

void AddTo(Mark* mark, const SparseInput& sparse) {
    const size_t first = sparse.offsets[0];
    if (sparse.offsets[1] <= first || sparse.dimensions == nullptr) {
        return;  // nobody has looked yet whether it is right
    }
    const size_t entries = sparse.offsets[1] - first;
    mark->Add(sparse.dimensions + first, entries * sizeof(uint32_t));
    if (sparse.weights != nullptr) {
        mark->Add(sparse.weights + first, entries * sizeof(float));
    }
}

void AddTo(Mark* mark, const SearchRequest& request) {
    mark->Add(request.field);
    if (request.candidates != nullptr) {
        AddTo(mark, *request.candidates);
    }
    mark->Add(uint64_t{request.legs.size()});
    for (size_t l = 0; l < request.legs.size(); l++) {
        mark->Add(WeightOf(request, l));
        AddTo(mark, request.legs[l].request);
    }
    if (!request.legs.empty()) {
        mark->Add(static_cast<uint64_t>(request.fusion.kind));
        mark->Add(static_cast<uint64_t>(request.fusion.normalization));
        mark->Add(request.formula.text);
    } else if (request.is_composed) {
        AddTo(mark, request.composed);
    } else if (request.by_key && !request.keys.empty()) {
        mark->Add(request.keys[0].ToString());
    } else if (!request.texts.empty()) {
        mark->Add(request.texts[0]);
    } else if (request.is_sparse && request.sparse.count > 0) {
        AddTo(mark, request.sparse);
    } else if (request.vectors != nullptr && request.count > 0) {
        mark->Add(request.vectors, request.is_f32 ? request.dim * sizeof(float)
                                                  : VectorBytes(request.element, request.dim));
    }
}

}  // namespace

uint64_t MarkOf(const SearchRequest& request) {
    Mark mark;
    mark.Add(request.collection);
    AddTo(&mark, request);
    return mark.hash();
}

template <typename T>
void QueryChoice::TakeEach(const std::vector<T>& all, std::vector<T>* out) const {
    out->clear();
    for (const size_t query : chosen_) {
        out->push_back(all[query]);
    }
}

Status QueryChoice::Take(const SearchRequest& request, SearchRequest* out) {
    *out = request;
    if (chosen_.back() >= QueryCount(request)) {
        return Status::Error(Code::kInvalid,
                             "there is no query %zu: a leg or its candidates have %zu",
                             chosen_.back(), QueryCount(request));
    }
    if (request.candidates != nullptr) {
        auto candidates = std::make_shared<SearchRequest>();
        QUERN_TRY(Take(*request.candidates, candidates.get()));
        out->candidates = std::move(candidates);
    }
    for (size_t leg = 0; leg < request.legs.size(); leg++) {
        QUERN_TRY(Take(request.legs[leg].request, &out->legs[leg].request));
    }
    if (!request.legs.empty()) {
        return {};
    }
    if (request.is_composed) {
        TakeComposed(request.composed, &out->composed);
    } else if (request.by_key) {
        TakeEach(request.keys, &out->keys);
    } else if (request.is_text || request.is_sparse_text) {
        TakeEach(request.texts, &out->texts);
    } else if (request.is_sparse) {
        QUERN_TRY(TakeSparse(request.sparse, &out->sparse));
    } else {
        TakeVectors(request, out);
    }
    return {};
}

void QueryChoice::TakeComposed(const ComposedQueries& all, ComposedQueries* out) const {
    out->count = chosen_.size();
    out->terms.clear();
    for (const QueryTerm& term : all.terms) {
        const auto place = std::lower_bound(chosen_.begin(), chosen_.end(), term.query);
        if (place != chosen_.end() && *place == term.query) {
            out->terms.push_back(term);
            out->terms.back().query = static_cast<size_t>(place - chosen_.begin());
        }
    }
}

void QueryChoice::TakeVectors(const SearchRequest& request, SearchRequest* out) {
    const size_t bytes =
        request.is_f32 ? request.dim * sizeof(float) : VectorBytes(request.element, request.dim);
    std::vector<char>& rows = rows_.emplace_back(chosen_.size() * bytes);
    for (size_t i = 0; i < chosen_.size(); i++) {
        std::copy_n(static_cast<const char*>(request.vectors) + chosen_[i] * bytes, bytes,
                    rows.data() + i * bytes);
    }
    out->vectors = rows.data();
    out->count = chosen_.size();
}

Status QueryChoice::TakeSparse(const SparseInput& all, SparseInput* out) {
    std::vector<size_t>& offsets = offsets_.emplace_back(1, size_t{0});
    std::vector<uint32_t>& dimensions = dimensions_.emplace_back();
    std::vector<float>& weights = weights_.emplace_back();
    for (const size_t query : chosen_) {
        const size_t first = all.offsets[query];
        const size_t end = all.offsets[query + 1];
        if (end < first) {
            return Status::Error(Code::kInvalid, "query %zu: offsets go down", query);
        }
        if (end > first && all.dimensions == nullptr) {
            return Status::Error(Code::kMisuse, "there are entries, but dims is NULL");
        }
        for (size_t i = first; i < end; i++) {
            dimensions.push_back(all.dimensions[i]);
            weights.push_back(all.weights == nullptr ? 1.0f : all.weights[i]);
        }
        offsets.push_back(dimensions.size());
    }
    *out = {all.name, chosen_.size(), offsets.data(), dimensions.data(), weights.data(), nullptr};
    return {};
}

}  // namespace quern
