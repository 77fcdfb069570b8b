// Every option that is a text: what each takes, and what it says of anything else.
#include <quern.h>

#include <catch2/catch.hpp>
#include <string>
#include <vector>

namespace {

constexpr float kVector[2] = {0, 1};

class World {
public:
    World() {
        Ok(quern_open(":memory:", nullptr, &db, E));
        quern_schema* schema = quern_schema_new();
        quern_schema_attr(schema, "year", QUERN_INT, nullptr);
        quern_schema_attr(schema, "hub", QUERN_REAL, nullptr);
        quern_schema_dense(schema, "emb", 2, QUERN_L2, nullptr);
        Ok(quern_create(db, "docs", schema, E));
        quern_schema_free(schema);
        const int64_t keys[1] = {1};
        quern_batch* batch = quern_batch_new(db, "docs", 1);
        quern_batch_key_int(batch, keys);
        quern_batch_dense(batch, "emb", kVector, 2, nullptr);
        Ok(quern_insert(batch, nullptr, E));
        quern_batch_free(batch);
    }
    ~World() { quern_close(db); }
    void Ok(int32_t status) {
        INFO(err.message);
        REQUIRE(status == QUERN_OK);
    }
    quern_query* Query() {
        quern_query* query = quern_query_new(db, "docs");
        quern_query_dense(query, "emb", kVector, 1, 2);
        quern_query_limit(query, 1);
        return query;
    }
    int32_t Search(quern_query* query) {
        quern_result* hits = nullptr;
        const int32_t status = quern_search(query, &hits, E);
        quern_result_free(hits);
        return status;
    }
    quern_db* db = nullptr;
    quern_error err = QUERN_ERROR_INIT;
    quern_error* const E = &err;
};

// Of what is given to a setter, or to a function that reads.
enum class Of {
    kQuery,
    kLeg,
    kFusion,
    kCompose,
    kFeedback,
    kDiversity,
    kAudit,
    kHubs,
    kFit,
    kOpen,
    kAttr,
    kDense,
    kSparse
};

// A collection with a field, or an attribute, of such options.
int32_t Create(World* w, Of of, const char* options) {
    quern_schema* schema = quern_schema_new();
    if (of == Of::kAttr) {
        quern_schema_attr(schema, "a", QUERN_INT, options);
    } else if (of == Of::kDense) {
        quern_schema_dense(schema, "a", 8, QUERN_L2, options);
    } else {
        quern_schema_sparse(schema, "a", options);
    }
    const int32_t status = quern_create(w->db, "made", schema, w->E);
    quern_schema_free(schema);
    if (status == QUERN_OK) {
        w->Ok(quern_drop(w->db, "made", w->E));
    }
    return status;
}

int32_t Give(World* w, Of of, const char* options) {
    quern_query* query = w->Query();
    quern_query* fused = quern_query_new(w->db, "docs");
    quern_query_limit(fused, 1);
    quern_query_leg(fused, query, 1, of == Of::kLeg ? options : nullptr);
    int32_t status = QUERN_OK;
    quern_text* text = nullptr;
    switch (of) {
        case Of::kQuery:
            quern_query_options(query, options);
            status = w->Search(query);
            break;
        case Of::kLeg: status = w->Search(fused); break;
        case Of::kFusion:
            quern_query_fusion(fused, options);
            status = w->Search(fused);
            break;
        case Of::kCompose:
            quern_query_compose(query, "emb", 1, options);
            quern_query_term_dense(query, 0, 1, kVector, 2);
            status = w->Search(query);
            break;
        case Of::kFeedback:
            quern_query_feedback(query, options);
            status = w->Search(query);
            break;
        case Of::kDiversity:
            quern_query_diversify(query, "emb", options);
            status = w->Search(query);
            break;
        case Of::kOpen: {
            quern_db* other = nullptr;
            status = quern_open(":memory:", options, &other, w->E);
            quern_close(other);
            break;
        }
        case Of::kAttr:
        case Of::kDense:
        case Of::kSparse: status = Create(w, of, options); break;
        case Of::kAudit: status = quern_recall_audit(query, options, &text, w->E); break;
        case Of::kHubs:
            status = quern_measure_hubs(w->db, "docs", "emb", "hub", kVector, 1, 2, options, w->E);
            break;
        case Of::kFit: {
            const int64_t keys[1] = {1};
            const size_t queries[1] = {0};
            const float gains[1] = {1};
            double quality[2] = {0, 0};
            quern_batch* batch = quern_batch_new(w->db, "docs", 1);
            quern_batch_key_int(batch, keys);
            status = quern_fit_fusion(fused, batch, queries, gains, options, &text, quality, w->E);
            quern_batch_free(batch);
            break;
        }
    }
    quern_text_free(text);
    quern_query_free(fused);
    quern_query_free(query);
    return status;
}

struct Wrong {
    Of of;
    const char* options;
    const char* said;
    int32_t status = QUERN_ERR_OPTION;
};

}  // namespace

TEST_CASE("values that options do not have are refused with those that they have") {
    const std::string unknown = std::string(200, '1') + "=1";
    std::string umlauts = "x";  // so that the end falls into the middle of one
    for (int i = 0; i < 100; i++) {
        umlauts += "\xC3\xA4";
    }
    std::string legs = "weights=1";
    std::string buckets = "bucket_weights=1";
    for (int i = 0; i < 70000; i++) {
        legs += i < 70 ? ",1" : "";
        buckets += ",1";
    }
    const std::vector<Wrong> all = {
        {Of::kQuery, "threads=0", "from 1 to 256"},
        {Of::kQuery, "threads=", "from 1 to 256"},
        {Of::kQuery, "threads=x", "from 1 to 256"},
        {Of::kQuery, "threads", "has no value"},
        {Of::kQuery, "thread=1", "unknown option"},
        {Of::kQuery, "ef=1 ef=2", "given twice"},
        {Of::kQuery, "ef=0", "from 1 to"},
        {Of::kQuery, "nprobe=1048577", "from 1 to"},
        {Of::kQuery, "filter_ms=-1", "from 0 to"},
        {Of::kQuery, "refine=some", "auto, exact, none, proof"},
        {Of::kQuery, "refine=0", "auto, exact, none, proof"},
        {Of::kQuery, "recall=0", "above 0"},
        {Of::kQuery, "recall=1.5", "above 0"},
        {Of::kQuery, "recall=nan", "above 0"},
        {Of::kQuery, "recall=0.5x", "above 0"},
        {Of::kQuery, "recall=", "above 0"},
        {Of::kQuery, "bound=2", "above 0"},
        {Of::kQuery, "superblocks=0", "from 1 to"},
        {Of::kQuery, "terms=65536", "from 0 to"},
        {Of::kQuery, "timeout_ms=x", "from 0 to"},
        {Of::kQuery, "max_scored=-1", "from 0 to"},
        {Of::kQuery, "max_bytes=1111111111111111111", "from 0 to"},
        {Of::kQuery, "self=both", "include or exclude"},
        {Of::kQuery, "bucket_weights=", "from 0 to 3.4e38 as number 1"},
        {Of::kQuery, "bucket_weights=-1", "bucket_weights=-1: expected from 0 to 3.4e38"},
        {Of::kQuery, "bucket_weights=1,inf", "=inf: expected from 0 to 3.4e38 as number 2"},
        {Of::kQuery, "bucket_weights=1;2", "=1;2: expected"},
        {Of::kQuery, "bucket_weights=1,1e39", "=1e39: expected from 0 to 3.4e38"},
        {Of::kQuery, "bucket_weights=1,", "as number 2"},
        {Of::kQuery, buckets.c_str(), "up to 65536"},
        {Of::kQuery, "refine=none recall=exact", "refine=none", QUERN_ERR_INVALID},
        {Of::kLeg, "against=2", "0 or 1"},
        {Of::kLeg, "guide=", "name of a leg"},
        {Of::kLeg, "name=", "a name"},
        {Of::kLeg, "absent=", "a number, -inf or null"},
        {Of::kLeg, "absent=nan", "a number, -inf or null"},
        {Of::kLeg, "absent=inf", "a number, -inf or null"},
        {Of::kLeg, "absent=1x", "a number, -inf or null"},
        {Of::kLeg, "other=1", "unknown option"},
        {Of::kFusion, "kind=mean", "sum, max, best or rrf"},
        {Of::kFusion, "kind=formula", "sum, max, best or rrf"},
        {Of::kFusion, "normalize=no", "minmax"},
        {Of::kFusion, "rrf_k=x kind=rrf", "from 0 to 1000000"},
        {Of::kFusion, "rrf_k=-1 kind=rrf", "from 0 to 1000000"},
        {Of::kFusion, "penalty=2000000 kind=best", "from 0 to 1000000"},
        {Of::kFusion, "penalty=1", "goes with kind=best", QUERN_ERR_INVALID},
        {Of::kFusion, "rrf_k=1", "goes with kind=rrf", QUERN_ERR_INVALID},
        {Of::kFusion, "kind=rrf normalize=minmax", "goes not with", QUERN_ERR_INVALID},
        {Of::kFusion, "weights=", "as in 0.7,0.3"},
        {Of::kFusion, "weights=1,,2", "as in 0.7,0.3"},
        {Of::kFusion, "weights=-1", "as in 0.7,0.3"},
        {Of::kFusion, "weights=inf", "as in 0.7,0.3"},
        {Of::kFusion, legs.c_str(), "more than 64 legs", QUERN_ERR_LIMIT},
        {Of::kFusion, "stored=", "name of a stored fusion"},
        {Of::kFusion, "stored=a kind=sum", "nothing goes beside"},
        {Of::kFusion, "fusion=a", "unknown option"},
        {Of::kCompose, "terms=none", "unit or raw"},
        {Of::kCompose, "scale=half", "none, mean or unit"},
        {Of::kCompose, "x=1", "unknown option"},
        {Of::kFeedback, "kind=prf", "average or rocchio"},
        {Of::kFeedback, "docs=0", "from 1 to 1000"},
        {Of::kFeedback, "terms=0", "from 1 to 1000"},
        {Of::kFeedback, "leg=64", "from 0 to 63"},
        {Of::kFeedback, "kind=rocchio alpha=-1", "from 0 to 1000000"},
        {Of::kFeedback, "kind=rocchio beta=1e7", "from 0 to 1000000"},
        {Of::kFeedback, "before=x", "from 0 to 1000000"},
        {Of::kFeedback, "after=1x", "from 0 to 1000000"},
        {Of::kFeedback, "alpha=1", "kind=rocchio", QUERN_ERR_INVALID},
        {Of::kFeedback, "beta=1", "kind=rocchio", QUERN_ERR_INVALID},
        {Of::kFeedback, "kind=rocchio alpha=0 beta=0", "nothing to look for", QUERN_ERR_INVALID},
        {Of::kFeedback, "x=1", "unknown option"},
        {Of::kDiversity, "lambda=2", "from 0 to 1"},
        {Of::kDiversity, "lambda=x", "from 0 to 1"},
        {Of::kDiversity, "lambda=0.5x", "from 0 to 1"},
        {Of::kDiversity, "duplicates=-2", "from -1 to 1"},
        {Of::kDiversity, "lambda=1 pool=0", "from 1 to 65536"},
        {Of::kDiversity, "lambda=1 scale=zscore", "minmax or none"},
        {Of::kDiversity, "pool=5", "lambda, duplicates or both", QUERN_ERR_INVALID},
        {Of::kDiversity, "x=1", "unknown option"},
        {Of::kAudit, "keep=maybe", "yes, no or forget"},
        {Of::kAudit, "sample=0", "from 1 to"},
        {Of::kAudit, "x=1", "unknown option"},
        {Of::kHubs, "kind=hub", "csls, softmax"},
        {Of::kHubs, "k=0", "from 1 to 1000"},
        {Of::kHubs, "sample=0", "from 1 to 1000000"},
        {Of::kHubs, "threads=257", "from 1 to 256"},
        {Of::kHubs, "temperature=0", "0.000001"},
        {Of::kHubs, "temperature=1e7", "0.000001"},
        {Of::kHubs, "temperature=x", "0.000001"},
        {Of::kHubs, "temperature=1x", "0.000001"},
        {Of::kHubs, "deviation=hub", "kind=zscore", QUERN_ERR_INVALID},
        {Of::kHubs, "by=year", "kind=zscore", QUERN_ERR_INVALID},
        {Of::kHubs, "x=1", "unknown option"},
        {Of::kFit, "store=", "name of a fusion"},
        {Of::kFit, "k=0", "from 1 to 1000000"},
        {Of::kFit, "metric=map", "ndcg or mrr"},
        {Of::kFit, "x=1", "unknown option"},
        {Of::kOpen, "durability=half", "full or relaxed"},
        {Of::kOpen, "cache_mb=x", "from 0 to"},
        {Of::kAttr, "index=some", "index=some"},
        {Of::kAttr, "x=1", "unknown option"},
        {Of::kDense, "type=f64", "f32, f16, bf16, i8 or bit"},
        {Of::kDense, "index=lists codes=none", "codes"},
        {Of::kDense, "type=bit", "go together", QUERN_ERR_INVALID},
        {Of::kSparse, "weights=f64", "f32 or none"},
        {Of::kSparse, "dims=0", "from 1 to"},
        {Of::kSparse, "index=some", "index=some"},
        {Of::kSparse, "index=none approx=graph", "needs an index"},
        {Of::kSparse, "weights=none prune_top=5", "has none"},
        {Of::kSparse, "dims=10 buckets=16", "but 10 dimensions"},
        {Of::kSparse, "x=1", "unknown option"},
        {Of::kQuery, unknown.c_str(), "unknown option"},
        {Of::kQuery, umlauts.c_str(), "\xC3\xA4...'; there are: threads"},
    };
    World w;
    for (const Wrong& wrong : all) {
        const int32_t status = Give(&w, wrong.of, wrong.options);
        CAPTURE(std::string(wrong.options).substr(0, 60), w.err.message);
        CHECK(status == wrong.status);
        CHECK(std::string(w.err.message).find(wrong.said) != std::string::npos);
    }
}

TEST_CASE("values that options have are taken") {
    const std::vector<std::pair<Of, const char*>> all = {
        {Of::kQuery, "threads=2 self=include recall=0.9 ef=20 nprobe=3 refine=auto filter_ms=0"},
        {Of::kQuery, "refine=exact recall=exact self=exclude timeout_ms=0 max_scored=9"},
        {Of::kQuery, "refine=proof max_bytes=0 "},
        {Of::kQuery, "  refine=none"},
        {Of::kQuery, "refine=7"},
        {Of::kQuery, "bound=0.9 superblocks=2 terms=5"},
        {Of::kQuery, "bucket_weights=1,0.5"},
        {Of::kQuery, "refine=none recall=0.9"},
        {Of::kLeg, "against=0 name=a"},
        {Of::kLeg, "absent=-inf"},
        {Of::kLeg, "absent=0.5"},
        {Of::kFusion, "kind=sum normalize=minmax weights=0.5"},
        {Of::kFusion, "kind=rrf rrf_k=10"},
        {Of::kFusion, "kind=best penalty=0.5"},
        {Of::kFusion, "kind=max normalize=none"},
        {Of::kFusion, ""},
        {Of::kCompose, "terms=unit scale=unit"},
        {Of::kCompose, "terms=raw scale=mean"},
        {Of::kCompose, "scale=none"},
        {Of::kFeedback, "kind=average docs=1 before=0.5 after=0.5"},
        {Of::kFeedback, "kind=rocchio alpha=1 beta=0"},
        {Of::kFeedback, "kind=rocchio alpha=0 beta=1"},
        {Of::kDiversity, "lambda=0.5 pool=10 scale=minmax"},
        {Of::kDiversity, "duplicates=0.9 scale=none"},
        {Of::kAudit, "sample=1"},
        {Of::kAudit, "keep=no"},
        {Of::kAudit, "keep=forget"},
        {Of::kHubs, "kind=csls k=1 sample=1 threads=1"},
        {Of::kHubs, "kind=softmax temperature=0.5"},
        {Of::kHubs, "kind=scaling"},
        {Of::kHubs, "kind=nicdm"},
        {Of::kOpen, "durability=full cache_mb=0"},
        {Of::kOpen, "durability=relaxed cache_mb=1"},
        {Of::kAttr, "index=none"},
        {Of::kDense, "type=f16 index=none"},
        {Of::kSparse, "weights=none dims=100 approx=graph"},
        {Of::kSparse, "weights=f32 prune_top=5"},
        {Of::kFit, "metric=ndcg k=1"},
        {Of::kFit, "metric=mrr store=mine"},
    };
    World w;
    for (const auto& [of, options] : all) {
        const int32_t status = Give(&w, of, options);
        CAPTURE(options, w.err.message);
        CHECK(status == QUERN_OK);
    }
}
