// Fusions that a collection keeps by name: their text, what becomes of them in a file, and queries
// that name them.
#include <random>

#include "articles_file.h"
#include "engine/query/fusion_text.h"
#include "hostile_file.h"

using namespace quern;
using namespace quern::query;
using quern::testing::Articles;
using quern::testing::kDim;

namespace {

std::string Problem(const std::string& text) {
    const auto read = ReadFusionText(text);
    REQUIRE(!read.ok());
    CHECK(read.status().code() == Code::kCorrupt);
    return read.status().message();
}

// Three legs, of which two are of one field, and so have names.
struct Fused {
    float vector[kDim] = {1, -1, 0.5f, 0, 2, 0, 0, 1};
    float other[kDim] = {0, 1, 0.5f, -1, 0, 2, 0, 0};
    const char* words = "stone mill";
    quern_query* query;

    Fused(Articles* articles, const std::vector<int>& order, double emb = 1, double more = 1,
          double body = 1) {
        query = quern_query_new(articles->db, "articles");
        for (const int leg : order) {
            quern_query* of_leg = quern_query_new(articles->db, "articles");
            if (leg == 2) {
                quern_query_text(of_leg, "BODY", &words, 1);
            } else {
                quern_query_dense(of_leg, "emb", leg == 0 ? vector : other, 1, kDim);
            }
            quern_query_leg(query, of_leg,
                            leg == 0   ? emb
                            : leg == 1 ? more
                                       : body,
                            leg == 0   ? "name=first"
                            : leg == 1 ? "name=second"
                                       : nullptr);
            quern_query_free(of_leg);
        }
        quern_query_limit(query, 25);
    }
    ~Fused() { quern_query_free(query); }

    std::vector<std::pair<int64_t, float>> Hits(Articles* articles) {
        quern_result* result = nullptr;
        articles->Ok(quern_search(query, &result, &articles->err));
        std::vector<std::pair<int64_t, float>> hits;
        for (size_t row = 0; row < quern_result_rows(result); row++) {
            hits.emplace_back(quern_result_key_int(result, row), quern_result_score(result, row));
        }
        quern_result_free(result);
        return hits;
    }
    std::string Error(Articles* articles, int32_t status) {
        quern_result* result = nullptr;
        CHECK(quern_search(query, &result, &articles->err) == status);
        CHECK(result == nullptr);
        return articles->err.message;
    }
};

bool Has(const std::string& text, const std::string& piece) {
    INFO(text);
    return text.find(piece) != std::string::npos;
}

std::string InfoOf(quern_db* db) {
    quern_text* json = nullptr;
    REQUIRE(quern_info(db, &json, nullptr) == QUERN_OK);
    std::string text = quern_text_data(json);
    quern_text_free(json);
    return text;
}

}  // namespace

TEST_CASE("a fusion's text says all of it", "[kept]") {
    std::mt19937 random(3);
    const auto pick = [&](size_t most) { return random() % (most + 1); };
    for (int round = 0; round < 2000; round++) {
        FusionOfLegs fusion;
        fusion.options.kind = static_cast<FusionKind>(pick(3));
        fusion.options.normalization = static_cast<Normalization>(pick(3));
        if (fusion.options.kind == FusionKind::kReciprocalRank) {
            fusion.options.rank_constant = static_cast<double>(pick(1000)) / 7;
        }
        if (fusion.options.kind == FusionKind::kBest) {
            fusion.options.penalty = static_cast<double>(pick(1000)) / 7;
        }
        for (size_t l = 0; l <= pick(63); l++) {
            fusion.options.weights.push_back(static_cast<double>(random()) / 3e5);
            std::string name = "l";
            for (size_t c = pick(9); c > 0; c--) {
                name.push_back(" ,%=abc'\""[pick(8)]);
            }
            fusion.legs.push_back(pick(5) == 0 ? "k\xc3\xb6rper" : name);
        }
        const std::string text = FusionText(fusion);
        INFO(text);
        const auto read = ReadFusionText(text);
        REQUIRE(read.ok());
        CHECK(read->options.kind == fusion.options.kind);
        CHECK(read->options.normalization == fusion.options.normalization);
        CHECK(read->options.rank_constant == fusion.options.rank_constant);
        CHECK(read->options.penalty == fusion.options.penalty);
        CHECK(read->options.weights == fusion.options.weights);
        CHECK(read->legs == fusion.legs);
    }
}

TEST_CASE("a text that is no fusion is refused by name", "[kept]") {
    CHECK(Has(Problem(""), "0 weights, 0 legs"));
    CHECK(Has(Problem("kind=sum weights=1 legs=a,b"), "1 weights, 2 legs"));
    CHECK(Has(Problem("kind=formula weights=1 legs=a"), "'formula'"));
    CHECK(Has(Problem("kind=sum kind=max weights=1 legs=a"), "twice"));
    CHECK(Has(Problem("kind=sum  weights=1 legs=a"), "unknown"));
    CHECK(Has(Problem("depth=4 weights=1 legs=a"), "'4'"));
    CHECK(Has(Problem("normalize=most weights=1 legs=a"), "'most'"));
    for (const char* number : {"-1", "nan", "inf", "1x", "", "0x3"}) {
        CHECK(Has(Problem(std::string("weights=") + number + ",1 legs=a,b"), "no number"));
    }
    CHECK(Has(Problem("rrf_k=1000001 weights=1 legs=a"), "no number"));
    CHECK(Has(Problem("weights=1 legs=a%2"), "behind %"));
    CHECK(Has(Problem("weights=1 legs=a%zz"), "behind %"));
    CHECK(Has(Problem("weights=1 legs=a%00b"), "control"));
    CHECK(Has(Problem("weights=1 legs=%ff"), "UTF-8"));
    std::string many = "weights=1";
    for (size_t l = 0; l < kLegsMax; l++) {
        many += ",1";
    }
    CHECK(Has(Problem(many), "more legs"));
}

TEST_CASE("a query that names a stored fusion is fused by it", "[kept]") {
    Articles articles;
    for (int64_t key = 0; key < 300; key++) {
        articles.Put(key);
    }
    Fused weighed(&articles, {0, 1, 2}, 0.25, 3, 0.5);
    quern_query_fusion(weighed.query, "normalize=minmax");
    articles.Ok(quern_store_fusion(weighed.query, "Mine", &articles.err));
    const auto want = weighed.Hits(&articles);

    // In any order of legs, whatever weights they were given.
    for (const auto& order : {std::vector<int>{0, 1, 2}, {2, 1, 0}, {1, 2, 0}}) {
        Fused named(&articles, order, 7, 0, 1);
        quern_query_fusion(named.query, "kind=rrf");
        quern_query_fusion(named.query, "stored=mine");
        const auto hits = named.Hits(&articles);
        REQUIRE(hits.size() == want.size());
        for (size_t i = 0; i < hits.size(); i++) {
            CHECK(hits[i].first == want[i].first);
            CHECK(hits[i].second == Approx(want[i].second).epsilon(1e-6));
        }
    }
    CHECK(Has(InfoOf(articles.db),
              "kind=sum normalize=minmax weights=0.25,3,0.5 legs=first,second,BODY"));

    // As a query for candidates, with a shape, and explained.
    Fused named(&articles, {2, 0, 1});
    quern_query_fusion(named.query, "stored=Mine");
    quern_query* among = quern_query_new(articles.db, "articles");
    quern_query_dense(among, "emb", named.vector, 1, kDim);
    quern_query_limit(among, 50);
    quern_query_candidates(among, named.query);
    quern_result* result = nullptr;
    articles.Ok(quern_search(among, &result, &articles.err));
    CHECK(quern_result_rows(result) > 20);
    quern_result_free(result);
    quern_query_free(among);
    quern_text* json = nullptr;
    articles.Ok(quern_query_explain(named.query, &json, &articles.err));
    CHECK(Has(quern_text_data(json), "\"normalize\":\"minmax\""));
    CHECK(Has(quern_text_data(json), "\"weight\":3.0"));
    quern_text_free(json);
    quern_query_group(named.query, "year", 1);
    CHECK(!named.Hits(&articles).empty());

    // What is set afterwards counts instead.
    Fused later(&articles, {0, 1, 2}, 0.25, 3, 0.5);
    quern_query_fusion(later.query, "stored=mine");
    quern_query_fusion(later.query, "kind=sum normalize=minmax");
    CHECK(later.Hits(&articles) == want);

    // Replaced, and dropped, by any writing of the name.
    Fused plain(&articles, {2, 1, 0});
    quern_query_fusion(plain.query, "kind=rrf rrf_k=10");
    articles.Ok(quern_store_fusion(plain.query, "MINE", &articles.err));
    const auto ranked = plain.Hits(&articles);
    Fused again(&articles, {0, 1, 2});
    quern_query_fusion(again.query, "stored=mine");
    const auto hits = again.Hits(&articles);
    REQUIRE(hits.size() == ranked.size());
    CHECK(hits[0].second == Approx(ranked[0].second));
    articles.Ok(quern_store_fusion(plain.query, "other", &articles.err));
    articles.Ok(quern_drop_fusion(articles.db, "articles", "mine", &articles.err));
    CHECK(Has(again.Error(&articles, QUERN_ERR_NOT_FOUND), "no fusion 'mine'; there are: 'other'"));
    CHECK(quern_drop_fusion(articles.db, "articles", "mine", &articles.err) == QUERN_ERR_NOT_FOUND);
    articles.Ok(quern_drop_fusion(articles.db, "articles", "other", &articles.err));
    CHECK(Has(again.Error(&articles, QUERN_ERR_NOT_FOUND), "there are none"));
}

TEST_CASE("a stored fusion says which legs it is for", "[kept]") {
    Articles articles;
    articles.Put(1);
    Fused three(&articles, {0, 1, 2});
    articles.Ok(quern_store_fusion(three.query, "mine", &articles.err));
    Fused two(&articles, {2, 0});
    quern_query_fusion(two.query, "stored=mine");
    const std::string error = two.Error(&articles, QUERN_ERR_INVALID);
    CHECK(Has(error, "for the legs 'first', 'second', 'BODY'"));
    CHECK(Has(error, "has 'BODY', 'first'"));
    Fused twice(&articles, {0, 1, 2, 2});
    quern_query_fusion(twice.query, "stored=mine");
    CHECK(Has(twice.Error(&articles, QUERN_ERR_INVALID), "'first', 'second', 'BODY', 'BODY'"));
    // What its kind does not allow is told as of any query.
    Fused best(&articles, {0, 1, 2}, 1, 0, 0);
    quern_query_fusion(best.query, "kind=max");
    articles.Ok(quern_store_fusion(best.query, "best", &articles.err));
    quern_query* none = quern_query_new(articles.db, "articles");
    quern_query_text(none, "body", &best.words, 1);
    quern_query_fusion(none, "stored=best");
    quern_result* result = nullptr;
    CHECK(quern_search(none, &result, &articles.err) == QUERN_ERR_INVALID);
    CHECK(Has(articles.err.message, "no legs"));
    CHECK(quern_store_fusion(none, "x", &articles.err) == QUERN_ERR_INVALID);
    quern_query_free(none);
    for (const char* name : {"", "a b", "a,b", "a=b", "_a", "a\"b"}) {
        CHECK(quern_store_fusion(three.query, name, &articles.err) == QUERN_ERR_INVALID);
    }
}

TEST_CASE("stored fusions survive reopening, other changes and backups", "[kept]") {
    HostileFile file;
    const float vector[2] = {1, 0};
    const auto query = [&](const char* fusion) {
        quern_query* q = quern_query_new(file.db, "docs");
        for (const char* field : {"emb", "other"}) {
            quern_query* leg = quern_query_new(file.db, "docs");
            quern_query_dense(leg, field, vector, 1, 2);
            quern_query_leg(q, leg, 2, nullptr);
            quern_query_free(leg);
        }
        quern_query_fusion(q, fusion);
        return q;
    };
    quern_query* q = query("kind=max");
    file.Ok(quern_store_fusion(q, "a", &file.err));
    file.Ok(quern_store_fusion(q, "b", &file.err));
    quern_query_free(q);
    const auto search = [&](const char* fusion) {
        quern_query* named = query(fusion);
        quern_result* result = nullptr;
        const int32_t status = quern_search(named, &result, &file.err);
        quern_result_free(result);
        quern_query_free(named);
        return status;
    };
    file.Ok(search("stored=b"));
    // A snapshot sees the fusions of its time.
    quern_snapshot* before = nullptr;
    file.Ok(quern_snapshot_new(file.db, &before, &file.err));
    file.Ok(quern_drop_fusion(file.db, "docs", "b", &file.err));
    CHECK(search("stored=b") == QUERN_ERR_NOT_FOUND);
    {
        quern_query* named = query("stored=b");
        quern_query_snapshot(named, before);
        quern_result* result = nullptr;
        file.Ok(quern_search(named, &result, &file.err));
        quern_result_free(result);
        quern_query_free(named);
    }
    quern_snapshot_free(before);
    // New columns get ids of their own.
    file.Ok(quern_add_attr(file.db, "docs", "extra", QUERN_INT, nullptr, &file.err));
    file.Ok(file.Insert(100, 5));
    file.Ok(quern_rename(file.db, "docs", "papers", &file.err));
    file.Ok(quern_rename(file.db, "papers", "docs", &file.err));
    quern_close(file.db);
    file.Open();
    file.Ok(search("stored=a"));
    CHECK(file.Problems().empty());
    file.Ok(quern_vacuum(file.db, &file.err));
    file.Ok(search("stored=a"));
    CHECK(Has(InfoOf(file.db), "kind=max normalize=none weights=2,2 legs=emb,other"));
    const std::string copy = file.path() + ".copy";
    file.Ok(quern_backup(file.db, copy.c_str(), &file.err));
    quern_db* other = nullptr;
    file.Ok(quern_open(copy.c_str(), "mode=ro", &other, &file.err));
    CHECK(Has(InfoOf(other), "legs=emb,other"));
    CHECK(quern_drop_fusion(other, "docs", "a", &file.err) == QUERN_ERR_READ_ONLY);
    quern_close(other);
    std::filesystem::remove(copy);
}

TEST_CASE("what a stranger wrote as a stored fusion is refused by name", "[kept]") {
    HostileFile file;
    const float vector[2] = {1, 0};
    quern_query* q = quern_query_new(file.db, "docs");
    quern_query* leg = quern_query_new(file.db, "docs");
    quern_query_dense(leg, "emb", vector, 1, 2);
    quern_query_leg(q, leg, 1, nullptr);
    file.Ok(quern_store_fusion(q, "mine", &file.err));
    quern_query_free(leg);
    quern_query_free(q);
    const std::string where = " WHERE kind=5";
    file.Alter("UPDATE quern_column SET options='kind=sum weights=-1 legs=emb'" + where);
    q = quern_query_new(file.db, "docs");
    leg = quern_query_new(file.db, "docs");
    quern_query_dense(leg, "emb", vector, 1, 2);
    quern_query_leg(q, leg, 1, nullptr);
    quern_query_fusion(q, "stored=mine");
    quern_result* result = nullptr;
    CHECK(Has(file.Named(quern_search(q, &result, &file.err)), "fusion 'mine'"));
    quern_query_free(leg);
    quern_query_free(q);
    CHECK(Has(file.Problems(), "fusion 'mine'"));
    const auto refused = [&](const std::string& sql) {
        file.AlterClosed(sql);
        quern_error err = QUERN_ERROR_INIT;
        CHECK(quern_open(file.path().c_str(), nullptr, &file.db, &err) == QUERN_ERR_CORRUPT);
        return std::string(err.message);
    };
    CHECK(Has(refused("UPDATE quern_column SET dim=1" + where), "bad description"));
    CHECK(Has(refused("UPDATE quern_column SET dim=0, id=4000000000" + where), "bad id"));
    CHECK(Has(refused("UPDATE quern_column SET id=4, name='_x'" + where), "bad id or name"));
    file.Alter("UPDATE quern_column SET name='mine', options='kind=sum weights=1 legs=emb'" +
               where);
    CHECK(file.Problems().empty());
}
