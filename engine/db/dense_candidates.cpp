#include "engine/db/dense_candidates.h"

#include <algorithm>

namespace quern {

std::vector<dense::FlatQuery> DenseCandidates::Fresh(std::span<const size_t> numbers) const {
    std::vector<dense::FlatQuery> fresh;
    fresh.reserve(numbers.size());
    for (const size_t q : numbers) {
        dense::FlatQuery& query = fresh.emplace_back(queries[q].limit);
        query.query = queries[q].query;
        query.norm = queries[q].norm;
        query.max_distance = queries[q].max_distance;
    }
    return fresh;
}

void DenseCandidates::Harvest(std::span<const size_t> numbers, uint32_t source,
                              std::vector<dense::FlatQuery>* fresh) {
    for (size_t i = 0; i < numbers.size(); i++) {
        dense::FlatQuery& query = (*fresh)[i];
        std::vector<Candidate>& of_query = found[numbers[i]];
        if (query.limit == 0) {
            for (const auto& [distance, position] : query.all) {
                of_query.push_back({distance, source, position});
            }
            continue;
        }
        for (const auto& entry : query.top.Take()) {
            of_query.push_back({entry.distance, source, entry.position});
        }
    }
}

void DenseCandidates::Tighten() {
    for (size_t q = 0; q < queries.size(); q++) {
        const size_t k = queries[q].limit;
        std::vector<Candidate>& of_query = found[q];
        if (k == 0 || of_query.size() <= k) {
            continue;
        }
        std::nth_element(
            of_query.begin(), of_query.begin() + static_cast<ptrdiff_t>(k - 1), of_query.end(),
            [](const Candidate& a, const Candidate& b) { return a.distance < b.distance; });
        const float worst = of_query[k - 1].distance;
        std::erase_if(of_query, [&](const Candidate& c) { return c.distance > worst; });
        queries[q].max_distance = std::min(queries[q].max_distance, worst);
    }
}

}  // namespace quern
