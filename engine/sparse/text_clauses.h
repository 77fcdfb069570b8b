// The records of clauses that are more than a word: a phrase by positions, a prefix by the
// dictionary.
#pragma once

#include <vector>

#include "engine/sparse/text_index.h"
#include "engine/sparse/text_query.h"

namespace quern::sparse {

// By row; occurrences: of all terms that begin so, and of the synonyms.
Result<std::vector<TextPosting>> PrefixPostings(const TextIndex& index, const TextClause& prefix,
                                                Work* work);
// By row; occurrences: at how many positions the phrase begins. kInvalid where the index keeps no
// positions.
Result<std::vector<TextPosting>> PhrasePostings(const TextIndex& index, const TextClause& phrase,
                                                Work* work);

}  // namespace quern::sparse
