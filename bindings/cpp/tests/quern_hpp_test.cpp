// The C++ header does what it says, with exceptions and without; built both ways. Prints what is
// wrong.
#include <quern.hpp>

#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace {

void Check(bool right, const char* what, int line) {
    if (!right) {
        std::printf("line %d: %s\n", line, what);
        std::exit(1);
    }
}
#define CHECK(condition) Check((condition), #condition, __LINE__)

std::vector<std::string> Ids(const quern::Rows& rows) {
    std::vector<std::string> ids;
    for (const quern::Hit hit : rows) {
        ids.emplace_back(hit.text_id());
    }
    return ids;
}
using Names = std::vector<std::string>;

quern::Schema Letters() {
    return quern::Schema()
        .key_text()
        .dense("v", 2, QUERN_L2)
        .attr("year", QUERN_INT)
        .attr("price", QUERN_REAL)
        .attr("tags", QUERN_TAGS)
        .sparse("terms")
        .text("body");
}

quern::Outcome<size_t> Fill(const quern::Collection& letters) {
    const std::vector<float> matrix = {0, 0, 1, 0, 2, 0};
    const std::vector<std::vector<std::string>> tags = {{"x"}, {"x", "y"}, {}};
    const std::vector<size_t> offsets = {0, 1, 1, 3};
    const std::vector<uint32_t> dims = {5, 5, 7};
    const std::vector<float> weights = {1.0f, 2.0f, 3.0f};
    const std::vector<double> prices = {0.5, 1.5, 2.5};
    return letters.batch(3)
        .ids({"a", "b", "c"})
        .dense("v", matrix)
        .ints("year", {2000, 2001, 2002})
        .reals("price", prices)
        .tags("tags", tags)
        .sparse("terms", offsets, dims, weights)
        .texts("body", {"white whale", "a ship", "white ship"})
        .try_upsert();
}

// C would end a text at its first NUL, and take a vector for what is left of a matrix.
void TestTextsWithNul(const quern::Collection& letters) {
    const std::string nul("a\0b", 3);
    const Names names = {nul};
    const auto refused = [](const auto& outcome) {
        return !outcome.ok() && outcome.failure().status == QUERN_ERR_INVALID &&
               outcome.failure().message.find("NUL") != std::string::npos;
    };
    CHECK(refused(letters.batch(1).ids(names).try_erase()));
    CHECK(refused(letters.batch(1).ids({"a"}).texts("body", names).try_update()));
    CHECK(refused(quern::KeySet::try_of(quern::Span<std::string>(names))));
    CHECK(refused(letters.query().text("body", nul).try_search()));
    CHECK(refused(letters.query().like("v", nul).try_search()));
    CHECK(refused(letters.query().where("body = ?1", nul).try_count()));
    CHECK(refused(letters.query().where("id in ?1", names).try_count()));
    const std::vector<float> five = {0, 0, 1, 0, 2};
    const auto odd = letters.query().dense("v", five, 2).try_search();
    CHECK(!odd.ok() && odd.failure().message.find("5 numbers") != std::string::npos);
}

// What works without exceptions.
void TestValues() {
    quern::Outcome<quern::Database> db = quern::try_open(":memory:");
    CHECK(db.ok());
    quern::Outcome<quern::Collection> letters = db->try_collection("letters", Letters());
    CHECK(letters.ok());
    CHECK(db->try_collection("letters", Letters()).ok());
    CHECK(db->try_collection("others").failure().status == QUERN_ERR_NOT_FOUND);
    quern::Outcome<size_t> written = Fill(*letters);
    CHECK(written.ok() && *written == 3);
    quern::Outcome<quern::Rows> hits =
        letters->query().dense("v", {0.9f, 0}).limit(2).columns("*").try_search();
    CHECK(hits.ok());
    CHECK(Ids(*hits) == (Names{"b", "a"}));
    const quern::Hit best = (*hits)[0];
    CHECK(std::fabs(best.distance() - 0.01f) < 1e-6f && best.score() == -best.distance());
    CHECK(best.integer(0) == 2001 && best.real(1) == 1.5 && best.text(2) == "[\"x\",\"y\"]");
    CHECK(best.dense(3)[0] == 1.0f && best.sparse(4).first.empty() && best.text(5) == "a ship");
    CHECK(hits->exact() && hits->distances().size() == 2 && hits->columns() == 6);

    const std::string text = "whale";
    CHECK(Ids(*letters->query().text("body", "ship").try_search()) == (Names{"b", "c"}));
    CHECK(Ids(*letters->query()
                   .dense("v", {0, 0})
                   .where("year > ?1 and tags has ?2")
                   .bind(1, 2000)
                   .bind(2, "y")
                   .try_search()) == (Names{"b"}));
    CHECK(Ids(*letters->query()
                   .dense("v", {0, 0})
                   .candidates(letters->query().text("body", "white"))
                   .try_search()) == (Names{"a", "c"}));
    quern::Outcome<quern::Rows> fused = letters->query()
                                            .leg(letters->query().dense("v", {0, 0}), 0.01)
                                            .leg(letters->query().text("body", text), 1)
                                            .limit(1)
                                            .try_search();
    CHECK(fused.ok() && Ids(*fused) == (Names{"a"}) && (*fused)[0].leg_score(1) > 0);
    const std::vector<float> two = {0, 0, 2, 0};
    quern::Outcome<quern::Rows> both = letters->query().dense("v", two, 2).limit(1).try_search();
    CHECK(both->queries() == 2 && (*both->query(1).begin()).text_id() == "c" &&
          both->query(0).size() == 1);
    const std::vector<std::string> some = {"a", "c"};
    CHECK(
        Ids(*letters->query().dense("v", {0, 0}).only(*quern::KeySet::try_of(some)).try_search()) ==
        some);

    // Mistakes are told with their names, and nothing is written.
    CHECK(letters->batch(2)
              .ids({"x", "y"})
              .ints("year", {1})
              .try_upsert()
              .failure()
              .message.find("year") == 0);
    CHECK(letters->batch(2).ids({"x"}).try_upsert().failure().message.find("ids") == 0);
    CHECK(letters->batch(1).ids({"x"}).dense("v", {1, 2, 3}).try_upsert().failure().status ==
          QUERN_ERR_DIMENSION);
    const std::vector<size_t> bad = {0, 9};
    const std::vector<uint32_t> one = {1};
    CHECK(!letters->batch(1).ids({"x"}).sparse("terms", bad, one, {}).try_upsert().ok());
    quern::Outcome<quern::Rows> none = letters->query().dense("v", {0, NAN}).try_search();
    CHECK(none.failure().status == QUERN_ERR_NOT_FINITE && none.failure().family() == -100);
    CHECK(std::string(none.failure().name()) == "QUERN_ERR_NOT_FINITE");
    CHECK(*letters->try_size() == 3);

    quern::Outcome<quern::Transaction> txn = db->try_begin();
    CHECK(letters->batch(1).ids({"a"}).try_erase(&*txn).ok());
    CHECK(*letters->try_size() == 3);
    quern::Outcome<quern::Snapshot> before = db->try_snapshot();
    CHECK(txn->try_commit().ok() && *letters->try_size() == 2);
    CHECK(txn->try_commit().failure().status == QUERN_ERR_TXN);
    CHECK(letters->batch(2).ids({"a", "b"}).try_get("year", &*before)->size() == 2);
    CHECK(*letters->query().snapshot(*before).try_count() == 3);
    CHECK(*letters->query().where("year = 2001").try_erase() == 1);
    CHECK(db->try_verify().ok() && db->try_optimize().ok() &&
          db->try_info()->find("letters") != std::string::npos);
    CHECK((*db->try_sql("select count(*) from letters"))[0].integer(0) == 1);
    CHECK(db->try_attach("app", "/nowhere/at/all").failure().status == QUERN_ERR_CANT_OPEN);
    CHECK(db->try_detach("app").failure().status == QUERN_ERR_NOT_FOUND);

    // Moved, and closed before what was made from it.
    quern::Query query = letters->query().dense("v", {0, 0});
    quern::Database moved = std::move(*db);
    CHECK(query.try_search().ok());
    moved.close();
    CHECK(query.try_search().failure().status == QUERN_ERR_CLOSED);
    CHECK(letters->try_size().failure().status == QUERN_ERR_MISUSE);
    CHECK(moved.try_info().failure().status == QUERN_ERR_MISUSE);
    moved = std::move(*quern::try_open(":memory:"));
    CHECK(moved.try_info().ok() && !letters->try_size().ok());
}

quern::Collection NewLetters(quern::Database* db) {
    quern::Outcome<quern::Collection> letters =
        db->try_collection("letters", Letters().attr("hub", QUERN_REAL));
    CHECK(letters.ok() && Fill(*letters).ok());
    return *letters;
}

void TestParameters() {
    quern::Outcome<quern::Database> db = quern::try_open(":memory:");
    const quern::Collection letters = NewLetters(&*db);
    TestTextsWithNul(letters);
    const std::vector<int64_t> years = {2000, 2002};
    const std::vector<std::string> tags = {"x"};
    const auto list = [&](quern::Query query) {
        quern::Outcome<quern::Rows> rows = query.try_list();
        return rows.ok() ? Ids(*rows) : Names{rows.failure().message};
    };
    CHECK(list(letters.query().where("year >= ?1 and price < ?2", 2001, 2.0)) == (Names{"b"}));
    CHECK(list(letters.query().where("year in ?1 and tags has any ?2", years, tags)) ==
          (Names{"a"}));
    CHECK(list(letters.query().where("id = ?", "b")) == (Names{"b"}));
    CHECK(list(letters.query().where("coalesce(?1, year) = 2001", nullptr)) == (Names{"b"}));
    CHECK(list(letters.query().where("year = :y or id = :id").bind(":id", "c").bind(":y", 2000)) ==
          (Names{"a", "c"}));
    CHECK(list(letters.query()
                   .where("cast(?1 as text) = 'ab' and year = 2000")
                   .bind_blob(1, "ab", 2)) == (Names{"a"}));
    CHECK(letters.query().where("year = :y").bind(":z", 1).try_count().failure().message ==
          "the filter has no parameter :z");
    CHECK(!letters.query().where("year = ?1").try_count().ok());
    // A filter of its own for each query.
    const std::vector<float> two = {0, 0, 0, 0};
    quern::Outcome<quern::Rows> both = letters.query()
                                           .dense("v", two, 2)
                                           .where("year = ?1", 2000)
                                           .bind_for(1)
                                           .bind(1, 2002)
                                           .try_search();
    CHECK(both.ok() && Ids(*both) == (Names{"a", "c"}));
}

void TestSearches() {
    quern::Outcome<quern::Database> db = quern::try_open(":memory:");
    const quern::Collection letters = NewLetters(&*db);
    // c - a + b: (3, 0).
    CHECK(Ids(*letters.query()
                   .compose("v", 1, "terms=raw")
                   .term(1, "c")
                   .term(-1, std::string("a"))
                   .term(1, std::vector<float>{1, 0})
                   .options("self=include")
                   .limit(1)
                   .try_search()) == (Names{"c"}));
    CHECK(letters.query().compose("v").term(1, 7).try_search().failure().status == QUERN_ERR_TYPE);
    const std::vector<uint32_t> dims = {5, 7};
    const std::vector<float> weights = {1, 1};
    CHECK(Ids(*letters.query().sparse("terms", dims, weights).limit(1).try_search()) ==
          (Names{"c"}));
    const std::vector<size_t> offsets = {0, 1, 2};
    CHECK(letters.query().sparse("terms", offsets, dims, {}).try_search()->queries() == 2);
    const std::vector<size_t> bad = {0, 9};
    CHECK(letters.query().sparse("terms", bad, dims, {}).try_search().failure().message ==
          "terms: offsets, dims and weights do not fit");
    const std::vector<std::string> words = {"whale", "ship"};
    CHECK(letters.query().texts("body", words).try_search()->queries() == 2);
    CHECK(!letters.query().sparse_text("terms", "whale").try_search().ok());
    CHECK(letters.query().dense("v", {0, 0}).feedback("docs=1").try_search().ok());
    CHECK(Ids(*letters.query()
                   .leg(letters.query().dense("v", {0, 0}))
                   .formula("if(year > :since, 1, 0)")
                   .formula_bind(":since", 2001)
                   .limit(1)
                   .try_search()) == (Names{"c"}));

    // Hubs, and what a formula makes of them.
    CHECK(letters.try_measure_hubs("v", "hub", {}, 0, "k=1 sample=3").ok());
    CHECK(letters.batch(1).ids({"b"}).try_get("hub")->operator[](0).real(0) == -1);
    CHECK(letters.try_measure_hubs("v", "hub", std::vector<float>{0, 0, 1}, 2).failure().message ==
          "queries: 3 numbers in 2 rows");
    CHECK(letters.try_measure_hubs("v", "year").failure().status == QUERN_ERR_TYPE);
    const quern::Query corrected =
        letters.query().leg(letters.query().dense("v", {1.1f, 0}).limit(3)).formula("2 * v - hub");
    quern::Outcome<quern::Rows> hits = corrected.try_search();
    CHECK(hits.ok() && hits->size() == 3);
    quern::Outcome<std::string> why = corrected.try_explain_hits(*hits);
    CHECK(why.ok() && why->find("\"b\"") != std::string::npos);
    CHECK(hits->explain().find("\"truth\":{\"ways\":{\"scan\":1}") != std::string::npos);
    CHECK(letters.query().try_list()->explain().empty());
    // Pages of a search go on behind bookmarks.
    quern::Outcome<quern::Rows> first = letters.query().dense("v", {0, 0}).limit(1).try_search();
    quern::Outcome<quern::Rows> second =
        letters.query().dense("v", {0, 0}).limit(1).after(first->bookmark()).try_search();
    CHECK(second.ok() && second->size() == 1 && second->distances()[0] >= first->distances()[0]);

    quern::Outcome<std::string> audit =
        letters.query().dense("v", {0, 0}).limit(2).try_recall_audit();
    CHECK(audit.ok() && audit->find("\"recall\"") != std::string::npos);
    CHECK(!letters.query().dense("v", {0, 0}).limit(2).try_recall_audit("keep=maybe").ok());
}

void TestFusions() {
    quern::Outcome<quern::Database> db = quern::try_open(":memory:");
    const quern::Collection letters = NewLetters(&*db);
    const quern::Query legs = letters.query()
                                  .leg(letters.query().dense("v", {2, 0}))
                                  .leg(letters.query().text("body", "whale"));
    const std::vector<size_t> queries = {0, 0};
    const std::vector<float> gains = {1, 0};
    quern::Outcome<quern::FittedFusion> fitted =
        legs.try_fit_fusion(letters.batch(2).ids({"a", "c"}), queries, gains, "k=3");
    CHECK(fitted.ok() && fitted->after >= fitted->before &&
          fitted->fusion.find("weights=") != std::string::npos);
    CHECK(Ids(*letters.query()
                   .leg(letters.query().dense("v", {2, 0}))
                   .leg(letters.query().text("body", "whale"))
                   .fusion(fitted->fusion.c_str())
                   .limit(1)
                   .try_search()) == (Names{"a"}));
    CHECK(legs.try_fit_fusion(letters.batch(2).ids({"a", "c"}), queries, std::vector<float>{1})
              .failure()
              .message == "queries and gains: 2 and 1 values for 2 records");
    CHECK(!legs.try_fit_fusion(letters.batch(2).ids({"a"}), queries).ok());
    CHECK(legs.try_store_fusion("mine").ok());
    CHECK(letters.query()
              .leg(letters.query().dense("v", {2, 0}))
              .leg(letters.query().text("body", "whale"))
              .fusion("stored=mine")
              .try_search()
              .ok());
    CHECK(letters.try_set_attr("year", "index=none").ok());
    CHECK(letters.try_set_attr("year", "index=auto").ok());
    CHECK(letters.try_set_attr("nope", "index=auto").failure().status == QUERN_ERR_UNKNOWN_FIELD);
    CHECK(letters.try_drop_fusion("mine").ok());
    CHECK(letters.try_drop_fusion("mine").failure().status == QUERN_ERR_NOT_FOUND);
}

void TestCursors() {
    quern::Outcome<quern::Database> db = quern::try_open(":memory:");
    const quern::Collection letters = NewLetters(&*db);
    quern::Outcome<quern::Cursor> cursor = letters.try_scan("year");
    CHECK(cursor.ok() && Ids(*cursor->try_next(2)) == (Names{"a", "b"}));
    CHECK(Ids(*cursor->try_next()) == (Names{"c"}) && cursor->try_next()->empty());
    CHECK(cursor->try_after("a").ok() && Ids(*cursor->try_next()) == (Names{"b", "c"}));
    CHECK(cursor->try_after(1).failure().status == QUERN_ERR_TYPE);
    CHECK(letters.try_scan("nope").failure().status == QUERN_ERR_UNKNOWN_FIELD);

    quern::Pages pages = letters.query().order("year desc").limit(2).pages();
    CHECK(Ids(*pages.try_next()) == (Names{"c", "b"}));
    CHECK(Ids(*pages.try_next()) == (Names{"a"}));
    CHECK(pages.try_next()->empty() && pages.try_next()->empty());
    quern::Pages none = letters.query().where("year = 1").pages();
    CHECK(none.try_next()->empty());
}

// What changes a collection and a file.
void TestChanges() {
    quern::Outcome<quern::Database> db = quern::try_open(":memory:");
    quern::Collection letters = *db->try_collection("letters", Letters());
    CHECK(Fill(letters).ok());
    CHECK(letters.try_add_attr("raw", QUERN_BLOB).ok());
    CHECK(letters.try_add_attr("lang", QUERN_TEXT).ok() &&
          letters.try_add_dense("w", 3, QUERN_COSINE).ok() && letters.try_add_sparse("more").ok() &&
          letters.try_add_text("title").ok());
    CHECK(letters.try_add_text("title").failure().status == QUERN_ERR_EXISTS);
    CHECK(letters.try_drop_column("lang").ok() && letters.try_add_attr("lang", QUERN_TEXT).ok());
    quern::Outcome<quern::Schema> schema = db->try_describe("letters");
    CHECK(schema->has_text_keys() && schema->key_name() == "id");
    CHECK(schema->dense_fields() == (Names{"v", "w"}) &&
          schema->text_fields() == (Names{"body", "title"}) &&
          schema->sparse_fields() == (Names{"terms", "more"}) &&
          schema->attrs() == (Names{"year", "price", "tags", "raw", "lang"}));

    const Names raw = {std::string("a\0b", 3), ""};
    CHECK(letters.batch(2).ids({"a", "b"}).blobs("raw", raw).try_update().ok());
    CHECK(letters.batch(2)
              .ids({"a", "b"})
              .blobs("raw", Names{"one"})
              .try_update()
              .failure()
              .message == "raw: 1 values for 2 records");
    CHECK((*letters.batch(1).ids({"a"}).try_get("raw"))[0].text(0) == raw[0]);
    CHECK(*letters.query().where("year > ?1", 2000).set("lang = ?2").bind(2, "en").try_update() ==
          2);
    CHECK(*letters.query().where("lang = 'en'").try_count() == 2);
    CHECK(letters.query().where("1").set("nope = 1").try_update().failure().status ==
          QUERN_ERR_UNKNOWN_FIELD);

    quern::Outcome<quern::Rows> all =
        letters.query().order("year").columns("year,price,lang").try_list();
    std::vector<uint8_t> present;
    CHECK(all->integers(0) == (std::vector<int64_t>{2000, 2001, 2002}));
    CHECK(all->reals(1, &present) == (std::vector<double>{0.5, 1.5, 2.5}) && present.size() == 3);
    CHECK(all->has_text_ids() && all->integers(2, &present)[0] == 0 && present[0] == 0);
    quern::Outcome<quern::Rows> hits = letters.query()
                                           .leg(letters.query().dense("v", {0, 0}))
                                           .leg(letters.query().text("body", "ship"))
                                           .try_search();
    CHECK(hits->legs() == 2 && hits->scores().size() == hits->size());
    CHECK(hits->leg_stat(0, QUERN_RESULT_VECTORS_SCORED) > 0);

    CHECK(letters.try_snippet("body", "whale", "the white whale")->find("whale") !=
          std::string::npos);
    const std::vector<uint32_t> dims = {5, 7};
    const std::vector<float> weights = {2, 1};
    CHECK(letters.try_set_token_weights("terms", Names{"mill", "stone"}, dims, weights, "porter")
              .ok());
    CHECK(Ids(*letters.query().sparse_text("terms", "stones").try_search()) == (Names{"c"}));
    CHECK(letters.try_set_token_weights("terms", Names{"mill"}, dims).failure().status ==
          QUERN_ERR_INVALID);
    CHECK(letters.try_sparse_stats("terms")->find("\"entries\":3") != std::string::npos);
    CHECK(letters.try_sparse_stats("terms", std::vector<size_t>{0, 3}, dims).failure().status ==
          QUERN_ERR_INVALID);

    quern::Outcome<quern::Snapshot> before = db->try_snapshot();
    CHECK(letters.batch(1).ids({"a"}).try_erase().ok());
    CHECK(*letters.try_size() == 2 && *letters.try_size(&*before) == 3);
    const std::string empty_bitmap("\x3a\x30\0\0\0\0\0\0", 8);
    CHECK(quern::KeySet::try_of_roaring(empty_bitmap, 32)->size() == 0);
    CHECK(!quern::KeySet::try_of_roaring("no", 32).ok());

    CHECK(db->try_rename("letters", "signs").ok() && *db->try_collections() == "[\"signs\"]");
    const int64_t limit = *db->try_limit(QUERN_LIMIT_RESULT_ROWS, 2);
    CHECK(*db->try_limit(QUERN_LIMIT_RESULT_ROWS) == 2 && limit > 2);
    size_t told = 0;
    CHECK(db->try_progress([&](const char*, uint64_t, uint64_t) { return ++told > 0; }).ok());
    before = quern::Failure();
    quern::Database moved = std::move(*db);
    CHECK(moved.try_optimize().ok() && moved.try_vacuum().ok() && moved.try_rebuild().ok());
    CHECK(moved.try_progress([](const char*, uint64_t, uint64_t) { return false; }).ok());
    const quern::Outcome<quern::Nothing> stopped = moved.try_verify();
    CHECK(stopped.ok() || stopped.failure().status == QUERN_ERR_INTERRUPTED);
    CHECK(moved.try_progress(nullptr).ok() && moved.try_verify().ok());
    CHECK(std::string(quern::version()) == QUERN_VERSION);
}

template <typename T>
bool Tells(const quern::Outcome<T>& outcome, int32_t status, const char* words) {
    if (outcome.ok() || outcome.failure().status != status ||
        outcome.failure().message.find(words) == std::string::npos) {
        std::printf("%s, not %d %s\n",
                    outcome.ok()
                        ? "ok"
                        : (outcome.failure().name() + (": " + outcome.failure().message)).c_str(),
                    status, words);
        return false;
    }
    return true;
}

// A transaction that is over is no transaction "of its own".
void TestTransactionsThatAreOver() {
    quern::Outcome<quern::Database> db = quern::try_open(":memory:");
    const quern::Collection letters = NewLetters(&*db);
    for (int committed = 0; committed < 2; committed++) {
        quern::Outcome<quern::Transaction> txn = db->try_begin();
        CHECK(txn.ok() && !txn->over());
        if (committed != 0) {
            CHECK(txn->try_commit().ok());
        } else {
            txn->rollback();
        }
        CHECK(txn->over());
        const auto over = [](const auto& outcome) { return Tells(outcome, QUERN_ERR_TXN, "over"); };
        CHECK(over(letters.batch(1).ids({"z"}).try_upsert(&*txn)));
        CHECK(over(letters.batch(1).ids({"z"}).try_insert(&*txn)));
        CHECK(over(letters.batch(1).ids({"a"}).try_update(&*txn)));
        CHECK(over(letters.batch(1).ids({"a"}).try_erase(&*txn)));
        CHECK(over(letters.query().where("1").try_erase(&*txn)));
        CHECK(over(letters.query().where("1").set("year = 1").try_update(&*txn)));
        CHECK(over(txn->try_commit()));
        const quern::Transaction elsewhere = std::move(*txn);
        CHECK(elsewhere.over());
    }
    CHECK(*letters.try_size() == 3 && *letters.query().where("year = 1").try_count() == 0);
    quern::Outcome<quern::Transaction> txn = db->try_begin();
    quern::Transaction moved = std::move(*txn);
    CHECK(Tells(letters.batch(1).ids({"z"}).try_upsert(&*txn), QUERN_ERR_MISUSE, "txn"));
    CHECK(Tells(txn->try_commit(), QUERN_ERR_MISUSE, "txn"));
    CHECK(letters.batch(1).ids({"z"}).try_upsert(&moved).ok() && moved.try_commit().ok());
    CHECK(*letters.try_size() == 4);
}

// What was moved from is no argument that was left out.
void TestMovedFrom() {
    quern::Outcome<quern::Database> db = quern::try_open(":memory:");
    quern::Collection letters = NewLetters(&*db);
    const auto misused = [](const auto& outcome, const char* words) {
        return Tells(outcome, QUERN_ERR_MISUSE, words);
    };
    quern::Outcome<quern::KeySet> keys = quern::KeySet::try_of(Names{"a"});
    const quern::KeySet other_keys = std::move(*keys);
    CHECK(misused(letters.query().where("1").only(*keys).try_erase(), "keys"));
    CHECK(misused(letters.query().except(*keys).try_count(), "keys"));
    CHECK(misused(letters.query().only(*keys).try_list(), "keys"));
    CHECK(misused(letters.query().dense("v", {0, 0}).only(*keys).try_search(), "keys"));
    CHECK(misused(letters.query()
                      .dense("v", {0, 0})
                      .candidates(letters.query().text("body", "white").only(*keys))
                      .try_search(),
                  "keys"));
    CHECK(misused(letters.query().leg(letters.query().dense("v", {0, 0}).only(*keys)).try_search(),
                  "keys"));
    CHECK(*letters.query().only(other_keys).try_count() == 1);

    quern::Outcome<quern::Snapshot> snapshot = db->try_snapshot();
    const quern::Snapshot before = std::move(*snapshot);
    CHECK(misused(letters.try_size(&*snapshot), "snapshot"));
    CHECK(misused(letters.try_scan("year", &*snapshot), "snapshot"));
    CHECK(misused(letters.try_sparse_stats("terms", {}, {}, &*snapshot), "snapshot"));
    CHECK(misused(letters.batch(1).ids({"a"}).try_get("year", &*snapshot), "snapshot"));
    CHECK(misused(letters.query().snapshot(*snapshot).try_count(), "snapshot"));
    CHECK(misused(db->try_sql("select 1", &*snapshot), "snapshot"));
    CHECK(*letters.try_size(&before) == 3);

    quern::Query query = letters.query().dense("v", {0, 0});
    const quern::Query other_query = std::move(query);
    CHECK(!query.try_search().ok() && other_query.try_search().ok());
    CHECK(!letters.query().leg(std::move(query)).try_search().ok());
    quern::Batch batch = letters.batch(1);
    const quern::Batch other_batch = std::move(batch);
    CHECK(misused(std::move(batch).ids({"a"}).try_upsert(), ""));
    quern::Outcome<quern::Cursor> cursor = letters.try_scan();
    const quern::Cursor other_cursor = std::move(*cursor);
    CHECK(misused(cursor->try_next(), ""));
    quern::Schema schema = Letters();
    const quern::Schema other_schema = std::move(schema);
    CHECK(schema.attrs().empty() && misused(db->try_collection("more", schema), ""));

    const quern::Collection there = std::move(letters);
    CHECK(misused(letters.try_size(), "") && misused(letters.try_drop_fusion("x"), ""));
    CHECK(misused(letters.batch(1).ids({"a"}).try_upsert(), ""));
    CHECK(misused(letters.query().try_count(), "") && misused(letters.try_scan(), ""));
    CHECK(misused(letters.try_set_attr("year", "index=auto"), ""));
    CHECK(misused(letters.try_measure_hubs("v", "hub"), ""));
    CHECK(misused(letters.try_snippet("body", "a", "a"), ""));
    CHECK(misused(letters.try_search("v", std::vector<float>{0, 0}), ""));
    CHECK(*there.try_size() == 3);
#if QUERN_HPP_EXCEPTIONS
    try {
        (void)schema.key_name();
        CHECK(false);
    } catch (const quern::Error& error) {
        CHECK(error.status() == QUERN_ERR_MISUSE);
    }
#else
    CHECK(schema.key_name().empty());
#endif
}

// C would end a name at its first NUL, and so take another one.
void TestNamesWithNul() {
    quern::Outcome<quern::Database> db = quern::try_open(":memory:");
    const quern::Collection letters = NewLetters(&*db);
    const std::string nul("letters\0x", 9);
    const auto refused = [](const auto& outcome, const char* what) {
        return Tells(outcome, QUERN_ERR_INVALID, "NUL") &&
               outcome.failure().message.find(what) == 0;
    };
    CHECK(refused(quern::try_open(std::string(":memory:\0x", 10)), "path"));
    CHECK(refused(db->try_collection(nul), "name"));
    CHECK(refused(db->try_collection(nul, Letters()), "name"));
    CHECK(refused(db->try_describe(nul), "name"));
    CHECK(refused(db->try_drop(nul), "name"));
    CHECK(refused(db->try_rename(nul, "more"), "from"));
    CHECK(refused(db->try_rename("letters", nul), "to"));
    CHECK(refused(db->try_attach(nul, "x"), "name"));
    CHECK(refused(db->try_attach("x", nul), "path"));
    CHECK(refused(db->try_detach(nul), "name"));
    CHECK(refused(db->try_backup(nul), "path"));
    CHECK(refused(quern::Query(db->handle(), nul).try_count(), "collection"));
    CHECK(refused(quern::Batch(db->handle(), nul, 1).ids({"a"}).try_erase(), "collection"));
    CHECK(refused(letters.query().order("year").after(nul).try_list(), "bookmark"));
    CHECK(!letters.query().where("year = :y").bind(std::string(":y\0x", 4), 1).try_count().ok());
    CHECK(*db->try_collections() == "[\"letters\"]" && *letters.try_size() == 3);
}

// Vectors that some records have.
void TestVectorsThatAreAbsent() {
    quern::Outcome<quern::Database> db = quern::try_open(":memory:");
    const quern::Collection letters = NewLetters(&*db);
    CHECK(letters.try_add_dense("h", 2, QUERN_L2, "type=f16").ok());
    const std::vector<uint16_t> halves = {0x3c00, 0, 0, 0, 0, 0x3c00};
    const std::vector<uint8_t> valid = {1, 0, 1}, some = {1, 0};
    const std::vector<size_t> offsets = {0, 1, 1, 1};
    const std::vector<uint32_t> dims = {9};
    const quern::Span<uint16_t> matrix(halves);
    CHECK(letters.batch(3)
              .ids({"a", "b", "c"})
              .dense_raw("h", matrix, QUERN_F16, 2, valid)
              .sparse("terms", offsets, dims, {}, valid)
              .try_update()
              .ok());
    CHECK(letters.query().dense("h", {0, 0}).try_search()->size() == 2);
    quern::Outcome<quern::Rows> rows = letters.batch(3).ids({"a", "b", "c"}).try_get("terms");
    CHECK(!(*rows)[0].is_null(0) && (*rows)[1].is_null(0) && !(*rows)[2].is_null(0));
    CHECK(Tells(letters.batch(3)
                    .ids({"a", "b", "c"})
                    .dense_raw("h", matrix, QUERN_F16, 2, some)
                    .try_update(),
                QUERN_ERR_INVALID, "h"));
    CHECK(Tells(
        letters.batch(3).ids({"a", "b", "c"}).sparse("terms", offsets, dims, {}, some).try_update(),
        QUERN_ERR_INVALID, "terms"));
}

#if QUERN_HPP_EXCEPTIONS
// A failure keeps its message however often it is asked for.
void TestFailuresKeepTheirMessage() {
    quern::Outcome<quern::Database> none = quern::try_open("/nowhere/at/all/x.quern");
    std::string told[2];
    for (std::string& message : told) {
        try {
            (void)none.value();
            CHECK(false);
        } catch (const quern::Error& error) {
            message = error.what();
        }
    }
    CHECK(!told[0].empty() && told[0] == told[1] && none.failure().message == told[0]);
}

void TestExceptions() {
    quern::Database db = quern::open(":memory:");
    quern::Collection letters = db.collection("letters", Letters());
    Fill(letters).value();
    CHECK(Ids(letters.search("v", std::vector<float>{2, 0}, 1)) == (Names{"c"}));
    quern::Rows page = letters.query().order("year desc").limit(2).list();
    CHECK(Ids(page) == (Names{"c", "b"}));
    CHECK(Ids(letters.query().order("year desc").after(page.bookmark()).list()) == (Names{"a"}));
    CHECK(letters.query().facet("tags").size() == 2);
    try {
        letters.query().where("nope = 1").count();
        CHECK(false);
    } catch (const quern::Error& error) {
        CHECK(error.status() == QUERN_ERR_UNKNOWN_FIELD &&
              std::string(error.what()).find("nope") != std::string::npos);
    }
    try {
        quern::Transaction txn = db.begin();
        letters.batch(1).ids({"a"}).erase(&txn);
        letters.batch(1).ids({"b"}).insert(&txn);
        CHECK(false);
    } catch (const quern::Error& error) {
        CHECK(error.status() == QUERN_ERR_KEY_EXISTS);
    }
    const quern::Rows three = letters.query().list();
    CHECK(three[2].text_id() == "c");
    try {
        (void)three[3].text_id();
        CHECK(false);
    } catch (const std::out_of_range& error) {
        CHECK(std::string(error.what()) == "row 3 of 3");
    }
    try {
        (void)three.query(7);
        CHECK(false);
    } catch (const std::out_of_range&) {
    }
    CHECK(letters.size() == 3);
    letters.add_attr("lang", QUERN_TEXT);
    CHECK(letters.query().where("year = 2000").set("lang = 'de'").update() == 1);
    db.progress([](const char*, uint64_t, uint64_t) -> bool { throw std::string("stop"); });
    try {
        db.optimize();
    } catch (const quern::Error& error) {
        CHECK(error.status() == QUERN_ERR_INTERRUPTED);
    }
    db.progress(nullptr);
    CHECK(db.collections() == "[\"letters\"]");
    quern::Cursor cursor = letters.scan();
    CHECK(cursor.next().size() == 3);
    quern::Pages pages = letters.query().where("year > ?1", 2000).limit(1).pages();
    size_t rows = 0;
    for (quern::Rows some = pages.next(); !some.empty(); some = pages.next()) {
        rows += some.size();
    }
    CHECK(rows == 2);
    try {
        letters.query().where("year = :y").bind(":nope", 1).count();
        CHECK(false);
    } catch (const quern::Error& error) {
        CHECK(error.status() == QUERN_ERR_INVALID);
    }
}
#endif

}  // namespace

int main() {
    TestValues();
    TestParameters();
    TestSearches();
    TestFusions();
    TestCursors();
    TestChanges();
    TestTransactionsThatAreOver();
    TestMovedFrom();
    TestNamesWithNul();
    TestVectorsThatAreAbsent();
#if QUERN_HPP_EXCEPTIONS
    TestFailuresKeepTheirMessage();
    TestExceptions();
#endif
    std::puts("quern.hpp: right");
    return 0;
}
