// A file of which one page of a tree is damaged, with a checksum that shows it or with one that
// hides it from all but SQLite: a rebuild restores what can be made anew and names what cannot.
#include <quern.h>
#include <sqlite3.h>
#include <unistd.h>
#include <xxhash.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "storage/page_vfs.h"
#include "tests/unit/faulty_vfs.h"
#include "tests/unit/indexed_file.h"

namespace {

constexpr size_t kPage = 16384;
constexpr size_t kContent = 16320;
constexpr size_t kDim = indexed::kDim;
constexpr size_t kRecords = 4000;

using Damage = std::function<void(char* page)>;

void Flip(char* page, size_t at, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        page[at + i] = static_cast<char>(page[at + i] ^ 0x5a);
    }
}

uint32_t BigEndian(const std::string& bytes, size_t at, int count) {
    uint32_t value = 0;
    for (int i = 0; i < count; i++) {
        value = value << 8 | static_cast<uint8_t>(bytes[at + static_cast<size_t>(i)]);
    }
    return value;
}

// Collection 'docs' with a graph, lists, token weights and a sparse index with its approximate one,
// and 'other'.
class TreeFile {
public:
    TreeFile() {
        path_ = (std::filesystem::temp_directory_path() /
                 ("quern_rebuild_" + std::to_string(getpid()) + ".db"))
                    .string();
        Remove();
        // Made once: indexes take long to build.
        static std::string made;
        static std::string made_answers;
        if (!made.empty()) {
            sound = made;
            sound_answers_ = made_answers;
            std::ofstream(path_, std::ios::binary) << sound;
            return;
        }
        REQUIRE(Open() == QUERN_OK);
        for (const char* name : {"docs", "other"}) {
            quern_schema* schema = quern_schema_new();
            quern_schema_attr(schema, "year", QUERN_INT, nullptr);
            quern_schema_dense(schema, "graph", kDim, QUERN_COSINE,
                               "index=graph codes=i8 ef_build=20");
            quern_schema_dense(schema, "lists", kDim, QUERN_L2, "index=lists");
            quern_schema_sparse(schema, "terms", "approx=graph");
            Ok(quern_create(db, name, schema, &err));
            quern_schema_free(schema);
        }
        Insert("docs", kRecords);
        Insert("other", 50);
        const char* const token = "mill";
        const uint32_t of_token = 40;
        const float weight = 2;
        Ok(quern_set_token_weights(db, "docs", "terms", &token, &of_token, &weight, 1, nullptr,
                                   &err));
        Ok(quern_optimize(db, nullptr, 0, &err));
        sound_answers_ = Answers();
        CHECK(!degraded_);
        Close();
        sound = Read();
        made = sound;
        made_answers = sound_answers_;
    }
    ~TreeFile() {
        Close();
        Remove();
    }
    void Close() {
        quern_close(db);
        db = nullptr;
    }
    int32_t Open(const char* options = "threads=1") {
        err = QUERN_ERROR_INIT;
        return quern_open(path_.c_str(), options, &db, &err);
    }
    void Ok(int32_t status) {
        INFO(err.message);
        REQUIRE(status == QUERN_OK);
    }
    std::string Read() const {
        std::ifstream in(path_, std::ios::binary);
        return std::string(std::istreambuf_iterator<char>(in), {});
    }
    // The file as it was, but for one page (from 1).
    void Damaged(uint32_t number, const Damage& damage, bool hide) {
        Close();
        Remove();
        std::string bytes = sound;
        char* page = bytes.data() + (number - 1) * kPage;
        damage(page);
        if (hide) {
            const uint64_t hash = XXH3_64bits_withSeed(page, kContent, number);
            std::memcpy(page + kContent, &hash, sizeof hash);
        }
        std::ofstream(path_, std::ios::binary | std::ios::trunc) << bytes;
    }
    uint32_t Root(const std::string& table) const {
        const std::string copy = path_ + "-copy";
        std::filesystem::copy_file(path_, copy, std::filesystem::copy_options::overwrite_existing);
        sqlite3* raw = nullptr;
        REQUIRE(sqlite3_open(copy.c_str(), &raw) == SQLITE_OK);
        sqlite3_stmt* row = nullptr;
        const std::string sql = "SELECT rootpage FROM sqlite_schema WHERE name='" + table + "'";
        REQUIRE(sqlite3_prepare_v2(raw, sql.c_str(), -1, &row, nullptr) == SQLITE_OK);
        REQUIRE(sqlite3_step(row) == SQLITE_ROW);
        const auto root = static_cast<uint32_t>(sqlite3_column_int(row, 0));
        sqlite3_finalize(row);
        sqlite3_close(raw);
        std::filesystem::remove(copy);
        return root;
    }
    // Pages below an interior page of a table.
    std::vector<uint32_t> Children(uint32_t number) const {
        std::vector<uint32_t> children;
        const size_t page = (number - 1) * kPage;
        if (sound[page] != 5) {
            return children;
        }
        const uint32_t cells = BigEndian(sound, page + 3, 2);
        for (uint32_t i = 0; i < cells; i++) {
            const uint32_t cell = BigEndian(sound, page + 12 + 2 * i, 2);
            children.push_back(BigEndian(sound, page + cell, 4));
        }
        children.push_back(BigEndian(sound, page + 8, 4));
        return children;
    }
    // Of all three fields, and of one by a text.
    std::string Answers() {
        std::string answers;
        degraded_ = false;
        const std::vector<float> queries = indexed::MakeRows(10, 2);
        for (const char* field : {"graph", "lists", "terms", "text"}) {
            quern_query* query = quern_query_new(db, "docs");
            const size_t offsets[2] = {0, 3};
            const uint32_t dims[3] = {3, 40, 500};
            const float weights[3] = {1, 2, 3};
            const char* const text = "The Mill";
            if (std::string(field) == "text") {
                quern_query_sparse_text(query, "terms", &text, 1);
            } else if (std::string(field) == "terms") {
                quern_query_sparse(query, field, offsets, dims, weights, 1);
            } else {
                quern_query_dense(query, field, queries.data(), 10, kDim);
                quern_query_options(query, "recall=0.999");
            }
            quern_result* result = nullptr;
            const int32_t status = quern_search(query, &result, &err);
            answers += status == QUERN_OK ? "" : std::string(field) + " fails";
            degraded_ = degraded_ || (quern_result_flags(result) & QUERN_FLAG_DEGRADED) != 0;
            for (size_t row = 0; row < quern_result_rows(result); row++) {
                answers += std::to_string(quern_result_key_int(result, row)) + " ";
            }
            quern_result_free(result);
            quern_query_free(query);
        }
        return answers;
    }
    bool AnswersAsBefore() { return Answers() == sound_answers_ && !degraded_; }
    // What verify finds.
    std::string Problems() {
        quern_text* report = nullptr;
        const int32_t status = quern_verify(db, &report, &err);
        const std::string text = status == QUERN_OK ? "" : quern_text_data(report);
        quern_text_free(report);
        return text;
    }

    std::string sound;
    quern_db* db = nullptr;
    quern_error err = QUERN_ERROR_INIT;

private:
    void Insert(const char* name, size_t count) {
        const std::vector<float> rows = indexed::MakeRows(count, 1);
        std::vector<int64_t> keys(count);
        std::vector<int64_t> years(count);
        std::vector<size_t> offsets(count + 1);
        std::vector<uint32_t> dims;
        std::vector<float> weights;
        std::mt19937 random(5);
        for (size_t i = 0; i < count; i++) {
            keys[i] = static_cast<int64_t>(i);
            years[i] = static_cast<int64_t>(i % 37);
            std::set<uint32_t> terms{3, 40};
            while (terms.size() < 12) {
                terms.insert(static_cast<uint32_t>(random() % 2000));
            }
            dims.insert(dims.end(), terms.begin(), terms.end());
            for (size_t t = 0; t < terms.size(); t++) {
                weights.push_back(0.01f * static_cast<float>(1 + random() % 1000));
            }
            offsets[i + 1] = dims.size();
        }
        quern_batch* batch = quern_batch_new(db, name, count);
        quern_batch_key_int(batch, keys.data());
        quern_batch_int(batch, "year", years.data(), nullptr);
        quern_batch_dense(batch, "graph", rows.data(), kDim, nullptr);
        quern_batch_dense(batch, "lists", rows.data(), kDim, nullptr);
        quern_batch_sparse(batch, "terms", offsets.data(), dims.data(), weights.data(), nullptr);
        Ok(quern_insert(batch, nullptr, &err));
        quern_batch_free(batch);
    }
    void Remove() {
        for (const char* suffix : {"", "-wal", "-shm"}) {
            std::filesystem::remove(path_ + suffix);
        }
    }
    std::string path_;
    std::string sound_answers_;
    bool degraded_ = false;
};

// Ways to damage a page of a tree; the first three are seen by its checksum, the others by SQLite.
struct Way {
    const char* name;
    bool hide;
    Damage damage;
};
const std::vector<Way>& Ways() {
    static const std::vector<Way> ways = {
        {"some bytes in the middle", false, [](char* page) { Flip(page, 8000, 8); }},
        {"its header", false, [](char* page) { Flip(page, 0, 12); }},
        {"all of it", false, [](char* page) { Flip(page, 0, kPage); }},
        {"its kind", true, [](char* page) { page[0] = 2; }},
        {"the number of its cells", true, [](char* page) { Flip(page, 3, 2); }},
        {"a pointer to a cell", true, [](char* page) { Flip(page, 12, 2); }},
        {"a pointer to a page", true, [](char* page) { Flip(page, 8, 4); }},
        {"all of it is zero", true, [](char* page) { std::memset(page, 0, kContent); }},
    };
    return ways;
}

}  // namespace

TEST_CASE("a rebuild restores all when pages that lead to chunks are damaged", "[rebuild]") {
    TreeFile file;
    const uint32_t root = file.Root("quern_chunk");
    REQUIRE(file.Children(root).size() > 4);
    for (const Way& way : Ways()) {
        INFO("root: " << way.name);
        file.Damaged(root, way.damage, way.hide);
        file.Ok(file.Open());
        file.Answers();  // errors are fine, crashes are not
        file.Ok(quern_rebuild(file.db, nullptr, &file.err));
        CHECK(file.Problems().empty());
        CHECK(file.AnswersAsBefore());
        // As good as new, for others too.
        file.Close();
        CHECK(file.Read().size() <= file.sound.size() + file.sound.size() / 8);
        file.Ok(file.Open());
        CHECK(file.AnswersAsBefore());
        file.Ok(quern_vacuum(file.db, &file.err));
        CHECK(file.Problems().empty());
    }
}

TEST_CASE("a rebuild restores what a damaged leaf of the chunks held, or names it", "[rebuild]") {
    TreeFile file;
    const std::vector<uint32_t> leaves = file.Children(file.Root("quern_chunk"));
    size_t restored = 0;
    size_t lost = 0;
    for (size_t i = 0; i < leaves.size(); i += 3) {
        const Way& way = Ways()[i / 3 % Ways().size()];
        INFO("page " << leaves[i] << ": " << way.name);
        file.Damaged(leaves[i], way.damage, way.hide);
        file.Ok(file.Open());
        file.Answers();
        const int32_t status = quern_rebuild(file.db, nullptr, &file.err);
        const std::string message = file.err.message;
        INFO(message);
        const std::string problems = file.Problems();
        INFO(problems);
        if (status == QUERN_OK) {
            restored++;
            CHECK(problems.empty());
            CHECK(file.AnswersAsBefore());
        } else {
            lost++;
            CHECK(status == QUERN_ERR_CORRUPT);
            CHECK(message.find("this is lost: collection '") != std::string::npos);
            CHECK(message.find(", segment ") != std::string::npos);
            // Nothing but what was named.
            CHECK(problems.find("B-tree") == std::string::npos);
            CHECK(problems.find("page ") == std::string::npos);
            CHECK(problems.find("rebuild makes it anew") == std::string::npos);
        }
    }
    INFO(restored << " restored, " << lost << " lost");
    CHECK(restored > lost);
    CHECK(lost > 0);
}

TEST_CASE("verify counts the pages that nothing leads to any more", "[rebuild]") {
    TreeFile file;
    const uint32_t root = file.Root("quern_chunk");
    const size_t below = file.Children(root).size();
    REQUIRE(below > 3);
    // Its kind, with a checksum that fits: the tree alone tells.
    file.Damaged(
        root, [](char* page) { Flip(page, 0, 1); }, true);
    file.Ok(file.Open());
    const std::string problems = file.Problems();
    INFO(problems);
    CHECK(problems.find("is never used") == std::string::npos);
    const size_t at = problems.find(" pages are in no tree");
    REQUIRE(at != std::string::npos);
    const size_t number = problems.rfind(' ', at - 1) + 1;
    CHECK(std::stoul(problems.substr(number, at - number)) >= below);
}

TEST_CASE("a rebuild mends damaged pages that only lead to others", "[rebuild]") {
    TreeFile file;
    // The pointer map, which SQLite looks at when it moves pages.
    for (const bool hide : {false, true}) {
        INFO("hidden " << hide);
        file.Damaged(
            2, [](char* page) { Flip(page, 40, 200); }, hide);
        file.Ok(file.Open());
        CHECK(!file.Problems().empty());
        file.Ok(quern_rebuild(file.db, nullptr, &file.err));
        CHECK(file.Problems().empty());
        CHECK(file.AnswersAsBefore());
    }
}

TEST_CASE("a rebuild says which table is damaged when it cannot be made anew", "[rebuild]") {
    TreeFile file;
    const struct {
        const char* table;
        const char* named;
    } cases[] = {{"quern_part", "table quern_part"},
                 {"quern_dead", "table quern_dead"},
                 {"docs", "the records of collection 'docs'"}};
    for (const auto& [table, named] : cases) {
        INFO(table);
        file.Damaged(
            file.Root(table), [](char* page) { Flip(page, 8000, 8); }, false);
        if (file.Open() != QUERN_OK) {
            continue;
        }
        CHECK(quern_rebuild(file.db, nullptr, &file.err) == QUERN_ERR_CORRUPT);
        INFO(file.err.message);
        CHECK(std::string(file.err.message).find("damaged: ") != std::string::npos);
        CHECK(std::string(file.err.message).find(named) != std::string::npos);
    }
}

TEST_CASE("a rebuild makes the indexes of tables anew", "[rebuild]") {
    TreeFile file;
    const auto [index, hide] = GENERATE(table<std::string, bool>({
        {"sqlite_autoindex_docs_1", false},
        {"sqlite_autoindex_docs_1", true},
        {"quern_part_segment", false},
    }));
    INFO(index << " " << hide);
    // Of the root, or of a leaf below it.
    const uint32_t root = file.Root(index);
    for (const bool header : {false, true}) {
        file.Damaged(
            root, [&](char* page) { Flip(page, header ? 0 : 8, 8); }, hide);
        REQUIRE(file.Open() == QUERN_OK);
        file.Ok(quern_rebuild(file.db, nullptr, &file.err));
        CHECK(file.Problems().empty());
        CHECK(file.AnswersAsBefore());
        // Records can be written again, and keys are unique still.
        quern_query* query = quern_query_new(file.db, "docs");
        quern_query_filter(query, "id < 100");
        uint64_t count = 0;
        file.Ok(quern_query_delete(query, nullptr, &count, &file.err));
        CHECK(count == 100);
        quern_query_free(query);
    }
}

TEST_CASE("a rebuild that finds no room leaves a file that can be rebuilt", "[rebuild]") {
    using quern::testing::FaultyDisk;
    quern::testing::SetBaseVfs(FaultyDisk::Register());
    FaultyDisk::Heal();
    {
        TreeFile file;
        const uint32_t root = file.Root("quern_chunk");
        size_t failed = 0;
        for (int64_t room = 100000; room < 16000000; room *= 2) {
            INFO("room for " << room << " bytes");
            file.Damaged(
                root, [](char* page) { Flip(page, 0, 12); }, false);
            file.Ok(file.Open());
            FaultyDisk::bytes_left = room;
            const int32_t status = quern_rebuild(file.db, nullptr, &file.err);
            FaultyDisk::Heal();
            failed += status != QUERN_OK ? 1 : 0;
            file.Close();
            file.Ok(file.Open());
            file.Ok(quern_rebuild(file.db, nullptr, &file.err));
            CHECK(file.Problems().empty());
            CHECK(file.AnswersAsBefore());
        }
        CHECK(failed >= 3);
    }
    quern::testing::SetBaseVfs(nullptr);
}

TEST_CASE("a rebuild under a snapshot may have to be called again", "[rebuild]") {
    TreeFile file;
    file.Damaged(
        file.Root("quern_chunk"), [](char* page) { Flip(page, 0, 12); }, false);
    file.Ok(file.Open("threads=1 busy_ms=50"));
    quern_snapshot* snapshot = nullptr;
    file.Ok(quern_snapshot_new(file.db, &snapshot, &file.err));
    const int32_t status = quern_rebuild(file.db, nullptr, &file.err);
    INFO(file.err.message);
    CHECK((status == QUERN_OK || status == QUERN_ERR_BUSY));
    quern_snapshot_free(snapshot);
    file.Ok(quern_rebuild(file.db, nullptr, &file.err));
    CHECK(file.Problems().empty());
    CHECK(file.AnswersAsBefore());
}
