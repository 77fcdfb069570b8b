// A collection that has been through many deletes and upserts, beside one that was filled with what
// is left: each live record must find itself, deleted ones must not come back, recall must be as
// good.
#include <algorithm>
#include <cstdio>
#include <map>
#include <set>

#include "tests/sessions/model_record.h"
#include "tests/sessions/topics.h"
#include "tests/sessions/violation.h"

namespace sessions {
namespace {

constexpr size_t kDim = 16;
constexpr size_t kRecords = 2400;
constexpr size_t kQueries = 200;
constexpr size_t kBest = 10;
// Through the index, whatever a scan would cost.
constexpr const char* kThroughIndex = "ef=16 nprobe=3";
using Vector = std::vector<float>;
using Live = std::map<int64_t, Vector>;

struct Kind {
    const char* name;
    const char* options;
};
constexpr Kind kKinds[] = {{"graph, f32", "index=graph codes=f32"},
                           {"graph, 4bit", "index=graph codes=4bit"},
                           {"graph, i8", "index=graph codes=i8"},
                           {"lists", "index=lists"},
                           {"auto", "index=auto"}};

// Around a few centres, as real vectors are.
Vector NewVector(Random& random, const std::vector<Vector>& centres) {
    std::normal_distribution<float> spread(0, 1);
    Vector vector =
        centres.empty() ? Vector(kDim, 0) : centres[Pick(random, 0, centres.size() - 1)];
    for (float& x : vector) {
        x += spread(random) * (centres.empty() ? 2.0f : 1.0f);
    }
    return vector;
}

class Collection {
public:
    Collection(const std::string& path, const Kind& kind) {
        Ok(quern_open(path.c_str(), "threads=1 seal_rows=300 seal_kb=64", &db_, &err_), err_,
           "open");
        quern_schema* schema = quern_schema_new();
        quern_schema_dense(schema, "emb", kDim, QUERN_L2, kind.options);
        const int32_t status = quern_create(db_, "docs", schema, &err_);
        quern_schema_free(schema);
        Ok(status, err_, "quern_create");
    }
    ~Collection() { quern_close(db_); }
    Collection(const Collection&) = delete;
    Collection& operator=(const Collection&) = delete;

    void Upsert(const Live& rows) {
        std::vector<int64_t> keys;
        Vector matrix;
        for (const auto& [key, vector] : rows) {
            keys.push_back(key);
            matrix.insert(matrix.end(), vector.begin(), vector.end());
        }
        Use(keys, &matrix);
    }
    void Delete(const std::vector<int64_t>& keys) { Use(keys, nullptr); }
    void Optimize() { Ok(quern_optimize(db_, nullptr, 0, &err_), err_, "quern_optimize"); }
    void Vacuum() { Ok(quern_vacuum(db_, &err_), err_, "quern_vacuum"); }
    void Verify() { Ok(quern_verify(db_, nullptr, &err_), err_, "quern_verify"); }

    // Keys and distances of each query.
    using Hits = std::vector<std::vector<std::pair<float, int64_t>>>;
    Hits Search(const std::vector<Vector>& queries, size_t k, const char* options) {
        Vector matrix;
        for (const Vector& query : queries) {
            matrix.insert(matrix.end(), query.begin(), query.end());
        }
        quern_query* query = quern_query_new(db_, "docs");
        quern_query_dense(query, "emb", matrix.data(), queries.size(), kDim);
        quern_query_limit(query, k);
        quern_query_options(query, options);
        quern_result* result = nullptr;
        const int32_t status = quern_search(query, &result, &err_);
        quern_query_free(query);
        Ok(status, err_, "quern_search");
        Hits hits(queries.size());
        for (size_t q = 0; q < queries.size(); q++) {
            for (size_t i = quern_result_offset(result, q); i < quern_result_offset(result, q + 1);
                 i++) {
                hits[q].emplace_back(quern_result_distance(result, i),
                                     quern_result_key_int(result, i));
            }
        }
        scored_ = static_cast<size_t>(quern_result_stat(result, QUERN_RESULT_VECTORS_SCORED));
        quern_result_free(result);
        return hits;
    }
    size_t scored() const { return scored_; }  // vectors, by the last search

private:
    void Use(const std::vector<int64_t>& keys, const Vector* matrix) {
        if (keys.empty()) {
            return;
        }
        quern_batch* batch = quern_batch_new(db_, "docs", keys.size());
        quern_batch_key_int(batch, keys.data());
        int32_t status = QUERN_OK;
        if (matrix != nullptr) {
            quern_batch_dense(batch, "emb", matrix->data(), kDim, nullptr);
            status = quern_upsert(batch, nullptr, &err_);
        } else {
            status = quern_delete(batch, nullptr, &err_);
        }
        quern_batch_free(batch);
        Ok(status, err_, "a write");
    }
    quern_db* db_ = nullptr;
    size_t scored_ = 0;
    quern_error err_ = QUERN_ERROR_INIT;
};

// Share of the exact hits that were found; on the way every hit must be alive.
double RecallOf(const Collection::Hits& found, const Collection::Hits& exact, const Live& live) {
    size_t common = 0, all = 0;
    for (size_t q = 0; q < exact.size(); q++) {
        Want(found[q].size() == exact[q].size(), "fewer hits than there are records");
        std::set<int64_t> keys;
        for (const auto& hit : exact[q]) {
            keys.insert(hit.second);
        }
        for (const auto& hit : found[q]) {
            Want(live.count(hit.second) == 1, "a deleted record came back");
            common += keys.count(hit.second);
        }
        all += keys.size();
    }
    return static_cast<double>(common) / static_cast<double>(all);
}

// By the model, in double precision; the last bits of distances are the engine's own.
void CheckExact(const Collection::Hits& exact, const std::vector<Vector>& queries,
                const Live& live) {
    for (size_t q = 0; q < queries.size(); q += 20) {
        std::vector<double> distances;
        for (const auto& [key, vector] : live) {
            double distance = 0;
            for (size_t i = 0; i < kDim; i++) {
                const double by =
                    static_cast<double>(vector[i]) - static_cast<double>(queries[q][i]);
                distance += by * by;
            }
            distances.push_back(distance);
        }
        std::sort(distances.begin(), distances.end());
        for (size_t i = 0; i < exact[q].size(); i++) {
            Want(std::abs(static_cast<double>(exact[q][i].first) - distances[i]) <=
                     1e-5 * (1 + distances[i]),
                 "an exact search misses a record");
        }
    }
}

void CheckOwn(Collection* collection, const Live& live) {
    std::vector<Vector> queries;
    std::vector<int64_t> keys;
    for (const auto& [key, vector] : live) {
        keys.push_back(key);
        queries.push_back(vector);
    }
    const auto hits = collection->Search(queries, 1, "ef=20000 nprobe=65536 refine=exact");
    for (size_t i = 0; i < keys.size(); i++) {
        Want(hits[i].size() == 1 && hits[i][0].second == keys[i] && hits[i][0].first == 0,
             "record " + std::to_string(keys[i]) + " does not find itself");
    }
}

// Half of what an index was made of goes: what is left must be found through it as through one that
// never had the rest.
std::string LoseHalf(const Arguments& arguments, const Kind& kind,
                     const std::vector<Vector>& queries, Random* random, Collection* collection,
                     Live* live) {
    std::vector<int64_t> gone;
    for (const auto& [key, vector] : *live) {
        if (Pick(*random, 0, 1) == 0) {
            gone.push_back(key);
        }
    }
    collection->Delete(gone);
    for (const int64_t key : gone) {
        live->erase(key);
    }
    const std::string path = FreshFile(arguments, "half");
    Collection fresh(path, kind);
    fresh.Upsert(*live);
    fresh.Optimize();
    const auto exact = collection->Search(queries, kBest, "recall=exact");
    Want(fresh.Search(queries, kBest, "recall=exact") == exact, "exact answers differ");
    const double told = RecallOf(collection->Search(queries, kBest, nullptr), exact, *live);
    const double fresh_told = RecallOf(fresh.Search(queries, kBest, nullptr), exact, *live);
    const double walked = RecallOf(collection->Search(queries, kBest, kThroughIndex), exact, *live);
    const double fresh_walked = RecallOf(fresh.Search(queries, kBest, kThroughIndex), exact, *live);
    std::printf(
        "%-12s half of them deleted: recall %.4f, of a fresh index %.4f; with %s %.4f and %.4f, "
        "%zu and %zu vectors a query\n",
        "", told, fresh_told, kThroughIndex, walked, fresh_walked, collection->scored() / kQueries,
        fresh.scored() / kQueries);
    RemoveFile(path);
    return told < fresh_told - 0.02 || walked < fresh_walked - 0.02
               ? "recall of a half dead index is less than a fresh one's"
               : "";
}

std::string Churn(const Arguments& arguments, const Kind& kind, uint64_t seed, size_t rounds) {
    Random random(seed);
    std::vector<Vector> centres;
    for (size_t i = 0; i < 12; i++) {
        centres.push_back(NewVector(random, {}));
    }
    std::vector<Vector> queries;
    for (size_t i = 0; i < kQueries; i++) {
        queries.push_back(NewVector(random, centres));
    }
    const std::string path = FreshFile(arguments, "churn");
    Collection collection(path, kind);
    Live live;
    int64_t next = 0;
    const auto refill = [&] {
        Live rows;
        while (live.size() + rows.size() < kRecords) {
            rows[next++] = NewVector(random, centres);
        }
        collection.Upsert(rows);
        live.insert(rows.begin(), rows.end());
    };
    refill();
    collection.Optimize();
    for (size_t round = 0; round < rounds; round++) {
        std::vector<int64_t> gone;
        Live changed;
        for (const auto& [key, vector] : live) {
            const size_t fate = Pick(random, 0, 9);
            if (fate < 5) {
                gone.push_back(key);
            } else if (fate < 8) {
                changed[key] = NewVector(random, centres);
            }
        }
        collection.Delete(gone);
        for (const int64_t key : gone) {
            live.erase(key);
        }
        collection.Upsert(changed);
        for (const auto& [key, vector] : changed) {
            live[key] = vector;
        }
        refill();
        if (round % 3 == 1 && round + 1 < rounds) {  // the last rounds are in several segments
            collection.Optimize();
        }
        const auto exact = collection.Search(queries, kBest, "recall=exact");
        RecallOf(collection.Search(queries, kBest, nullptr), exact, live);
        CheckExact(exact, queries, live);
    }
    const auto exact = collection.Search(queries, kBest, "recall=exact");
    CheckOwn(&collection, live);
    const double churned = RecallOf(collection.Search(queries, kBest, nullptr), exact, live);
    collection.Optimize();
    Want(collection.Search(queries, kBest, "recall=exact") == exact, "optimize changes answers");
    collection.Vacuum();
    Want(collection.Search(queries, kBest, "recall=exact") == exact, "vacuum changes answers");
    CheckOwn(&collection, live);
    const double merged = RecallOf(collection.Search(queries, kBest, nullptr), exact, live);
    collection.Verify();
    const std::string other = FreshFile(arguments, "fresh");
    Collection fresh(other, kind);
    fresh.Upsert(live);
    fresh.Optimize();
    Want(fresh.Search(queries, kBest, "recall=exact") == exact,
         "a fresh file gives other exact answers");
    const double built = RecallOf(fresh.Search(queries, kBest, nullptr), exact, live);
    std::printf(
        "%-12s %zu rounds, %zu records: recall %.4f before and %.4f after optimize, %.4f of a "
        "fresh index\n",
        kind.name, rounds, live.size(), churned, merged, built);
    RemoveFile(other);
    if (churned < built - 0.02 || merged < built - 0.02) {
        return "recall is less than a fresh index's";
    }
    const std::string broken = LoseHalf(arguments, kind, queries, &random, &collection, &live);
    RemoveFile(path);
    return broken;
}

}  // namespace

int RunChurn(const Arguments& arguments) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    const size_t rounds = 3;
#else
    const size_t rounds = 20;
#endif
    const size_t repeats = arguments.count > 0 ? arguments.count : 1;
    int violations = 0;
    for (size_t i = 0; i < repeats; i++) {
        for (const Kind& kind : kKinds) {
            std::string broken;
            try {
                broken = Churn(arguments, kind, arguments.seed + i, rounds);
            } catch (const Violation& violation) {
                broken = violation.what();
            }
            if (!broken.empty()) {
                std::printf("VIOLATION: %s; again: quern_sessions churn --seed %llu (%s)\n",
                            broken.c_str(), static_cast<unsigned long long>(arguments.seed + i),
                            kind.name);
                violations++;
            }
        }
    }
    return violations;
}

}  // namespace sessions
