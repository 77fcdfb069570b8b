// Vectors of f32 whose values are all numbers of a narrower type are held as such in memory: the
// same answers to the bit, in fewer bytes.
#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "engine/db/held_element.h"
#include "engine/kernels/distance.h"
#include "storage/catalog.h"
#include "storage/chunk_store.h"
#include "storage/file_store.h"
#include "tests/unit/indexed_file.h"

using namespace quern;

namespace {

constexpr size_t kDim = indexed::kDim;
constexpr size_t kRows = 1200;

// Values of one type and, for kF32, of no narrower one.
std::vector<float> RowsOf(Element element, size_t count, uint64_t seed) {
    std::vector<float> rows = indexed::MakeRows(count, seed);
    for (float& x : rows) {
        switch (element) {
            case Element::kU8: x = std::clamp(std::nearbyint(80 + 40 * x), 0.0f, 255.0f); break;
            case Element::kI8:
                x = std::clamp(std::nearbyint(40 * x), -127.0f, 127.0f) + 0.0f;
                break;
            case Element::kBF16:
                x = std::bit_cast<float>(std::bit_cast<uint32_t>(x) & 0xffff0000u);
                break;
            case Element::kF16: {
                uint16_t code = 0;
                REQUIRE(kernels::FromF32(Element::kF16, &x, 1, 1, &code, nullptr));
                kernels::ToF32(Element::kF16, &code, 1, 1, &x);
                break;
            }
            default: break;
        }
    }
    if (element == Element::kBF16 || element == Element::kF16) {
        rows[0] = -0.0f;  // no whole number has it
    }
    if (element == Element::kI8) {
        rows[0] = -5;
    }
    return rows;
}

std::vector<float> Truth(Metric metric, const std::vector<float>& rows, const float* query) {
    const size_t count = rows.size() / kDim;
    std::vector<float> norms(count);
    kernels::InverseNorms(Element::kF32, rows.data(), count, kDim, norms.data());
    std::vector<float> distances(count);
    kernels::Distances(Element::kF32, metric,
                       kernels::PrepareQuery(Element::kF32, metric, query, kDim), rows.data(),
                       count, norms.data(), distances.data());
    return distances;
}

class HeldFile : public indexed::IndexedFile {
public:
    HeldFile() : IndexedFile("_held") {}
    int64_t Memory() {
        int64_t bytes = 0;
        Ok(quern_stat(db, QUERN_STAT_MEMORY_BYTES, &bytes, &err));
        return bytes;
    }
    int32_t Verify() {
        err = QUERN_ERROR_INIT;
        return quern_verify(db, nullptr, &err);
    }
    // Runs in a transaction of the only segment of the only collection.
    template <class Change>
    void InSegment(const Change& change) {
        quern_close(db);
        db = nullptr;
        storage::StoreOptions options;
        options.path = path;
        auto store = storage::FileStore::Open(options);
        REQUIRE(store.ok());
        auto writer = (*store)->BeginWrite();
        REQUIRE(writer.ok());
        storage::Connection* connection = (*writer)->connection();
        const auto catalog = storage::ReadCatalog(connection);
        REQUIRE(catalog.ok());
        const auto info = (*catalog)->collections.front();
        const auto segments =
            storage::ReadSegments(connection, info->id, storage::SegmentState::kLive);
        REQUIRE(segments.ok());
        REQUIRE(segments->size() == 1);
        change(connection, segments->front(), info->schema.dense.front());
        REQUIRE((*writer)->Commit().ok());
        store = Status::Error(Code::kMisuse, "closed");
        Open();
    }
    std::optional<Element> Held() {
        std::optional<Element> found;
        InSegment([&](storage::Connection* connection, const storage::SegmentInfo& segment,
                      const DenseDef& def) {
            const auto held = ReadHeldElement(connection, segment, def);
            REQUIRE(held.ok());
            found = *held;
        });
        return found;
    }
    // The file says this, whatever the vectors are.
    void Say(std::optional<Element> element) {
        InSegment([&](storage::Connection* connection, const storage::SegmentInfo& segment,
                      const DenseDef& def) {
            const storage::PartInfo* part = segment.Find(storage::PartKind::kHeldElement, def.id);
            if (part != nullptr) {
                REQUIRE(storage::RemovePart(connection, *part).ok());
            }
            if (element) {
                REQUIRE(WriteHeldElement(connection, segment.id, def.id, *element, 1).ok());
            }
        });
    }
};

}  // namespace

TEST_CASE("the narrowest type that holds all vectors is found", "[held]") {
    const auto choice = [](const std::vector<float>& values) {
        HeldChoice held;
        std::string bytes(1, 'x');  // at an odd address
        bytes.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
        held.Look(bytes.data() + 1, values.size());
        return held.choice();
    };
    CHECK_FALSE(HeldChoice().choice());
    CHECK(choice({0, 1, 255}) == Element::kU8);
    CHECK(choice({0, -1, 127}) == Element::kI8);
    CHECK(choice({-0.0f, 1, 2}) == Element::kBF16);
    CHECK(choice({0, 256, -1}) == Element::kBF16);
    CHECK(choice({0, 255, -1}) == Element::kBF16);
    CHECK(choice({0, 257, -1}) == Element::kF16);
    CHECK(choice({0.5f, 1e30f * 0 + 3.0e38f}) == std::nullopt);
    CHECK(choice({0x1p-24f, 1 + 0x1p-10f}) == Element::kF16);
    CHECK(choice({0x1p-133f, 1}) == Element::kBF16);
    CHECK(choice({0x1p-149f}) == std::nullopt);
    CHECK(choice({0.1f}) == std::nullopt);
    CHECK(choice({65504, 1 + 0x1p-10f}) == Element::kF16);
    CHECK(choice({65536 * (1 + 0x1p-10f)}) == std::nullopt);
    HeldChoice more;
    const float small[] = {1, 2};
    const float odd[] = {1, 2.5f};
    more.Look(reinterpret_cast<const char*>(small), 2);
    CHECK(more.choice() == Element::kU8);
    more.Look(reinterpret_cast<const char*>(odd), 2);
    CHECK(more.choice() == Element::kBF16);
    more.Look(reinterpret_cast<const char*>(small), 2);
    CHECK(more.choice() == Element::kBF16);
}

TEST_CASE("vectors held narrower give the answers of f32 to the bit", "[held]") {
    const Element element =
        GENERATE(Element::kU8, Element::kI8, Element::kBF16, Element::kF16, Element::kF32);
    const std::string index =
        GENERATE("index=none", "index=graph codes=f32 m=8 ef_build=30",
                 "index=graph codes=i8 m=8 ef_build=30", "index=graph codes=1bit m=8 ef_build=30",
                 "index=lists codes=f32", "index=lists codes=i8",
                 "index=graph codes=i8 fine=disk m=8 ef_build=30");
    const Metric metric = GENERATE(Metric::kL2, Metric::kIp, Metric::kCosine);
    INFO(static_cast<int>(element) << " " << index << " " << static_cast<int>(metric));
    HeldFile file;
    file.Create(static_cast<int32_t>(metric), index);
    const std::vector<float> rows = RowsOf(element, kRows, 1);
    file.Insert(0, rows);
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    REQUIRE(file.Held() ==
            (element == Element::kF32 ? std::nullopt : std::optional<Element>(element)));
    const std::vector<float> queries = indexed::MakeRows(6, 3);
    const auto compare = [&](const indexed::IndexedFile::Answer& found, bool whole) {
        for (size_t q = 0; q < found.keys.size(); q++) {
            const std::vector<float> truth = Truth(metric, rows, &queries[q * kDim]);
            std::vector<float> sorted = truth;
            std::sort(sorted.begin(), sorted.end());
            REQUIRE(found.keys[q].size() == 20);
            for (size_t i = 0; i < 20; i++) {
                REQUIRE(found.distances[q][i] == truth[static_cast<size_t>(found.keys[q][i])]);
                REQUIRE((!whole || found.distances[q][i] == sorted[i]));
            }
        }
    };
    // Looks first, while vectors are on their way into memory, then all of them.
    if (index != "index=none") {
        compare(file.Search(queries, 20, "ef=200 refine=exact"), false);
    }
    const int64_t before = file.Memory();
    compare(file.Search(queries, 20, "recall=exact"), true);
    compare(file.Search({queries.begin(), queries.begin() + kDim}, 20, "recall=exact"), true);
    if (index == "index=none") {
        const int64_t vectors = static_cast<int64_t>(kRows * VectorBytes(element, kDim));
        const int64_t beside = 48 * 1024 + static_cast<int64_t>(kRows) * 16;
        CHECK(file.Memory() - before >= vectors);
        CHECK(file.Memory() - before <= vectors + beside);
    }
    if (index != "index=none") {
        compare(file.Search(queries, 20, "ef=200 refine=exact"), false);
    }
    // The vectors themselves.
    quern_query* query = quern_query_new(file.db, "docs");
    quern_query_dense(query, "emb", queries.data(), 1, kDim);
    quern_query_limit(query, kRows);
    quern_query_options(query, "recall=exact");
    quern_query_columns(query, "emb");
    quern_result* result = nullptr;
    file.Ok(quern_search(query, &result, &file.err));
    REQUIRE(quern_result_rows(result) == kRows);
    for (size_t row = 0; row < kRows; row++) {
        const auto key = static_cast<size_t>(quern_result_key_int(result, row));
        const void* vector = quern_result_dense(result, row, 0, nullptr);
        REQUIRE(std::memcmp(vector, &rows[key * kDim], kDim * sizeof(float)) == 0);
    }
    quern_result_free(result);
    quern_query_free(query);
    REQUIRE(file.Verify() == QUERN_OK);
}

TEST_CASE("one vector among many decides how all of its segment are held", "[held]") {
    HeldFile file;
    file.Create(QUERN_L2, "index=none");
    std::vector<float> rows = RowsOf(Element::kU8, kRows, 1);
    rows[kRows / 2 * kDim + 5] = 0.1f;
    file.Insert(0, rows);
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    CHECK(file.Held() == std::nullopt);
    file.Delete({static_cast<int64_t>(kRows / 2)});
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    CHECK(file.Held() == Element::kU8);
    CHECK(file.Verify() == QUERN_OK);
}

TEST_CASE("several fields of a record are widened each to its own, also by updates and merges",
          "[held]") {
    HeldFile file;
    quern_schema* schema = quern_schema_new();
    quern_schema_dense(schema, "bytes", kDim, QUERN_L2, nullptr);
    quern_schema_dense(schema, "halves", kDim, QUERN_IP, nullptr);
    file.Ok(quern_create(file.db, "docs", schema, &file.err));
    quern_schema_free(schema);
    std::vector<float> bytes = RowsOf(Element::kU8, kRows, 1);
    const std::vector<float> halves = RowsOf(Element::kF16, kRows, 2);
    std::vector<int64_t> keys(kRows);
    for (size_t i = 0; i < kRows; i++) {
        keys[i] = static_cast<int64_t>(i);
    }
    quern_batch* batch = quern_batch_new(file.db, "docs", kRows);
    quern_batch_key_int(batch, keys.data());
    quern_batch_dense(batch, "bytes", bytes.data(), kDim, nullptr);
    quern_batch_dense(batch, "halves", halves.data(), kDim, nullptr);
    file.Ok(quern_insert(batch, nullptr, &file.err));
    quern_batch_free(batch);
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    const auto check = [&] {
        for (const char* field : {"bytes", "halves"}) {
            quern_query* query = quern_query_new(file.db, "docs");
            quern_query_dense(query, field, halves.data(), 1, kDim);
            quern_query_limit(query, kRows);
            quern_query_options(query, "recall=exact");
            quern_query_columns(query, "bytes,halves");
            quern_result* result = nullptr;
            file.Ok(quern_search(query, &result, &file.err));
            REQUIRE(quern_result_rows(result) == kRows);
            for (size_t row = 0; row < kRows; row++) {
                const auto key = static_cast<size_t>(quern_result_key_int(result, row));
                const size_t size = kDim * sizeof(float);
                REQUIRE(std::memcmp(quern_result_dense(result, row, 0, nullptr), &bytes[key * kDim],
                                    size) == 0);
                REQUIRE(std::memcmp(quern_result_dense(result, row, 1, nullptr),
                                    &halves[key * kDim], size) == 0);
            }
            quern_result_free(result);
            quern_query_free(query);
        }
    };
    check();
    // Records get another value in one field, and take the other with them.
    const size_t changed = kRows / 2;
    for (size_t i = 0; i < changed * kDim; i++) {
        bytes[i] = 255 - bytes[i];
    }
    batch = quern_batch_new(file.db, "docs", changed);
    quern_batch_key_int(batch, keys.data());
    quern_batch_dense(batch, "bytes", bytes.data(), kDim, nullptr);
    file.Ok(quern_update(batch, nullptr, &file.err));
    quern_batch_free(batch);
    check();
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    check();
    CHECK(file.Verify() == QUERN_OK);
}

TEST_CASE("a file that says the wrong thing of its vectors is found out and mended", "[held]") {
    const std::string index = GENERATE("index=none", "index=graph codes=i8 m=8 ef_build=30",
                                       "index=graph codes=i8 fine=disk m=8 ef_build=30");
    HeldFile file;
    file.Create(QUERN_L2, index);
    const std::vector<float> rows = RowsOf(Element::kI8, kRows, 1);
    file.Insert(0, rows);
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    const std::vector<float> queries = indexed::MakeRows(1, 3);
    const auto truth = file.Search(queries, 10, "recall=exact");
    const auto check = [&](bool degraded) {
        const auto found = file.Search(queries, 10, "recall=exact");
        CHECK(found.keys == truth.keys);
        CHECK(found.distances == truth.distances);
        CHECK(found.degraded == degraded);
    };
    SECTION("another type") {
        file.Say(Element::kU8);
        quern_query* query = quern_query_new(file.db, "docs");
        quern_query_dense(query, "emb", queries.data(), 1, kDim);
        quern_query_limit(query, kRows);
        quern_query_options(query, "recall=exact");
        quern_result* result = nullptr;
        const bool disk = index.find("disk") != std::string::npos;
        const int32_t status = quern_search(query, &result, &file.err);
        // Where vectors stay in the file, a scan reads them as they are.
        CHECK((status == QUERN_ERR_CORRUPT || (disk && status == QUERN_OK)));
        CHECK((disk ||
               std::string(file.err.message).find("vectors of field 'emb'") != std::string::npos));
        quern_result_free(result);
        quern_query_free(query);
        CHECK(file.Verify() == QUERN_ERR_CORRUPT);
        CHECK(std::string(file.err.message).find("rebuild makes it anew") != std::string::npos);
    }
    SECTION("no type at all") {
        file.Say(static_cast<Element>(77));
        check(true);
        CHECK(file.Verify() == QUERN_ERR_CORRUPT);
    }
    SECTION("nothing, as files of before") {
        file.Say(std::nullopt);
        check(false);
        CHECK(file.Verify() == QUERN_OK);
    }
    SECTION("a wider type than need be") {
        file.Say(Element::kF16);
        check(false);
        CHECK(file.Verify() == QUERN_OK);
    }
    file.Ok(quern_rebuild(file.db, nullptr, &file.err));
    CHECK(file.Held() == Element::kI8);
    CHECK(file.Verify() == QUERN_OK);
    check(false);
}
