// The queries of a search of a dense field, with what each has found so far in one source of
// records after the other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/db/index_search.h"
#include "engine/dense/flat.h"

namespace quern {

struct DenseCandidates {
    // The bound of each is that of the request, or the tighter one that what was found allows. What
    // they find themselves is unused: each piece of work has fresh ones.
    std::vector<dense::FlatQuery> queries;
    std::vector<std::vector<Candidate>> found;  // of each query, in no order

    // Those of these numbers, with the bounds that earlier sources have reached, and without
    // anything found.
    std::vector<dense::FlatQuery> Fresh(std::span<const size_t> numbers) const;
    // Takes over what fresh queries of these numbers have found in a source.
    void Harvest(std::span<const size_t> numbers, uint32_t source,
                 std::vector<dense::FlatQuery>* fresh);
    // Before another source: keeps what can still be in the result, ties at the end included, and
    // tightens the bound of what follows.
    void Tighten();
};

}  // namespace quern
