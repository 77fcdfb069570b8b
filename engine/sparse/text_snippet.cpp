#include "engine/sparse/text_snippet.h"

#include <algorithm>
#include <unordered_map>

namespace quern::sparse {
namespace {

// A clause in the terms of a text: the first and the last of them.
struct Match {
    size_t first = 0;
    size_t last = 0;
    size_t clause = 0;
};

bool IsPrefixOf(const std::string& prefix, const std::string& term) {
    return term.compare(0, prefix.size(), prefix) == 0;
}

// Follows a phrase from the term `first` on; the index of its last term, or npos. Positions ascend,
// so terms are looked for ahead only.
size_t FollowPhrase(const std::vector<TextTerm>& terms, size_t first, const TextClause& clause) {
    size_t at = first;
    for (size_t i = 1; i < clause.terms.size(); i++) {
        const uint32_t position = terms[first].position + clause.positions[i];
        while (at < terms.size() && terms[at].position < position) {
            at++;
        }
        if (at == terms.size() || terms[at].position != position ||
            terms[at].term != clause.terms[i]) {
            return std::string::npos;
        }
    }
    return at;
}

// All matches, by their first term.
Result<std::vector<Match>> FindMatches(const std::vector<TextTerm>& terms, const TextQuery& query,
                                       Work* work) {
    std::unordered_map<std::string, std::vector<size_t>> by_first;
    std::vector<size_t> prefixes;
    for (size_t c = 0; c < query.clauses.size(); c++) {
        const TextClause& clause = query.clauses[c];
        if (clause.occur == TextOccur::kMustNot || clause.terms.empty()) {
            continue;
        }
        if (clause.is_prefix) {
            prefixes.push_back(c);
            for (const std::string& synonym : clause.synonyms) {
                by_first[synonym].push_back(c);
            }
        } else {
            by_first[clause.terms[0]].push_back(c);
        }
    }
    std::vector<Match> matches;
    for (size_t i = 0; i < terms.size(); i++) {
        if (i % 256 == 0) {
            QUERN_TRY(work->Check("text highlights", i, terms.size()));
        }
        for (const size_t c : prefixes) {
            if (IsPrefixOf(query.clauses[c].terms[0], terms[i].term)) {
                matches.push_back({i, i, c});
            }
        }
        const auto found = by_first.find(terms[i].term);
        if (found == by_first.end()) {
            continue;
        }
        for (const size_t c : found->second) {
            const size_t last = FollowPhrase(terms, i, query.clauses[c]);
            if (last != std::string::npos) {
                matches.push_back({i, last, c});
            }
        }
    }
    return matches;
}

// Spans of the matches that lie among terms first .. last, those that overlap joined.
std::vector<TextSpan> Marks(const std::vector<TextTerm>& terms, const std::vector<Match>& matches,
                            size_t first, size_t last) {
    std::vector<TextSpan> marks;
    for (const Match& match : matches) {
        if (match.first < first || match.last > last) {
            continue;
        }
        const TextSpan span{terms[match.first].begin, terms[match.last].end};
        if (!marks.empty() && span.begin < marks.back().end) {
            marks.back().end = std::max(marks.back().end, span.end);
        } else {
            marks.push_back(span);
        }
    }
    return marks;
}

// The first term of the best piece: one that begins with a match, as a later begin loses nothing.
size_t BestPiece(const std::vector<Match>& matches, size_t tokens, size_t clauses) {
    std::vector<uint32_t> in_piece(clauses);
    size_t different = 0;
    size_t end = 0;
    std::pair<size_t, size_t> best{0, 0};  // different clauses, matches
    size_t best_first = 0;
    for (size_t begin = 0; begin < matches.size(); begin++) {
        while (end < matches.size() && matches[end].first - matches[begin].first < tokens) {
            different += in_piece[matches[end++].clause]++ == 0 ? 1 : 0;
        }
        const std::pair<size_t, size_t> here{different, end - begin};
        if (here > best) {
            best = here;
            best_first = matches[begin].first;
        }
        different -= --in_piece[matches[begin].clause] == 0 ? 1 : 0;
    }
    return best_first;
}

}  // namespace

Result<std::vector<TextSpan>> FindHighlights(std::string_view text, const TextQuery& query,
                                             TextAnalyzer* analyzer, Work* work) {
    std::vector<TextTerm> terms;
    QUERN_TRY(analyzer->Analyze(text, &terms));
    QUERN_ASSIGN(const std::vector<Match> matches, FindMatches(terms, query, work));
    return Marks(terms, matches, 0, terms.size());
}

Result<TextSnippet> MakeSnippet(std::string_view text, const TextQuery& query, size_t tokens,
                                TextAnalyzer* analyzer, Work* work) {
    if (tokens == 0) {
        return Status::Error(Code::kInvalid, "text snippet: of no words");
    }
    std::vector<TextTerm> terms;
    QUERN_TRY(analyzer->Analyze(text, &terms));
    TextSnippet snippet;
    if (terms.empty()) {
        return snippet;
    }
    QUERN_ASSIGN(const std::vector<Match> matches, FindMatches(terms, query, work));
    // Words before the first mark say what it is about: a quarter of the piece, as far as no match
    // is lost at its end.
    const size_t wanted = BestPiece(matches, tokens, query.clauses.size());
    size_t last_match = wanted;
    for (const Match& match : matches) {
        if (match.first >= wanted && match.first - wanted < tokens) {
            last_match = std::max(last_match, std::min(match.last, wanted + tokens - 1));
        }
    }
    const size_t spare = tokens - (last_match - wanted + 1);
    const size_t first = wanted - std::min({wanted, spare, tokens / 4});
    const size_t last = std::min(terms.size() - first, tokens) - 1 + first;
    snippet.piece = {terms[first].begin, terms[last].end};
    snippet.marks = Marks(terms, matches, first, last);
    return snippet;
}

}  // namespace quern::sparse
