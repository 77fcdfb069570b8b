// Columns of attributes that the file keeps: what they say is what SQLite says of the rows, however
// records were changed since, whoever has emptied the log, and whatever became of the file.
#include <nlohmann/json.hpp>

#include <chrono>
#include <thread>

#include "engine/db/attr_parts.h"
#include "engine/filter/column_arrays.h"
#include "storage/file_store.h"
#include "storage/record_log.h"
#include "storage/record_table.h"
#include "tests/unit/filtered_file.h"

using namespace quern;
using filtered::FilteredFile;
using storage::PartKind;

namespace {

using Json = nlohmann::json;

// What the file says of its collections.
std::string Info(FilteredFile* file) {
    quern_text* text = nullptr;
    file->Ok(quern_info(file->db, &text, &file->err));
    const Json info = Json::parse(quern_text_data(text));
    quern_text_free(text);
    return info["collections"].dump();
}

// How many parts of a kind there are.
size_t Parts(FilteredFile* file, const std::string& kind) {
    size_t count = 0;
    for (const Json& collection : Json::parse(Info(file))) {
        for (const Json& segment : collection["segments"]) {
            for (const Json& part : segment["parts"]) {
                count += part["kind"] == kind ? 1 : 0;
            }
        }
    }
    return count;
}

size_t Columns(FilteredFile* file) {
    return Parts(file, "column head");
}

// Of an attribute, as the file's report has them.
std::string Options(FilteredFile* file, const std::string& attribute) {
    for (const Json& collection : Json::parse(Info(file))) {
        for (const Json& attr : collection["attributes"]) {
            if (attr["name"] == attribute) {
                return attr.value("options", "");
            }
        }
    }
    return "no such attribute";
}

// What becomes of an attribute's column in the segments.
std::set<std::string> Kept(FilteredFile* file, const std::string& attribute) {
    std::set<std::string> states;
    for (const Json& collection : Json::parse(Info(file))) {
        for (const Json& segment : collection["segments"]) {
            for (const Json& column : segment["columns"]) {
                if (column["attribute"] == attribute) {
                    states.insert(column["state"]);
                }
            }
        }
    }
    return states;
}

// Their numbers: another one was written anew.
std::string Segments(FilteredFile* file) {
    std::string numbers;
    for (const Json& collection : Json::parse(Info(file))) {
        for (const Json& segment : collection["segments"]) {
            numbers += segment["id"].dump() + " ";
        }
    }
    return numbers;
}

void Verify(FilteredFile* file, int32_t expected = QUERN_OK) {
    quern_text* report = nullptr;
    const int32_t status = quern_verify(file->db, &report, &file->err);
    INFO(quern_text_data(report));
    CHECK(status == expected);
    quern_text_free(report);
}

// Changes records in place.
void Update(FilteredFile* file, const std::string& filter, const std::string& set) {
    quern_query* query = file->Query(filter);
    quern_query_set(query, set.c_str());
    uint64_t updated = 0;
    INFO(filter << " / " << set);
    file->Ok(quern_query_update(query, nullptr, &updated, &file->err));
    quern_query_free(query);
}

const char* const kConditions[] = {"year = 2020",
                                   "year between 0 and 100",
                                   "price < 10",
                                   "title like 'quan%' or title is null",
                                   "lang in ('en', 'fr')",
                                   "good",
                                   "raw = x'3130'",
                                   "tags has 'physics'",
                                   "id between 100 and 900",
                                   "year = 77",
                                   "lang = 'new' or title = 'newer'"};

// By columns and by SQLite.
void Compare(FilteredFile* file) {
    for (const char* condition : kConditions) {
        CAPTURE(condition);
        const std::string sql = "case when (" + std::string(condition) + ") then 1 end";
        if (std::string(condition).find(" has ") == std::string::npos) {
            CHECK(file->Count(condition) == file->Truth(condition).size());
        }
        CHECK(file->Count(condition) == file->Count(sql));
    }
}

// A transaction by means of the storage alone.
template <typename Change>
void Write(const std::string& path, Change change) {
    storage::StoreOptions options;
    options.path = path;
    auto store = storage::FileStore::Open(options);
    REQUIRE(store.ok());
    auto writer = (*store)->BeginWrite();
    REQUIRE(writer.ok());
    storage::Connection* connection = (*writer)->connection();
    auto catalog = storage::ReadCatalog(connection);
    REQUIRE(catalog.ok());
    const auto info = (*catalog)->Find("docs");
    auto segments =
        storage::ReadSegments(connection, info->id, storage::SegmentState::kLive, &info->schema);
    REQUIRE(segments.ok());
    change(connection, *info, *segments);
    REQUIRE((*writer)->Commit().ok());
}

}  // namespace

TEST_CASE("columns come back from their arrays as they were", "[attr_parts]") {
    std::mt19937_64 random(1);
    for (const size_t distinct : {1, 3, 300, 70000}) {
        const size_t records = distinct > 1000 ? 80000 : 1000;
        for (const Cell::Kind kind : {Cell::Kind::kInt, Cell::Kind::kReal, Cell::Kind::kText,
                                      Cell::Kind::kBlob, Cell::Kind::kNull}) {
            filter::ColumnBuilder builder(records);
            for (size_t r = 0; r < records; r++) {
                const uint64_t value = random() % distinct;
                Cell cell;
                cell.kind = random() % 10 == 0 ? Cell::Kind::kNull : kind;
                cell.number = static_cast<int64_t>(value) - 5;
                cell.real = static_cast<double>(value) / 8;
                const std::string text = std::to_string(value);
                cell.text = text;
                REQUIRE(builder.Set(r, cell));
            }
            const auto column = builder.Finish();
            const filter::ColumnArrays arrays = filter::ColumnFile::Encode(*column);
            auto read = filter::ColumnFile::Decode(arrays, records, kind);
            REQUIRE(read.ok());
            REQUIRE((*read)->code_count() == column->code_count());
            size_t wrong = 0;
            for (size_t r = 0; r < records; r++) {
                wrong += (*read)->code(r) == column->code(r) ? 0 : 1;
            }
            for (uint32_t code = 1; code < column->code_count(); code++) {
                const Cell a = (*read)->value(code);
                const Cell b = column->value(code);
                wrong += a.text == b.text && a.number == b.number && a.real == b.real ? 0 : 1;
            }
            CHECK(wrong == 0);
            CHECK(!filter::ColumnFile::Decode(arrays, records + 1, kind).ok());
            if (kind != Cell::Kind::kNull) {
                const auto other = kind == Cell::Kind::kInt ? Cell::Kind::kText : Cell::Kind::kInt;
                CHECK(!filter::ColumnFile::Decode(arrays, records, other).ok());
            }
        }
    }
}

TEST_CASE("a column with changed values is the one that would be built of them", "[attr_parts]") {
    std::mt19937_64 random(2);
    for (int round = 0; round < 100; round++) {
        const size_t records = 1 + random() % 400;
        const size_t distinct = 1 + random() % 300;
        const bool texts = round % 2 == 0;
        std::vector<std::string> values(records);
        std::vector<bool> null(records);
        const auto draw = [&](size_t r, size_t of) {
            values[r] = std::to_string(random() % of);
            null[r] = random() % 5 == 0;
        };
        const auto cell_of = [&](size_t r) {
            Cell cell;
            cell.kind =
                null[r] ? Cell::Kind::kNull : (texts ? Cell::Kind::kText : Cell::Kind::kInt);
            cell.text = values[r];
            cell.number = std::stoll(values[r]);
            return cell;
        };
        const auto build = [&] {
            filter::ColumnBuilder builder(records);
            for (size_t r = 0; r < records; r++) {
                REQUIRE(builder.Set(r, cell_of(r)));
            }
            return builder.Finish();
        };
        for (size_t r = 0; r < records; r++) {
            draw(r, distinct);
        }
        auto column = build();
        std::vector<filter::ChangedValue> changes;
        for (size_t r = 0; r < records; r++) {
            if (random() % 4 == 0) {
                draw(r, 2 * distinct);
                changes.push_back({static_cast<uint32_t>(r), cell_of(r)});
            }
        }
        const auto patched = filter::ColumnPatch::Apply(std::move(column), changes);
        REQUIRE(patched != nullptr);
        for (size_t r = 0; r < records; r++) {
            const uint32_t code = patched->code(r);
            REQUIRE((code == 0) == null[r]);
            if (code != 0) {
                REQUIRE(patched->value(code).text == (texts ? values[r] : ""));
                REQUIRE(patched->value(code).number == (texts ? 0 : std::stoll(values[r])));
            }
        }
        for (uint32_t code = 2; code < patched->code_count(); code++) {
            filter::Value before =
                texts ? filter::Value::Text(std::string(patched->value(code - 1).text))
                      : filter::Value::Int(patched->value(code - 1).number);
            REQUIRE(filter::CompareValues(patched->value(code), before) > 0);
        }
    }
    filter::ColumnBuilder builder(1);
    Cell text;
    text.kind = Cell::Kind::kText;
    Cell number;
    number.kind = Cell::Kind::kInt;
    REQUIRE(builder.Set(0, number));
    CHECK(filter::ColumnPatch::Apply(builder.Finish(), {{0, text}}) == nullptr);
}

TEST_CASE("optimize builds the columns of all attributes that want it", "[attr_parts]") {
    FilteredFile file("parts");
    file.Put(0, 3000, 1);
    CHECK(Columns(&file) == 0);
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    CHECK(Columns(&file) == 8);  // seven attributes and the key
    Compare(&file);
    Verify(&file);
    file.Open();
    Compare(&file);
    // One more, which is there after the next optimize; and one that is not wanted.
    file.Ok(quern_add_attr(file.db, "docs", "late", QUERN_INT, nullptr, &file.err));
    file.Ok(quern_add_attr(file.db, "docs", "never", QUERN_INT, "index=none", &file.err));
    CHECK(Columns(&file) == 8);
    CHECK(file.Count("late is null") == 3000);
    Update(&file, "id < 5", "late = 1, never = 2");
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    CHECK(Columns(&file) == 9);
    file.Open();
    CHECK(file.Count("late = 1 and never = 2") == 5);
    Verify(&file);
    // What is dropped is erased.
    file.Ok(quern_drop_column(file.db, "docs", "late", &file.err));
    CHECK(Columns(&file) == 8);
    CHECK(quern_add_attr(file.db, "docs", "bad", QUERN_INT, "index=yes", &file.err) ==
          QUERN_ERR_OPTION);
    Verify(&file);
}

TEST_CASE("whether the file keeps the column of an attribute can be changed later",
          "[attr_parts]") {
    FilteredFile file("later");
    file.Put(0, 3000, 1);
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    file.Put(3000, 1500, 2);
    file.Open();
    Compare(&file);
    CHECK(Columns(&file) == 8);
    CHECK(Options(&file, "year").empty());
    const uint64_t in_2020 = file.Count("year = 2020");
    const uint64_t english = file.Count("lang = 'en'");
    // Another handle, and a snapshot of each, from before.
    quern_db* other = nullptr;
    file.Ok(quern_open(file.path.c_str(), nullptr, &other, &file.err));
    const auto count = [&](quern_db* db, quern_snapshot* snapshot, const char* filter) {
        quern_query* query = quern_query_new(db, "docs");
        quern_query_filter(query, filter);
        quern_query_snapshot(query, snapshot);
        uint64_t matches = 0;
        file.Ok(quern_query_count(query, &matches, &file.err));
        quern_query_free(query);
        return matches;
    };
    CHECK(count(other, nullptr, "year = 2020") == in_2020);
    quern_snapshot* before = nullptr;
    quern_snapshot* others_before = nullptr;
    file.Ok(quern_snapshot_new(file.db, &before, &file.err));
    file.Ok(quern_snapshot_new(other, &others_before, &file.err));

    // What the file has of it goes at once, and is not built again.
    file.Ok(quern_set_attr(file.db, "docs", "year", "index=none", &file.err));
    CHECK(Columns(&file) == 7);
    CHECK(Options(&file, "year") == "index=none");
    CHECK(Kept(&file, "year") == std::set<std::string>{"none"});
    Verify(&file);
    Compare(&file);
    CHECK(count(other, nullptr, "year = 2020") == in_2020);
    CHECK(count(file.db, before, "year = 2020") == in_2020);
    // Of the attribute whose column was never loaded, too.
    CHECK(count(other, others_before, "lang = 'en'") == english);
    CHECK(count(other, others_before, "year = 2020") == in_2020);
    Update(&file, "id < 5", "year = 77");
    CHECK(count(other, nullptr, "year = 77") == 5);
    CHECK(count(file.db, before, "year = 77") == 0);
    CHECK(count(other, others_before, "year = 77") == 0);
    quern_snapshot_free(before);
    quern_snapshot_free(others_before);
    file.Ok(quern_optimize(other, nullptr, 0, &file.err));
    CHECK(Columns(&file) == 7);
    file.Open();
    Compare(&file);
    CHECK(Options(&file, "year") == "index=none");

    // Said by one handle, built by the other, of the segment that is there.
    const std::string segments = Segments(&file);
    file.Ok(quern_set_attr(file.db, "docs", "YEAR", "index=auto", &file.err));
    CHECK(Options(&file, "year").empty());
    CHECK(Columns(&file) == 7);
    CHECK(file.Count("year = 77") == 5);
    file.Ok(quern_optimize(other, nullptr, 0, &file.err));
    CHECK(Segments(&file) == segments);
    CHECK(Columns(&file) == 8);
    CHECK(Kept(&file, "year") == std::set<std::string>{"kept"});
    CHECK(count(other, nullptr, "year = 77") == 5);
    Compare(&file);
    Verify(&file);
    quern_close(other);
    file.Open();
    Compare(&file);
    CHECK(file.Count("year = 77") == 5);
    // What is so already is no change.
    const std::string info = Info(&file);
    file.Ok(quern_set_attr(file.db, "docs", "year", "index=auto", &file.err));
    CHECK(Info(&file) == info);
    // Background maintenance need not be asked.
    file.Ok(quern_set_attr(file.db, "docs", "year", "index=none", &file.err));
    file.Open("maintenance=background");
    file.Ok(quern_set_attr(file.db, "docs", "year", "index=auto", &file.err));
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (Columns(&file) < 8 && std::chrono::steady_clock::now() < end) {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    CHECK(Columns(&file) == 8);
    CHECK(quern_set_attr(file.db, "docs", "year", "type=text", &file.err) == QUERN_ERR_OPTION);
    CHECK(file.Says("attribute 'year': unknown option 'type'"));
    CHECK(file.Says("only index=auto or index=none can be set later"));
}

TEST_CASE("an option of a newer version stays when an attribute's index is changed",
          "[attr_parts]") {
    FilteredFile file("newer");
    file.Put(0, 1500, 1);
    quern_close(file.db);
    file.db = nullptr;
    Write(file.path, [&](storage::Connection* connection, const storage::CollectionInfo& info,
                         const std::vector<storage::SegmentInfo>&) {
        const auto& attr = info.schema.attrs[static_cast<size_t>(info.schema.FindAttr("year"))];
        REQUIRE(storage::SetOptions(connection, info, attr.id, "blocks=7 unit=a", 1000).ok());
    });
    file.Open();
    file.Ok(quern_set_attr(file.db, "docs", "year", "index=none", &file.err));
    CHECK(Options(&file, "year") == "blocks=7 index=none unit=a");
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    CHECK(Columns(&file) == 7);
    file.Ok(quern_set_attr(file.db, "docs", "year", "index=auto", &file.err));
    CHECK(Options(&file, "year") == "blocks=7 unit=a");
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    CHECK(Columns(&file) == 8);
    Verify(&file);
}

TEST_CASE("columns of many attributes are built some at a time", "[attr_parts]") {
    FilteredFile file("many");
    for (int a = 0; a < 12; a++) {
        file.Ok(quern_add_attr(file.db, "docs", ("n" + std::to_string(a)).c_str(), QUERN_INT,
                               nullptr, &file.err));
    }
    file.Put(0, 2500, 1);
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    CHECK(Columns(&file) == 20);
    Update(&file, "id < 30", "n0 = 1, n11 = 2, year = 77");
    file.Open("seal_rows=5");
    Update(&file, "id = 31", "n0 = 1, n11 = 2, year = 77");
    for (int round = 0; round < 2; round++) {
        CHECK(file.Count("n0 = 1 and n11 = 2") == 31);
        CHECK(file.Count("year = 77") == 31);
        Compare(&file);
        Verify(&file);
        file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
        CHECK(Columns(&file) == 20);
        file.Open();
    }
    // What has been renewed is not renewed again.
    const std::string before = Info(&file);
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    CHECK(Info(&file) == before);
}

TEST_CASE("long texts are left out of the file, once and for all", "[attr_parts]") {
    FilteredFile file("long");
    file.Put(0, 2000, 1);
    file.Ok(quern_add_attr(file.db, "docs", "abstract", QUERN_TEXT, nullptr, &file.err));
    std::vector<int64_t> keys;
    std::vector<std::string> texts;
    std::vector<const char*> pointers;
    for (int64_t i = 0; i < 2000; i++) {
        keys.push_back(i);
        texts.push_back(std::to_string(i) + std::string(200, 'x'));
    }
    for (const std::string& text : texts) {
        pointers.push_back(text.c_str());
    }
    quern_batch* batch = quern_batch_new(file.db, "docs", keys.size());
    quern_batch_key_int(batch, keys.data());
    quern_batch_text(batch, "abstract", pointers.data(), nullptr);
    file.Ok(quern_update(batch, nullptr, &file.err));
    quern_batch_free(batch);
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    CHECK(Columns(&file) == 9);
    CHECK(Parts(&file, "column numbers of values") ==
          7);  // of eight; those of keys are their order
    CHECK(file.Count("abstract like '77x%'") == 1);
    const std::string before = Info(&file);
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    CHECK(Info(&file) == before);
    Verify(&file);
}

TEST_CASE("columns of the file follow every change of records", "[attr_parts]") {
    FilteredFile file("follow");
    std::mt19937_64 random(5);
    file.Open("seal_rows=200 threads=2");
    file.Put(0, 2500, 1);
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    quern_snapshot* old = nullptr;
    size_t old_new = 0;
    for (int step = 0; step < 40; step++) {
        CAPTURE(step);
        const std::string id = std::to_string(random() % 2600);
        switch (random() % 9) {
            case 0: Update(&file, "id = " + id, "year = 77, lang = 'new'"); break;
            case 1:
                Update(&file, "id between " + id + " and " + id + " + 20", "title = 'newer'");
                break;
            case 2: Update(&file, "id % 50 = 3", "year = null, tags = ('physics')"); break;
            case 3: file.Delete({static_cast<int64_t>(random() % 2600), 7}); break;
            case 4: file.Put(static_cast<int64_t>(random() % 2600), 150, random()); break;
            case 5: file.Ok(quern_optimize(file.db, nullptr, 0, &file.err)); break;
            case 6: {  // a transaction that ends in nothing
                quern_txn* txn = nullptr;
                file.Ok(quern_begin(file.db, &txn, &file.err));
                quern_query* query = file.Query("id < 300");
                quern_query_set(query, "year = 2020, lang = 'fr'");
                file.Ok(quern_query_update(query, txn, nullptr, &file.err));
                quern_query_free(query);
                quern_rollback(txn);
                break;
            }
            case 7:
                quern_snapshot_free(old);
                old = nullptr;
                file.Open("seal_rows=200 threads=2");
                break;
            default: {
                quern_snapshot_free(old);
                file.Ok(quern_snapshot_new(file.db, &old, &file.err));
                old_new = file.Count("lang = 'new' or title = 'newer'");
            }
        }
        if (step % 3 == 0) {
            Compare(&file);
        }
        if (old != nullptr) {
            quern_query* query = file.Query("lang = 'new' or title = 'newer'");
            quern_query_snapshot(query, old);
            uint64_t count = 0;
            file.Ok(quern_query_count(query, &count, &file.err));
            CHECK(count == old_new);
            quern_query_free(query);
        }
    }
    quern_snapshot_free(old);
    Verify(&file);
    file.Open();
    Compare(&file);
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    CHECK(Columns(&file) == 8);
    Compare(&file);
    Verify(&file);
}

TEST_CASE("two handles on one file see each other's changes in place", "[attr_parts]") {
    FilteredFile file("two");
    file.Put(0, 2500, 1);
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    Compare(&file);
    quern_db* other = nullptr;
    file.Ok(quern_open(file.path.c_str(), "seal_rows=100", &other, &file.err));
    for (int round = 0; round < 6; round++) {
        const std::string year = std::to_string(5000 + round);
        quern_query* query = quern_query_new(other, "docs");
        quern_query_filter(query, ("id between 10 and " + std::to_string(40 + 30 * round)).c_str());
        quern_query_set(query, ("year = " + year).c_str());
        file.Ok(quern_query_update(query, nullptr, nullptr, &file.err));
        quern_query_free(query);
        CHECK(file.Count("year = " + year) == static_cast<uint64_t>(31 + 30 * round));
        Compare(&file);
    }
    quern_close(other);
    Verify(&file);
}

TEST_CASE("columns are not believed behind a writer that does not know them", "[attr_parts]") {
    FilteredFile file("unaware");
    file.Put(0, 2500, 1);
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    const uint64_t before = file.Count("year = 77");
    CHECK(before == 0);
    Update(&file, "id < 9", "year = 77");
    quern_close(file.db);
    file.db = nullptr;
    // What version 0.1.0 does when it seals a log of changes in place.
    Write(file.path, [&](storage::Connection* connection, const storage::CollectionInfo& info,
                         const std::vector<storage::SegmentInfo>&) {
        auto state = storage::ReadState(connection, info.id);
        REQUIRE(state.ok());
        REQUIRE(storage::RecordLog(connection, info).Clear().ok());
        state->epoch++;
        REQUIRE(storage::WriteState(connection, info.id, *state).ok());
    });
    file.Open();
    CHECK(file.Count("year = 77") == 9);
    Compare(&file);
    Verify(&file);
    CHECK(Columns(&file) == 8);
    // Nor after others have moved on.
    file.Open("seal_rows=10");
    Update(&file, "id between 100 and 150", "year = 78");
    file.Open();
    CHECK(file.Count("year = 77") == 9);
    CHECK(file.Count("year = 78") == 51);
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    file.Open();
    CHECK(file.Count("year = 77") == 9);
    Verify(&file);
}

TEST_CASE("damaged columns are told, passed over, and made anew", "[attr_parts]") {
    for (const PartKind kind :
         {PartKind::kColumnHead, PartKind::kColumnValues, PartKind::kColumnLengths,
          PartKind::kColumnCodes, PartKind::kChangedRecords}) {
        FilteredFile file("damaged");
        file.Put(0, 2500, 1);
        file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
        CAPTURE(storage::PartKindName(kind));
        quern_close(file.db);
        file.db = nullptr;
        Write(file.path, [&](storage::Connection* connection, const storage::CollectionInfo& info,
                             const std::vector<storage::SegmentInfo>& segments) {
            const auto state = storage::ReadState(connection, info.id);
            REQUIRE(state.ok());
            for (const storage::PartInfo& part : segments.at(0).parts) {
                if (part.kind != kind) {
                    continue;
                }
                // Whole, with right checksums, and wrong.
                REQUIRE(storage::RemovePart(connection, part).ok());
                auto anew = storage::PartWriter::Create(connection, segments[0].id, part.field,
                                                        kind, part.item_bytes, 1, part.generation,
                                                        storage::Effort::kFast);
                REQUIRE(anew.ok());
                const std::string rubbish(
                    kind == PartKind::kChangedRecords ? 8 : static_cast<size_t>(part.raw_bytes()),
                    '\xff');
                REQUIRE(anew->Append(rubbish.data(), rubbish.size() / part.item_bytes).ok());
                REQUIRE(anew->Finish().ok());
            }
        });
        file.Open();
        Compare(&file);
        Verify(&file, QUERN_ERR_CORRUPT);
        file.Ok(quern_rebuild(file.db, nullptr, &file.err));
        Verify(&file);
        file.Open();
        Compare(&file);
        CHECK(Columns(&file) == 8);
    }
}

TEST_CASE("verify tells columns that say something else than the rows", "[attr_parts]") {
    FilteredFile file("wrong");
    file.Put(0, 2500, 1);
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    quern_close(file.db);
    file.db = nullptr;
    Write(file.path, [&](storage::Connection* connection, const storage::CollectionInfo& info,
                         const std::vector<storage::SegmentInfo>& segments) {
        const auto id = info.schema.attrs[static_cast<size_t>(info.schema.FindAttr("year"))].id;
        const storage::PartInfo part = *segments.at(0).Find(PartKind::kColumnCodes, id);
        Bytes codes(static_cast<size_t>(part.raw_bytes()), '\0');
        REQUIRE(storage::ReadChunks(connection, part, 0, part.chunks.size(), 1, codes.data()).ok());
        codes[1000] = codes[1000] == 1 ? 2 : 1;
        REQUIRE(storage::RemovePart(connection, part).ok());
        auto anew = storage::PartWriter::Create(connection, segments[0].id, id, part.kind, 1, 1,
                                                part.generation, storage::Effort::kFast);
        REQUIRE(anew.ok());
        REQUIRE(anew->Append(codes.data(), codes.size()).ok());
        REQUIRE(anew->Finish().ok());
    });
    file.Open();
    Verify(&file, QUERN_ERR_CORRUPT);
    CHECK(file.Says("rebuild makes it anew"));
    file.Ok(quern_rebuild(file.db, nullptr, &file.err));
    Verify(&file);
    Compare(&file);
}
