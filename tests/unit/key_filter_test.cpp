// Sets of keys: what bitmaps of other libraries say, damaged ones, and sets as parts of filters.
#include "engine/filter/key_set.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "tests/unit/filtered_file.h"

using filtered::FilteredFile;
using quern::Bytes;
using quern::ByteWriter;
using quern::Code;
using quern::Key;
using quern::Status;
using quern::filter::KeySet;

namespace {

Bytes FromHex(const std::string& hex) {
    Bytes bytes;
    for (size_t i = 0; i < hex.size(); i += 2) {
        bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
    }
    return bytes;
}

std::set<int64_t> KeysOf(const KeySet& set) {
    std::set<int64_t> keys;
    const Status status = set.EachKey([&](const Key& key) {
        keys.insert(key.number);
        return Status();
    });
    REQUIRE(status.ok());
    CHECK(keys.size() == set.count());
    return keys;
}

std::set<int64_t> Range(int64_t first, int64_t end) {
    std::set<int64_t> keys;
    for (int64_t key = first; key < end; key++) {
        keys.insert(keys.end(), key);
    }
    return keys;
}

std::set<int64_t> operator+(std::set<int64_t> a, const std::set<int64_t>& b) {
    a.insert(b.begin(), b.end());
    return a;
}

void U16(ByteWriter* out, size_t value) {
    out->U8(static_cast<uint8_t>(value));
    out->U8(static_cast<uint8_t>(value >> 8));
}

std::vector<std::pair<size_t, size_t>> RunsOf(const std::vector<uint16_t>& numbers) {
    std::vector<std::pair<size_t, size_t>> runs;
    for (const uint16_t number : numbers) {
        if (runs.empty() || runs.back().second + 1 != number) {
            runs.emplace_back(number, number);
        }
        runs.back().second = number;
    }
    return runs;
}

// The portable form, written by the book; with_runs: containers that are smaller so are runs.
Bytes Serialize(const std::set<uint32_t>& numbers, bool with_runs) {
    std::map<uint32_t, std::vector<uint16_t>> containers;
    for (const uint32_t number : numbers) {
        containers[number >> 16].push_back(static_cast<uint16_t>(number));
    }
    std::vector<Bytes> bodies;
    Bytes flags((containers.size() + 7) / 8, '\0');
    for (const auto& [high, lows] : containers) {
        Bytes body;
        ByteWriter out(&body);
        const auto runs = RunsOf(lows);
        if (with_runs && 2 + 4 * runs.size() < std::min<size_t>(8192, 2 * lows.size())) {
            flags[bodies.size() / 8] |= static_cast<char>(1 << (bodies.size() % 8));
            U16(&out, runs.size());
            for (const auto& [first, last] : runs) {
                U16(&out, first);
                U16(&out, last - first);
            }
        } else if (lows.size() <= 4096) {
            for (const uint16_t low : lows) {
                U16(&out, low);
            }
        } else {
            std::vector<uint64_t> words(1024, 0);
            for (const uint16_t low : lows) {
                words[low / 64] |= uint64_t{1} << (low % 64);
            }
            for (const uint64_t word : words) {
                out.U64(word);
            }
        }
        bodies.push_back(body);
    }
    Bytes bytes;
    ByteWriter out(&bytes);
    if (with_runs) {
        out.U32(12347 | static_cast<uint32_t>(containers.size() - 1) << 16);
        bytes += flags;
    } else {
        out.U32(12346);
        out.U32(static_cast<uint32_t>(containers.size()));
    }
    for (const auto& [high, lows] : containers) {
        U16(&out, high);
        U16(&out, lows.size() - 1);
    }
    if (!with_runs || containers.size() >= 4) {
        size_t offset = bytes.size() + 4 * containers.size();
        for (const Bytes& body : bodies) {
            out.U32(static_cast<uint32_t>(offset));
            offset += body.size();
        }
    }
    for (const Bytes& body : bodies) {
        bytes += body;
    }
    return bytes;
}

std::set<uint32_t> RandomNumbers(std::mt19937_64* random) {
    std::set<uint32_t> numbers{static_cast<uint32_t>((*random)())};
    for (size_t pieces = (*random)() % 6; pieces > 0; pieces--) {
        const uint32_t first = static_cast<uint32_t>((*random)()) % (uint32_t{1} << 19);
        const auto step = static_cast<uint32_t>((*random)() % 2 == 0 ? 1 : 1 + (*random)() % 50);
        const auto count = static_cast<uint32_t>((*random)() % 9000);
        for (uint32_t i = 0; i < count; i++) {
            numbers.insert(first + i * step);
        }
    }
    return numbers;
}

}  // namespace

TEST_CASE("roaring bitmaps as CRoaring 0.2.66 writes them", "[filter][keys]") {
    const std::pair<const char*, std::set<int64_t>> bitmaps[] = {
        {"3a3000000200000000000300010000001800000020000000010002000300e8037011",
         {1, 2, 3, 1000, 70000}},
        {"3b300100010000bd000300010001000a00bd0005000700",
         Range(10, 200) + std::set<int64_t>{65536 * 3 + 5, 65536 * 3 + 7}},
        {"3b3005003f000027000100270002002700030027000400270005002700350000003b000000410000004700000"
         "0"
         "4d00000053000000010064002700010064002700010064002700010064002700010064002700010064002700",
         Range(100, 140) + Range(65636, 65676) + Range(131172, 131212) + Range(196708, 196748) +
             Range(262244, 262284) + Range(327780, 327820)},
        {"3a30000000000000", {}},
        {"3b300100030000ffff0100ffff01000000ffff01000000ffff", Range(0, 131072)},
    };
    for (const auto& [hex, wanted] : bitmaps) {
        CAPTURE(hex);
        const Bytes bytes = FromHex(hex);
        auto set = KeySet::OfRoaring(bytes, 32);
        REQUIRE(set.ok());
        CHECK(KeysOf(**set) == wanted);
        // The same as the second of two in the form for 64 bits.
        Bytes wide;
        ByteWriter out(&wide);
        out.U64(2);
        out.U32(0);
        wide += FromHex("3a30000000000000");
        out.U32(7);
        wide += bytes;
        set = KeySet::OfRoaring(wide, 64);
        REQUIRE(set.ok());
        std::set<int64_t> above;
        for (const int64_t key : wanted) {
            above.insert(above.end(), key + (int64_t{7} << 32));
        }
        CHECK(KeysOf(**set) == above);
    }
}

TEST_CASE("roaring bitmaps of any content, whole and damaged", "[filter][keys]") {
    std::mt19937_64 random(5);
    for (int round = 0; round < 40; round++) {
        const std::set<uint32_t> numbers = RandomNumbers(&random);
        Bytes bytes = Serialize(numbers, round % 2 == 1);
        auto set = KeySet::OfRoaring(bytes, 32);
        REQUIRE(set.ok());
        REQUIRE(KeysOf(**set) == std::set<int64_t>(numbers.begin(), numbers.end()));
        for (int i = 0; i < 500; i++) {
            const auto key = i % 2 == 0 ? static_cast<int64_t>(random() % (1 << 20))
                                        : static_cast<int64_t>(*numbers.begin()) + i;
            const auto number = static_cast<uint32_t>(key);
            REQUIRE((*set)->HasInt(key) == (key <= UINT32_MAX && numbers.count(number) == 1));
        }
        CHECK_FALSE((*set)->HasInt(-1));
        for (int i = 0; i < 60; i++) {
            Bytes damaged = bytes;
            if (i % 3 == 0) {
                damaged.resize(random() % damaged.size());
            } else {
                damaged[random() % std::min<size_t>(damaged.size(), 300)] ^=
                    static_cast<char>(1 << (random() % 8));
            }
            set = KeySet::OfRoaring(damaged, 32);
            if (set.ok()) {
                KeysOf(**set);  // as many as it says
            } else {
                CHECK(set.status().code() == Code::kMalformed);
            }
        }
        bytes += '\0';
        CHECK_FALSE(KeySet::OfRoaring(bytes, 32).ok());
    }
    Bytes high;
    ByteWriter out(&high);
    out.U64(1);
    out.U32(uint32_t{1} << 31);
    CHECK(KeySet::OfRoaring(high, 64).status().code() == Code::kInvalid);
}

TEST_CASE("lists of keys as sets", "[filter][keys]") {
    std::mt19937_64 random(6);
    std::vector<int64_t> keys{INT64_MIN, INT64_MAX, -1, 0, -65536, -65537, 5, 5};
    for (int i = 0; i < 20000; i++) {
        keys.push_back(static_cast<int64_t>(random() % 30000) - 10000);
    }
    const auto set = KeySet::OfInts(keys);
    CHECK(KeysOf(*set) == std::set<int64_t>(keys.begin(), keys.end()));
    for (const int64_t key : keys) {
        REQUIRE(set->HasInt(key));
    }
    CHECK_FALSE(set->HasInt(INT64_MIN + 1));
    CHECK(KeySet::OfInts({})->count() == 0);
    const auto texts = KeySet::OfTexts({"b", "a", "b"});
    CHECK(texts->count() == 2);
    CHECK(texts->Has(Key::Text("a")));
    CHECK_FALSE(texts->Has(Key::Text("c")));
    CHECK_FALSE(texts->Has(Key::Int(1)));
}

TEST_CASE("sets of keys are parts of filters", "[filter][keys]") {
    FilteredFile file("keys");
    file.Fill(800);
    const std::set<int64_t> all = file.Found(file.Query("1"));
    const std::set<int64_t> some = file.Truth("year > 0 or lang = 'en'");
    for (const bool in_memory : {true, false}) {
        if (!in_memory) {
            file.LeaveNoMemory();
        }
        // Few enough to be looked up one by one, and many.
        for (const size_t step : {size_t{1}, size_t{3}, size_t{97}}) {
            CAPTURE(in_memory, step);
            std::vector<int64_t> list;
            std::set<int64_t> only, except, both;
            for (int64_t key = 0; key < 1000; key += static_cast<int64_t>(step)) {
                list.push_back(key);
            }
            for (const int64_t key : all) {
                (key % static_cast<int64_t>(step) == 0 ? only : except).insert(key);
                if (key % static_cast<int64_t>(step) == 0 && some.count(key) == 1) {
                    both.insert(key);
                }
            }
            quern_keys* keys = nullptr;
            file.Ok(quern_keys_int(list.data(), list.size(), &keys, &file.err));
            CHECK(quern_keys_count(keys) == list.size());
            quern_query* query = quern_query_new(file.db, "docs");
            quern_query_only_keys(query, keys);
            CHECK(file.Found(query) == only);
            query = quern_query_new(file.db, "docs");
            quern_query_except_keys(query, keys);
            CHECK(file.Found(query, "recall=exact") == except);
            query = file.Query("year > 0 or lang = 'en'");
            quern_query_only_keys(query, keys);
            CHECK(file.Found(query) == both);
            query = quern_query_new(file.db, "docs");
            quern_query_only_keys(query, keys);
            quern_query_except_keys(query, keys);
            quern_keys_free(keys);
            CHECK(file.Found(query).empty());
        }
    }
}

TEST_CASE("each query of a search may have a filter of its own", "[filter][batch]") {
    FilteredFile file("batch");
    file.Fill(800);
    constexpr size_t kQueries = 7;
    const char* langs[kQueries] = {"en", "de", "en", "fr", "EN", "de", "none"};
    const int64_t years[kQueries] = {0, 0, 0, 2019, 0, -5, 0};
    float vectors[kQueries * 2];
    for (size_t i = 0; i < kQueries * 2; i++) {
        vectors[i] = static_cast<float>(i * 5);
    }
    for (const bool sparse : {false, true}) {
        const size_t offsets[] = {0, 1, 2, 3, 4, 5, 6, 7};
        const uint32_t dims[] = {0, 1, 2, 3, 4, 1, 2};
        const auto set = [&](quern_query* query, size_t first, size_t count) {
            quern_query_limit(query, 9);
            quern_query_columns(query, "lang, emb");
            if (sparse) {
                quern_query_sparse(query, "terms", offsets, dims + first, nullptr, count);
            } else {
                quern_query_dense(query, "emb", vectors + 2 * first, count, 2);
            }
        };
        quern_query* batch = file.Query("lang = ?1 and year >= ?2");
        set(batch, 0, kQueries);
        quern_query_bind_int(batch, 2, 0);
        for (size_t i = 0; i < kQueries; i++) {
            quern_query_bind_for(batch, i);
            quern_query_bind_text(batch, 1, langs[i]);
            if (years[i] != 0) {
                quern_query_bind_int(batch, 2, years[i]);
            }
        }
        quern_result* all = nullptr;
        file.Ok(quern_search(batch, &all, &file.err));
        REQUIRE(quern_result_queries(all) == kQueries);
        for (size_t i = 0; i < kQueries; i++) {
            CAPTURE(sparse, i);
            quern_query* query = file.Query("lang = ?1 and year >= ?2");
            set(query, i, 1);
            quern_query_bind_text(query, 1, langs[i]);
            quern_query_bind_int(query, 2, years[i]);
            quern_result* one = nullptr;
            file.Ok(quern_search(query, &one, &file.err));
            const size_t begin = quern_result_offset(all, i);
            REQUIRE(quern_result_offset(all, i + 1) - begin == quern_result_rows(one));
            CHECK((quern_result_rows(one) > 0) == (i != 6));
            for (size_t row = 0; row < quern_result_rows(one); row++) {
                CHECK(quern_result_key_int(all, begin + row) == quern_result_key_int(one, row));
                CHECK(quern_result_distance(all, begin + row) == quern_result_distance(one, row));
                CHECK(std::string(quern_result_text(all, begin + row, 0, nullptr)) == langs[i]);
                size_t dim = 0, other = 0;
                const void* vector = quern_result_dense(all, begin + row, 1, &dim);
                const void* wanted = quern_result_dense(one, row, 1, &other);
                REQUIRE((vector == nullptr) == (wanted == nullptr));
                CHECK((vector == nullptr || std::memcmp(vector, wanted, 8) == 0));
            }
            quern_result_free(one);
            quern_query_free(query);
        }
        quern_result_free(all);
        // A query number that there is not, and a query that has not all its values.
        quern_query_bind_for(batch, kQueries);
        quern_query_bind_int(batch, 2, 1);
        CHECK(quern_search(batch, &all, &file.err) == QUERN_ERR_INVALID);
        CHECK(file.Says("query number 7"));
        quern_query_filter(batch, "lang = ?1");
        quern_query_bind_for(batch, 2);
        quern_query_bind_text(batch, 1, "en");
        CHECK(quern_search(batch, &all, &file.err) == QUERN_ERR_INVALID);
        CHECK(file.Says("no value"));
        quern_query_bind_for(batch, QUERN_ALL_QUERIES);
        quern_query_bind_text(batch, 1, "de");
        file.Ok(quern_search(batch, &all, &file.err));
        CHECK(std::string(quern_result_text(all, quern_result_offset(all, 2), 0, nullptr)) == "en");
        CHECK(std::string(quern_result_text(all, 0, 0, nullptr)) == "de");
        quern_result_free(all);
        quern_query_free(batch);
    }
}

TEST_CASE("a set of keys alone says what is deleted and changed", "[filter]") {
    FilteredFile file("keyalone");
    file.Fill(2000);
    const std::set<int64_t> all = file.Truth("1");
    // Sealed, dead, in the log, never there; few enough to be looked up.
    const std::vector<int64_t> some{0, 3, 5, 11, 12, 999, 1001, 1003, 1400, 1499, 5000};
    const std::vector<int64_t> not_these{5, 1400};
    quern_keys* set = nullptr;
    quern_keys* except = nullptr;
    file.Ok(quern_keys_int(some.data(), some.size(), &set, &file.err));
    file.Ok(quern_keys_int(not_these.data(), not_these.size(), &except, &file.err));
    std::set<int64_t> wanted;
    for (const int64_t key : some) {
        if (all.count(key) != 0 && key != 5 && key != 1400) {
            wanted.insert(key);
        }
    }
    REQUIRE(wanted.size() > 4);
    REQUIRE(wanted.size() < some.size() - 2);
    quern_query* query = quern_query_new(file.db, "docs");
    quern_query_only_keys(query, set);
    quern_query_except_keys(query, except);
    quern_query_set(query, "year = 4711");
    uint64_t changed = 0;
    quern_txn* txn = nullptr;
    file.Ok(quern_begin(file.db, &txn, &file.err));
    // What the transaction itself has done counts.
    quern_batch* batch = quern_batch_new(file.db, "docs", 1);
    quern_batch_key_int(batch, &some[0]);
    file.Ok(quern_delete(batch, txn, &file.err));
    quern_batch_free(batch);
    wanted.erase(0);
    file.Ok(quern_query_update(query, txn, &changed, &file.err));
    file.Ok(quern_commit(txn, &file.err));
    CHECK(changed == wanted.size());
    CHECK(file.Truth("year = 4711") == wanted);
    file.Ok(quern_query_delete(query, nullptr, &changed, &file.err));
    CHECK(changed == wanted.size());
    CHECK(file.Truth("year = 4711").empty());
    CHECK(file.Truth("1").size() == all.size() - 1 - wanted.size());
    quern_query_free(query);
    quern_keys_free(set);
    quern_keys_free(except);
}

TEST_CASE("sets of any size are found among the keys of columns in the file", "[filter]") {
    FilteredFile file("keysizes");
    file.Put(-1200, 3000, 1);
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    file.Delete({7, 8, -1200});
    const std::set<int64_t> all = file.Truth("1");
    std::mt19937_64 random(1);
    for (const size_t size : {1, 3, 60, 700, 5000}) {
        CAPTURE(size);
        std::vector<int64_t> some{-1200, 1799};
        std::set<int64_t> wanted;
        for (size_t i = 0; i < size; i++) {
            some.push_back(static_cast<int64_t>(random() % 4000) - 1500);
        }
        for (const int64_t key : some) {
            if (all.count(key) != 0) {
                wanted.insert(key);
            }
        }
        quern_keys* set = nullptr;
        file.Ok(quern_keys_int(some.data(), some.size(), &set, &file.err));
        quern_query* query = quern_query_new(file.db, "docs");
        quern_query_only_keys(query, set);
        quern_query_limit(query, 0);
        quern_result* result = nullptr;
        file.Ok(quern_query_list(query, &result, &file.err));
        std::set<int64_t> found;
        for (size_t row = 0; row < quern_result_rows(result); row++) {
            found.insert(quern_result_key_int(result, row));
        }
        CHECK(found == wanted);
        quern_result_free(result);
        quern_query_free(query);
        quern_keys_free(set);
    }
}

TEST_CASE("a filter that never ends is ended by itself", "[.][campaign]") {
    FilteredFile file("endless");
    file.Put(0, 100, 1);
    CHECK(file.Fails("id in (with recursive n(i) as (select 1 union all select i + 1 from n) "
                     "select i from n)") == QUERN_ERR_LIMIT);
}
