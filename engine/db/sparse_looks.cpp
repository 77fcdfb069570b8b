#include "engine/db/sparse_looks.h"

#include <algorithm>
#include <limits>

#include "engine/db/segment.h"
#include "engine/sparse/sparse_index.h"

namespace quern {

namespace {

// Whether there is a dimension that both have: a score of 0 does not tell.
bool InCommon(const sparse::SparseVector& a, const sparse::SparseVector& b) {
    return std::any_of(a.begin(), a.end(), [&](const sparse::SparseEntry& of_a) {
        return std::any_of(b.begin(), b.end(), [&](const sparse::SparseEntry& of_b) {
            return of_a.dimension == of_b.dimension;
        });
    });
}

}  // namespace

// NULL: there is none. Every look at a few records asks for it, so it is got once.
Result<const SparsePart*> SparseLooks::PartOf(size_t number) {
    parts_.resize(view_.segments.size());
    std::optional<const SparsePart*>& known = parts_[number];
    Segment& segment = *view_.segments[number];
    if (!known) {
        Segment::SparseState indexed;
        if (segment.info().Find(storage::PartKind::kSparseHead, def_.id) != nullptr) {
            QUERN_TRY(read_([&](storage::Connection* connection) -> Status {
                QUERN_ASSIGN(indexed, segment.SparseIndexOf(connection, def_, work_));
                return {};
            }));
        }
        const bool scores = indexed.part != nullptr && !indexed.part->index().rounded();
        known = scores ? indexed.part : nullptr;
    }
    return *known;
}

Status SparseLooks::ByIndexes(const sparse::SparseVector& query,
                              const std::vector<RecordPlace>& places,
                              std::vector<double>* distances, std::vector<size_t>* others) {
    std::vector<std::vector<size_t>> of_segments(view_.segments.size() + 1);
    for (size_t i = 0; i < places.size(); i++) {
        of_segments[places[i].source].push_back(i);
    }
    *others = of_segments.back();
    sparse::SpacePool::Lease space(spaces_);
    std::vector<uint32_t> rows;
    std::vector<size_t> owners;
    std::vector<double> scores;
    for (size_t s = 0; s < view_.segments.size(); s++) {
        const std::vector<size_t>& here = of_segments[s];
        if (here.empty()) {
            continue;
        }
        QUERN_ASSIGN(const SparsePart* const part, PartOf(s));
        if (part == nullptr) {
            others->insert(others->end(), here.begin(), here.end());
            continue;
        }
        rows.clear();
        owners.clear();
        for (const size_t i : here) {
            (*distances)[i] = std::numeric_limits<double>::quiet_NaN();
            if (const auto row = part->RowOf(places[i].position)) {
                rows.push_back(*row);
                owners.push_back(i);
            }
        }
        scores.resize(rows.size());
        part->index().ScoreRows(query, rows.data(), rows.size(), space.get(), scores.data());
        for (size_t i = 0; i < rows.size(); i++) {
            if (scores[i] != 0 || InCommon(query, part->index().Row(rows[i]))) {
                (*distances)[owners[i]] = 0 - scores[i];
            }
        }
    }
    return {};
}

}  // namespace quern
