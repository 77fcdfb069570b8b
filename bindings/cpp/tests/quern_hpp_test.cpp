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
    CHECK(txn->try_commit().failure().status == QUERN_ERR_MISUSE);
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

#if QUERN_HPP_EXCEPTIONS
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
    CHECK(letters.size() == 3);
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
#if QUERN_HPP_EXCEPTIONS
    TestExceptions();
#endif
    std::puts("quern.hpp: right");
    return 0;
}
