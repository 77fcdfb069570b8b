#include "tests/sessions/model_questions.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "tests/sessions/record_rows.h"
#include "tests/sessions/violation.h"

namespace sessions {
namespace {

struct Found {
    double score;
    int64_t key;
};
using Scorer = std::function<std::optional<double>(const Record&)>;

// All that match, the best first, equal ones by key.
std::vector<Found> FindAll(const State& state, const Filter& filter, const Scorer& scorer) {
    std::vector<Found> found;
    for (const auto& [key, record] : state.records) {
        if (filter.matches(key, *record)) {
            if (const auto score = scorer(*record); score && *score != -INFINITY) {
                found.push_back({*score, key});
            }
        }
    }
    std::stable_sort(found.begin(), found.end(),
                     [](const Found& a, const Found& b) { return a.score > b.score; });
    return found;
}

// A query, and its result; both are freed.
struct Search {
    explicit Search(const Ground& ground) : query(quern_query_new(ground.db, "docs")) {
        if (ground.snapshot != nullptr) {
            quern_query_snapshot(query, ground.snapshot);
        }
    }
    ~Search() {
        quern_result_free(result);
        quern_query_free(query);
    }
    Search(const Search&) = delete;
    Search& operator=(const Search&) = delete;
    void SetFilter(const Filter& filter) {
        if (!filter.text.empty()) {
            quern_query_filter(query, filter.text.c_str());
        }
    }
    void Run() { Ok(quern_search(query, &result, err), err, "quern_search"); }
    size_t rows() const { return quern_result_rows(result); }

    struct Error : quern_error {
        Error() : quern_error(QUERN_ERROR_INIT) {}
        operator quern_error*() { return this; }
    };
    Error err;
    quern_query* query;
    quern_result* result = nullptr;
};

Filter MaybeFilter(Random& random) {
    return Pick(random, 0, 1) == 0 ? Filter() : RandomFilter(random);
}

// slack: how far scores may be off, where they are rounded otherwise than here; then the order of
// nearly equal ones is open.
void CompareHits(const Search& search, size_t query, const std::vector<Found>& want, size_t k,
                 double slack, const std::string& what) {
    const size_t first = quern_result_offset(search.result, query);
    const size_t rows = quern_result_offset(search.result, query + 1) - first;
    const auto fail = [&](size_t i) {
        std::ostringstream text;
        text.precision(17);
        text << what << ": hit " << i << " of " << rows << ", wanted " << std::min(k, want.size())
             << ": ";
        if (i < rows) {
            text << "key " << quern_result_key_int(search.result, first + i) << " score "
                 << quern_result_score(search.result, first + i);
        }
        if (i < want.size()) {
            text << ", wanted key " << want[i].key << " score " << want[i].score;
        }
        throw Violation(text.str());
    };
    if (rows != std::min(k, want.size())) {
        fail(rows);
    }
    for (size_t i = 0; i < rows; i++) {
        const int64_t key = quern_result_key_int(search.result, first + i);
        const auto score = static_cast<double>(quern_result_score(search.result, first + i));
        if (slack == 0 ? key != want[i].key || quern_result_score(search.result, first + i) !=
                                                   static_cast<float>(want[i].score)
                       : std::abs(score - want[i].score) > slack) {
            fail(i);
        }
        if (key != want[i].key && std::none_of(want.begin(), want.end(), [&](const Found& found) {
                return found.key == key && std::abs(found.score - want[i].score) <= 2 * slack;
            })) {
            fail(i);
        }
    }
    Want((quern_result_flags(search.result) & QUERN_FLAG_PARTIAL) == 0, what + ": partial");
}

// Legs and single searches: what is looked for in a field.
struct Aim {
    size_t field;  // of kDense, then of kSparse, then the text
    std::vector<float> vector;
    Terms terms;
    std::vector<size_t> words;
    // Borrowed by the query.
    std::vector<uint32_t> dims;
    std::vector<float> weights;
    size_t offsets[2] = {0, 0};

    Aim(Random& random, size_t in) : field(in) {
        if (field < kDenseFields) {
            vector = RandomVector(random, field);
        } else if (field < kDenseFields + kSparseFields) {
            terms = RandomTerms(random, field - kDenseFields, 4);
            for (const auto& [dimension, weight] : terms) {
                dims.push_back(dimension);
                weights.push_back(weight);
            }
            offsets[1] = dims.size();
            dims.push_back(0);  // never an empty array
            weights.push_back(0);
        } else {
            words = RandomWords(random, 1, 3);
        }
    }
    void Set(quern_query* query) const {
        if (field < kDenseFields) {
            quern_query_dense(query, kDense[field].name, vector.data(), 1, vector.size());
        } else if (field < kDenseFields + kSparseFields) {
            quern_query_sparse(query, kSparse[field - kDenseFields], offsets, dims.data(),
                               weights.data(), 1);
        } else {
            const std::string text = TextOf(words);
            const char* const pointer = text.c_str();
            quern_query_text(query, "body", &pointer, 1);
        }
    }
    std::optional<double> Score(const WordCounts& counts, const Record& record) const {
        return field < kDenseFields ? DenseScore(field, vector, record)
               : field < kDenseFields + kSparseFields
                   ? SparseScore(field - kDenseFields, terms, record)
                   : TextScore(words, counts, record);
    }
    bool Far() const { return field == kNear || field == kBits; }  // 0 is the best score
};

void AskOneField(const Ground& ground, Random& random, size_t field, const char* options) {
    const Aim aim(random, field);
    const Filter filter = MaybeFilter(random);
    const size_t k = Pick(random, 0, 9) == 0 ? 400 : Pick(random, 1, 40);
    Search search(ground);
    aim.Set(search.query);
    search.SetFilter(filter);
    quern_query_limit(search.query, k);
    quern_query_options(search.query, options);
    search.Run();
    const WordCounts counts(ground.state);
    const auto want = FindAll(ground.state, filter,
                              [&](const Record& record) { return aim.Score(counts, record); });
    CompareHits(search, 0, want, k, field == kRound ? 1e-6 : 0,
                "exact search in field " + std::to_string(field) + " where " + filter.text);
    Want((quern_result_flags(search.result) & QUERN_FLAG_EXACT) != 0, "an exact search is not");
}

}  // namespace

void AskExactDense(const Ground& ground, Random& random) {
    AskOneField(ground, random, Pick(random, 0, kDenseFields - 1), "recall=exact");
}

void AskSparse(const Ground& ground, Random& random) {
    AskOneField(ground, random, kDenseFields + Pick(random, 0, kSparseFields - 1), nullptr);
}

void AskText(const Ground& ground, Random& random) {
    AskOneField(ground, random, kDenseFields + kSparseFields, nullptr);
}

void AskLegs(const Ground& ground, Random& random) {
    constexpr size_t kFields[] = {kNear, kAlong, kBits, 4, 5, 6};
    std::vector<Aim> aims;
    std::vector<double> weights;
    aims.reserve(3);
    for (size_t legs = Pick(random, 2, 3); legs > 0; legs--) {
        aims.emplace_back(random, kFields[Pick(random, 0, 5)]);
        weights.push_back(static_cast<double>(Pick(random, 1, 6)) / 4);
    }
    const Filter filter = MaybeFilter(random);
    const size_t k = Pick(random, 1, 40);
    Search search(ground);
    for (size_t l = 0; l < aims.size(); l++) {
        quern_query* const leg = quern_query_new(ground.db, "docs");
        aims[l].Set(leg);
        if (aims[l].field < kDenseFields) {
            quern_query_options(leg, "recall=exact");
        }
        quern_query_leg(search.query, leg, weights[l], nullptr);
        quern_query_free(leg);
    }
    search.SetFilter(filter);
    quern_query_limit(search.query, k);
    search.Run();
    const WordCounts counts(ground.state);
    const auto want =
        FindAll(ground.state, filter, [&](const Record& record) -> std::optional<double> {
            double sum = 0;
            bool any = false;
            for (size_t l = 0; l < aims.size(); l++) {
                const auto score = aims[l].Score(counts, record);
                any = any || score;
                sum += weights[l] * score.value_or(aims[l].Far() ? -INFINITY : 0);
            }
            return any ? std::optional(sum) : std::nullopt;
        });
    std::string what = "legs";
    for (const Aim& aim : aims) {
        what.append(" ").append(std::to_string(aim.field));
    }
    CompareHits(search, 0, want, k, 0, what + " where " + filter.text);
}

void AskApproximate(const Ground& ground, Random& random) {
    const size_t field = Pick(random, 0, kDenseFields - 1);
    const Aim aim(random, field);
    const Filter filter = MaybeFilter(random);
    const size_t k = Pick(random, 1, 30);
    const char* const options[] = {nullptr, "recall=0.5", "recall=0.99", "ef=12 nprobe=2", "ef=1"};
    const size_t option = Pick(random, 0, 4);
    Search search(ground);
    aim.Set(search.query);
    search.SetFilter(filter);
    quern_query_limit(search.query, k);
    quern_query_options(search.query, options[option]);
    search.Run();
    const WordCounts counts(ground.state);
    const auto all = FindAll(ground.state, filter,
                             [&](const Record& record) { return aim.Score(counts, record); });
    const std::string what = std::string("search through an index of field ") + kDense[field].name +
                             " where " + filter.text;
    Want(search.rows() == std::min(k, all.size()),
         what + ": " + std::to_string(search.rows()) + " hits of " + std::to_string(all.size()));
    std::set<int64_t> keys;
    for (size_t i = 0; i < search.rows(); i++) {
        const int64_t key = quern_result_key_int(search.result, i);
        const auto score = static_cast<double>(quern_result_score(search.result, i));
        const auto has = std::find_if(all.begin(), all.end(),
                                      [&](const Found& found) { return found.key == key; });
        Want(has != all.end(), what + ": key " + std::to_string(key) + " is dead or no match");
        Want(std::abs(has->score - score) <= (field == kRound ? 1e-6 : 0),
             what + ": key " + std::to_string(key) + " has another score");
        Want(i == 0 || quern_result_distance(search.result, i - 1) <=
                           quern_result_distance(search.result, i),
             what + ": out of order");
        Want(keys.insert(key).second, what + ": key " + std::to_string(key) + " twice");
    }
}

void AskOwn(const Ground& ground, Random& random) {
    if (ground.state.records.empty()) {
        return;
    }
    auto probe = ground.state.records.begin();
    std::advance(probe,
                 static_cast<std::ptrdiff_t>(Pick(random, 0, ground.state.records.size() - 1)));
    const size_t field = Pick(random, 0, 1) == 0 ? kNear : kBits;
    if (!probe->second->dense[field]) {
        return;
    }
    const std::vector<float>& vector = *probe->second->dense[field];
    const auto same = static_cast<size_t>(
        std::count_if(ground.state.records.begin(), ground.state.records.end(),
                      [&](const auto& entry) { return entry.second->dense[field] == vector; }));
    Search search(ground);
    quern_query_dense(search.query, kDense[field].name, vector.data(), 1, vector.size());
    quern_query_limit(search.query, same);
    quern_query_options(search.query, "ef=10000 nprobe=65536 refine=exact");
    search.Run();
    for (size_t i = 0; i < search.rows(); i++) {
        if (quern_result_key_int(search.result, i) == probe->first) {
            Want(quern_result_distance(search.result, i) == 0, "a record is not at its own place");
            return;
        }
    }
    throw Violation("record " + std::to_string(probe->first) + " does not find itself in field " +
                    kDense[field].name);
}

void AskGet(const Ground& ground, Random& random) {
    std::vector<int64_t> keys;
    for (size_t i = Pick(random, 1, 12); i > 0; i--) {
        const auto key = static_cast<int64_t>(Pick(random, 0, 320));
        if (std::find(keys.begin(), keys.end(), key) == keys.end()) {
            keys.push_back(key);
        }
    }
    Search search(ground);
    quern_batch* const batch = quern_batch_new(ground.db, "docs", keys.size());
    quern_batch_key_int(batch, keys.data());
    const int32_t status =
        quern_get(batch, ground.snapshot, kColumnNames, &search.result, search.err);
    quern_batch_free(batch);
    Ok(status, search.err, "quern_get");
    for (size_t i = 0; i < keys.size(); i++) {
        const auto has = ground.state.records.find(keys[i]);
        const bool found = quern_result_found(search.result, i) != 0;
        Want(found == (has != ground.state.records.end()),
             "get: key " + std::to_string(keys[i]) + (found ? " is there" : " is not there"));
        Want(!found || TakeRecord(search.result, i) == *has->second,
             "get: key " + std::to_string(keys[i]) + " has other values");
    }
}

void AskList(const Ground& ground, Random& random) {
    const Filter filter = MaybeFilter(random);
    const bool down = Pick(random, 0, 1) == 0;
    std::vector<std::pair<int64_t, int64_t>> want;  // what to sort by, key
    for (const auto& [key, record] : ground.state.records) {
        if (filter.matches(key, *record)) {
            const int64_t year = record->year.value_or(INT32_MAX);  // nulls come last
            want.emplace_back(down && record->year ? -year : year, key);
        }
    }
    std::sort(want.begin(), want.end());
    const std::string what =
        std::string("list by year") + (down ? " desc" : "") + " where " + filter.text;
    std::string bookmark;
    size_t at = 0;
    for (const size_t page = Pick(random, 20, 90);;) {
        Search search(ground);
        search.SetFilter(filter);
        quern_query_order(search.query, down ? "year desc" : "year");
        quern_query_limit(search.query, page);
        quern_query_after(search.query, bookmark.c_str());
        Ok(quern_query_list(search.query, &search.result, search.err), search.err, "list");
        Want(quern_result_stat(search.result, QUERN_RESULT_MATCHES) ==
                 static_cast<int64_t>(want.size()),
             what + ": another number of matches");
        Want(search.rows() == std::min(page, want.size() - at), what + ": a page of other length");
        for (size_t i = 0; i < search.rows(); i++, at++) {
            Want(quern_result_key_int(search.result, i) == want[at].second,
                 what + ": row " + std::to_string(at));
        }
        if (search.rows() < page) {
            break;
        }
        bookmark = quern_result_bookmark(search.result);
        if (ground.snapshot == nullptr && Pick(random, 0, 3) == 0) {
            return;
        }
    }
    Want(at == want.size(), what + ": rows are missing");
}

void AskFacet(const Ground& ground, Random& random) {
    const Filter filter = MaybeFilter(random);
    std::map<std::string, int64_t> counts;
    for (const auto& [key, record] : ground.state.records) {
        if (filter.matches(key, *record) && record->tags) {
            for (const std::string& tag : *record->tags) {
                counts[tag]++;
            }
        }
    }
    std::vector<std::pair<int64_t, std::string>> want;
    for (const auto& [tag, count] : counts) {
        want.emplace_back(-count, tag);
    }
    std::sort(want.begin(), want.end());
    Search search(ground);
    search.SetFilter(filter);
    Ok(quern_query_facet(search.query, "tags", 100, &search.result, search.err), search.err,
       "quern_query_facet");
    Want(search.rows() == want.size(), "facet of tags where " + filter.text + ": other values");
    for (size_t i = 0; i < want.size(); i++) {
        Want(quern_result_text(search.result, i, 0, nullptr) == want[i].second &&
                 quern_result_int(search.result, i, 1) == -want[i].first,
             "facet of tags where " + filter.text + ": value " + std::to_string(i));
    }
}

void AskAll(const Ground& ground, Random& random) {
    Search search(ground);
    uint64_t count = 0;
    Ok(quern_count(ground.db, "docs", ground.snapshot, &count, search.err), search.err, "count");
    Want(count == ground.state.records.size(), "count: " + std::to_string(count) + ", wanted " +
                                                   std::to_string(ground.state.records.size()));
    quern_cursor* cursor = nullptr;
    Ok(quern_scan(ground.db, "docs", ground.snapshot, kColumnNames, &cursor, search.err),
       search.err, "quern_scan");
    const std::shared_ptr<quern_cursor> owner(cursor, quern_cursor_free);
    auto want = ground.state.records.begin();
    while (true) {
        quern_result_free(search.result);
        search.result = nullptr;
        Ok(quern_cursor_next(cursor, Pick(random, 1, 200), &search.result, search.err), search.err,
           "quern_cursor_next");
        for (size_t i = 0; i < search.rows(); i++, ++want) {
            Want(want != ground.state.records.end(), "scan: more records than there are");
            Want(quern_result_key_int(search.result, i) == want->first &&
                     TakeRecord(search.result, i) == *want->second,
                 "scan: key " + std::to_string(want->first));
        }
        if (search.rows() == 0) {
            break;
        }
    }
    Want(want == ground.state.records.end(), "scan: records are missing");
}

void AskAnything(const Ground& ground, Random& random) {
    switch (Pick(random, 0, 15)) {
        case 0:
        case 1:
        case 2: return AskExactDense(ground, random);
        case 3:
        case 4: return AskSparse(ground, random);
        case 5:
        case 6: return AskText(ground, random);
        case 7:
        case 8: return AskLegs(ground, random);
        case 9:
        case 10: return AskApproximate(ground, random);
        case 11: return AskOwn(ground, random);
        case 12: return AskGet(ground, random);
        case 13: return AskList(ground, random);
        case 14: return AskFacet(ground, random);
        default: return AskAll(ground, random);
    }
}

}  // namespace sessions
