#include "engine/sparse/text_snippet.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <unordered_map>

namespace quern::sparse {
namespace {

// What begins at a term of a text: all clauses that are this one term, or phrases that are the
// same. A text says few different words over and over, so that what matches them is known once.
struct Group {
    std::vector<size_t> clauses;
};
struct Match {
    size_t first = 0;  // the first and the last of its terms
    size_t last = 0;
    size_t group = 0;
};
struct Matches {
    std::vector<Group> groups;
    std::vector<Match> all;  // by their first term
};

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

// What of a query begins at a term.
class TermGroups {
public:
    explicit TermGroups(const TextQuery& query) : query_(query) {
        std::map<std::pair<std::vector<std::string>, std::vector<uint32_t>>, size_t> phrases;
        for (size_t c = 0; c < query.clauses.size(); c++) {
            const TextClause& clause = query.clauses[c];
            if (clause.occur == TextOccur::kMustNot || clause.terms.empty()) {
                continue;
            }
            if (clause.is_prefix) {
                by_prefix_[clause.terms[0]].push_back(c);
                lengths_.insert(clause.terms[0].size());
                for (const std::string& synonym : clause.synonyms) {
                    by_term_[synonym].push_back(c);
                }
            } else if (clause.terms.size() == 1) {
                by_term_[clause.terms[0]].push_back(c);
            } else {
                const auto [place, is_new] =
                    phrases.try_emplace({clause.terms, clause.positions}, groups.size());
                if (is_new) {
                    groups.emplace_back();
                    by_first_[clause.terms[0]].push_back(place->second);
                }
                groups[place->second].clauses.push_back(c);
            }
        }
    }

    struct Begins {
        size_t alone = kNone;         // the group of clauses that are the term
        std::vector<size_t> phrases;  // the groups of those that begin with it
    };
    const Begins& Of(const std::string& term) {
        const auto [place, is_new] = known_.try_emplace(term);
        if (is_new) {
            Learn(term, &place->second);
        }
        return place->second;
    }
    const TextClause& ClauseOf(size_t group) const {
        return query_.clauses[groups[group].clauses[0]];
    }

    static constexpr size_t kNone = std::string::npos;
    std::vector<Group> groups;

private:
    using Lists = std::unordered_map<std::string, std::vector<size_t>>;

    void Learn(const std::string& term, Begins* begins) {
        Group alone;
        const auto add = [&](const Lists& lists, const std::string& name) {
            const auto found = lists.find(name);
            if (found != lists.end()) {
                alone.clauses.insert(alone.clauses.end(), found->second.begin(),
                                     found->second.end());
            }
        };
        for (auto length = lengths_.begin(); length != lengths_.end() && *length <= term.size();
             ++length) {
            add(by_prefix_, term.substr(0, *length));
        }
        add(by_term_, term);
        if (!alone.clauses.empty()) {
            begins->alone = groups.size();
            groups.push_back(std::move(alone));
        }
        const auto phrases = by_first_.find(term);
        if (phrases != by_first_.end()) {
            begins->phrases = phrases->second;
        }
    }

    const TextQuery& query_;
    Lists by_prefix_, by_term_, by_first_;
    std::set<size_t> lengths_;  // of prefixes
    std::unordered_map<std::string, Begins> known_;
};

Result<Matches> FindMatches(const std::vector<TextTerm>& terms, const TextQuery& query,
                            Work* work) {
    TermGroups groups(query);
    Matches matches;
    for (size_t i = 0; i < terms.size(); i++) {
        if (i % 256 == 0) {
            QUERN_TRY(work->Check("text highlights", i, terms.size()));
        }
        const TermGroups::Begins& begins = groups.Of(terms[i].term);
        if (begins.alone != TermGroups::kNone) {
            matches.all.push_back({i, i, begins.alone});
        }
        for (const size_t group : begins.phrases) {
            const size_t last = FollowPhrase(terms, i, groups.ClauseOf(group));
            if (last != std::string::npos) {
                matches.all.push_back({i, last, group});
            }
        }
    }
    matches.groups = std::move(groups.groups);
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

// Counts what a piece has of a query, as it moves over the text.
class PieceCount {
public:
    PieceCount(const std::vector<Group>& groups, size_t clauses)
        : groups_(groups), of_group_(groups.size()), of_clause_(clauses) {}
    void Add(const Match& match) {
        const std::vector<size_t>& clauses = groups_[match.group].clauses;
        matches_ += clauses.size();
        if (of_group_[match.group]++ == 0) {
            for (const size_t c : clauses) {
                different_ += of_clause_[c]++ == 0 ? 1 : 0;
            }
        }
    }
    void Remove(const Match& match) {
        const std::vector<size_t>& clauses = groups_[match.group].clauses;
        matches_ -= clauses.size();
        if (--of_group_[match.group] == 0) {
            for (const size_t c : clauses) {
                different_ -= --of_clause_[c] == 0 ? 1 : 0;
            }
        }
    }
    // Of its clauses how many are different, and how often they are there.
    std::pair<size_t, size_t> Count() const { return {different_, matches_}; }

private:
    const std::vector<Group>& groups_;
    std::vector<uint32_t> of_group_;
    std::vector<uint32_t> of_clause_;  // groups that are there
    size_t different_ = 0;
    size_t matches_ = 0;
};

// The first term of the best piece: one that begins with a match, as a later begin loses nothing.
size_t BestPiece(const Matches& matches, size_t tokens, size_t clauses) {
    const std::vector<Match>& all = matches.all;
    // A phrase counts where all of it is in the piece; one that is longer counts nowhere.
    std::vector<Match> ends;
    std::copy_if(all.begin(), all.end(), std::back_inserter(ends),
                 [&](const Match& match) { return match.last - match.first < tokens; });
    std::stable_sort(ends.begin(), ends.end(),
                     [](const Match& a, const Match& b) { return a.last < b.last; });
    PieceCount piece(matches.groups, clauses);
    size_t end = 0;
    std::pair<size_t, size_t> best{0, 0};
    size_t best_first = all.empty() ? 0 : all[0].first;
    for (const Match& begin : all) {
        if (begin.last - begin.first >= tokens) {
            continue;
        }
        while (end < ends.size() && ends[end].last < begin.first + tokens) {
            piece.Add(ends[end++]);
        }
        if (piece.Count() > best) {
            best = piece.Count();
            best_first = begin.first;
        }
        piece.Remove(begin);
    }
    return best_first;
}

}  // namespace

Result<std::vector<TextSpan>> FindHighlights(std::string_view text, const TextQuery& query,
                                             TextAnalyzer* analyzer, Work* work) {
    std::vector<TextTerm> terms;
    QUERN_TRY(analyzer->Analyze(text, &terms));
    QUERN_ASSIGN(const Matches matches, FindMatches(terms, query, work));
    return Marks(terms, matches.all, 0, terms.size());
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
    QUERN_ASSIGN(const Matches matches, FindMatches(terms, query, work));
    // Words before the first mark say what it is about: a quarter of the piece, as far as no match
    // is lost at its end.
    const size_t wanted = BestPiece(matches, tokens, query.clauses.size());
    size_t last_match = wanted;
    for (const Match& match : matches.all) {
        if (match.first >= wanted && match.last - wanted < tokens) {
            last_match = std::max(last_match, match.last);
        }
    }
    const size_t spare = tokens - (last_match - wanted + 1);
    // Near the end of the text there are more words before than behind.
    const size_t full = terms.size() - std::min(terms.size(), tokens);
    const size_t first = std::min(full, wanted - std::min({wanted, spare, tokens / 4}));
    const size_t last = std::min(terms.size() - first, tokens) - 1 + first;
    snippet.piece = {terms[first].begin, terms[last].end};
    snippet.marks = Marks(terms, matches.all, first, last);
    return snippet;
}

}  // namespace quern::sparse
