#include "tests/corruption/sample_files.h"

#include <quern.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>

namespace quern::corruption {

namespace {

constexpr const char* kPath = "/sample/db";
constexpr const char* kQuiet = "threads=1 maintenance=off";
constexpr const char* kBusy = "threads=1 seal_rows=25 seal_kb=4";

// A database while it is being made.
class Maker {
public:
    Maker(std::string name, std::string what, const char* options = kQuiet) : options_(options) {
        DropImages(kPath);
        sample_.name = std::move(name);
        sample_.what = std::move(what);
        Open();
    }
    void Must(int32_t status) const {
        if (status != QUERN_OK) {
            std::fprintf(stderr, "sample %s: %s\n", sample_.name.c_str(), err.message);
            std::exit(2);
        }
    }
    void Create(const char* collection, const std::function<void(quern_schema*)>& fill) {
        quern_schema* schema = quern_schema_new();
        fill(schema);
        Must(quern_create(db, collection, schema, &err));
        quern_schema_free(schema);
    }
    void Write(const char* collection, size_t n,
               int32_t (*use)(quern_batch*, quern_txn*, quern_error*),
               const std::function<void(quern_batch*)>& fill) {
        quern_batch* batch = quern_batch_new(db, collection, n);
        fill(batch);
        Must(use(batch, nullptr, &err));
        quern_batch_free(batch);
    }
    void Delete(const char* collection, std::vector<int64_t> keys) {
        Write(collection, keys.size(), quern_delete,
              [&](quern_batch* batch) { quern_batch_key_int(batch, keys.data()); });
    }
    void Optimize() { Must(quern_optimize(db, nullptr, 0, &err)); }
    // Remembers the state; with a log in it as long as the database is not closed.
    void Keep() { sample_.earlier.push_back(TakeImages(kPath)); }
    // Moves the log into the file and remembers that.
    void Settle() {
        quern_close(db);
        Keep();
        Open();
    }
    Sample Finish(bool with_log) {
        const Images open = TakeImages(kPath);
        quern_close(db);
        sample_.images = with_log ? open : TakeImages(kPath);
        DropImages(kPath);
        return std::move(sample_);
    }

    quern_db* db = nullptr;
    mutable quern_error err = QUERN_ERROR_INIT;

private:
    void Open() { Must(quern_open(kPath, options_, &db, &err)); }
    const char* options_;
    Sample sample_;
};

// Numbers that are the same on every machine.
class Numbers {
public:
    explicit Numbers(uint64_t seed) : state_(seed) {}
    uint64_t Next() {
        state_ = state_ * 6364136223846793005u + 1442695040888963407u;
        return state_ >> 33;
    }
    uint64_t Below(uint64_t n) { return Next() % n; }
    std::vector<float> Matrix(size_t rows, size_t dim) {
        std::vector<float> matrix(rows * dim);
        for (float& x : matrix) {
            x = static_cast<float>(Below(2001)) / 1000.0f - 1.0f;
        }
        return matrix;
    }
    std::vector<float> WholeMatrix(size_t rows, size_t dim) {
        std::vector<float> matrix(rows * dim);
        for (float& x : matrix) {
            x = static_cast<float>(Below(255)) - 127.0f;
        }
        return matrix;
    }

private:
    uint64_t state_;
};

std::vector<int64_t> Keys(size_t first, size_t count) {
    std::vector<int64_t> keys(count);
    for (size_t i = 0; i < count; i++) {
        keys[i] = static_cast<int64_t>(first + i);
    }
    return keys;
}

std::vector<const char*> Pointers(const std::vector<std::string>& texts) {
    std::vector<const char*> pointers;
    for (const std::string& text : texts) {
        pointers.push_back(text.c_str());
    }
    return pointers;
}

// Every type of attribute, and dense fields of every element that is not f32.
void CreateRecords(Maker* maker) {
    maker->Create("records", [](quern_schema* s) {
        quern_schema_attr(s, "number", QUERN_INT, nullptr);
        quern_schema_attr(s, "price", QUERN_REAL, nullptr);
        quern_schema_attr(s, "title", QUERN_TEXT, nullptr);
        quern_schema_attr(s, "good", QUERN_BOOL, nullptr);
        quern_schema_attr(s, "raw", QUERN_BLOB, nullptr);
        quern_schema_attr(s, "body", QUERN_JSON, nullptr);
        quern_schema_attr(s, "tags", QUERN_TAGS, nullptr);
        quern_schema_dense(s, "emb", 6, QUERN_COSINE, nullptr);
        quern_schema_dense(s, "small", 5, QUERN_L2, "type=i8");
        quern_schema_dense(s, "half", 3, QUERN_IP, "type=bf16");
        quern_schema_dense(s, "bits", 20, QUERN_HAMMING, nullptr);
    });
}

void WriteRecords(Maker* maker, size_t first, size_t count, uint64_t seed) {
    Numbers numbers(seed);
    const std::vector<int64_t> keys = Keys(first, count);
    std::vector<int64_t> number(count);
    std::vector<double> price(count);
    std::vector<std::string> title(count);
    std::vector<uint8_t> good(count);
    std::vector<std::string> body(count);
    std::vector<std::string> raw(count);
    std::vector<const void*> raw_pointers(count);
    std::vector<size_t> raw_sizes(count);
    std::vector<uint8_t> valid(count);
    std::vector<size_t> tag_offsets = {0};
    std::vector<const char*> tags;
    static const char* const kTags[] = {"red", "green", "blue", "\xc3\xa4rger"};
    for (size_t i = 0; i < count; i++) {
        number[i] = static_cast<int64_t>(numbers.Below(40));
        price[i] = static_cast<double>(numbers.Below(10000)) / 8;
        title[i] =
            "title " + std::to_string(numbers.Below(1000)) + std::string(numbers.Below(60), 'x');
        good[i] = numbers.Below(2) == 0;
        body[i] = "{\"a\":" + std::to_string(numbers.Below(9)) + ",\"b\":[1,2]}";
        // One is more than a page holds.
        raw[i] = std::string(numbers.Below(20) + (i == 11 ? 40000 : 0), static_cast<char>(i));
        raw_pointers[i] = raw[i].data();
        raw_sizes[i] = raw[i].size();
        valid[i] = numbers.Below(5) != 0;
        for (const char* tag : kTags) {
            if (numbers.Below(3) == 0) {
                tags.push_back(tag);
            }
        }
        tag_offsets.push_back(tags.size());
    }
    tags.push_back("");
    std::vector<float> emb = numbers.Matrix(count, 6);
    std::fill_n(emb.begin(), 6, 0.0f);  // one zero vector
    const std::vector<float> small = numbers.WholeMatrix(count, 5);
    const std::vector<float> half = numbers.Matrix(count, 3);
    const std::vector<float> bits = numbers.Matrix(count, 20);
    const std::vector<const char*> titles = Pointers(title);
    const std::vector<const char*> bodies = Pointers(body);
    maker->Write("records", count, quern_upsert, [&](quern_batch* b) {
        quern_batch_key_int(b, keys.data());
        quern_batch_int(b, "number", number.data(), valid.data());
        quern_batch_real(b, "price", price.data(), nullptr);
        quern_batch_text(b, "title", titles.data(), valid.data());
        quern_batch_bool(b, "good", good.data(), nullptr);
        quern_batch_blob(b, "raw", raw_pointers.data(), raw_sizes.data(), nullptr);
        quern_batch_text(b, "body", bodies.data(), nullptr);
        quern_batch_tags(b, "tags", tag_offsets.data(), tags.data(), nullptr);
        quern_batch_dense(b, "emb", emb.data(), 6, nullptr);
        quern_batch_dense(b, "small", small.data(), 5, valid.data());
        quern_batch_dense(b, "half", half.data(), 3, nullptr);
        quern_batch_dense(b, "bits", bits.data(), 20, nullptr);
    });
}

// An attribute of sealed records, changed in place.
void AmendRecords(Maker* maker, std::vector<int64_t> keys) {
    std::vector<int64_t> values(keys.size(), 4711);
    maker->Write("records", keys.size(), quern_update, [&](quern_batch* b) {
        quern_batch_key_int(b, keys.data());
        quern_batch_int(b, "number", values.data(), nullptr);
    });
}

Sample Records() {
    Maker maker("records", "all types of attributes and elements; segments, tombstones, a log",
                kBusy);
    CreateRecords(&maker);
    WriteRecords(&maker, 0, 60, 1);
    maker.Settle();
    maker.Optimize();
    maker.Settle();
    WriteRecords(&maker, 60, 30, 2);
    maker.Delete("records", {3, 4, 61});
    maker.Settle();
    maker.Delete("records", {5, 70});
    AmendRecords(&maker, {7, 8, 9});
    maker.Settle();
    WriteRecords(&maker, 80, 15, 3);
    return maker.Finish(false);
}

Sample Log() {
    Maker maker("log", "the same, and a write-ahead log with six commits");
    CreateRecords(&maker);
    WriteRecords(&maker, 0, 50, 4);
    maker.Optimize();
    maker.Settle();
    WriteRecords(&maker, 40, 12, 5);
    maker.Keep();
    maker.Delete("records", {1, 2, 45});
    maker.Keep();
    AmendRecords(&maker, {10, 11});
    maker.Keep();
    WriteRecords(&maker, 100, 3, 6);
    maker.Keep();
    maker.Must(quern_add_attr(maker.db, "records", "later", QUERN_INT, nullptr, &maker.err));
    maker.Keep();
    maker.Delete("records", {100});
    return maker.Finish(true);
}

Sample LogOfSeal() {
    Maker maker("log_of_seal", "a write-ahead log in which seals and merges are", kBusy);
    CreateRecords(&maker);
    WriteRecords(&maker, 0, 20, 7);
    maker.Settle();
    WriteRecords(&maker, 20, 20, 8);
    maker.Keep();
    maker.Delete("records", {0, 1, 2, 3, 30});
    maker.Keep();
    WriteRecords(&maker, 35, 20, 9);
    maker.Keep();
    WriteRecords(&maker, 200, 4, 10);
    return maker.Finish(true);
}

Sample Indexes() {
    Maker maker("indexes", "graphs and lists with and without codes, repeats, zero vectors");
    constexpr size_t kCount = 150;
    constexpr size_t kDim = 8;
    static const char* const kFields[] = {"graph_plain", "graph_4bit", "lists_i8", "lists_plain",
                                          "graph_1bit"};
    maker.Create("vectors", [](quern_schema* s) {
        quern_schema_dense(s, "graph_plain", kDim, QUERN_COSINE, "index=graph codes=f32");
        quern_schema_dense(s, "graph_4bit", kDim, QUERN_L2, "index=graph codes=4bit");
        quern_schema_dense(s, "lists_i8", kDim, QUERN_L2, "index=lists codes=i8");
        quern_schema_dense(s, "lists_plain", kDim, QUERN_IP, "index=lists codes=f32");
        quern_schema_dense(s, "graph_1bit", kDim, QUERN_IP, "index=graph codes=1bit");
    });
    Numbers numbers(10);
    const auto write = [&](size_t first, size_t count) {
        const std::vector<int64_t> keys = Keys(first, count);
        std::vector<std::vector<float>> matrices;
        for (size_t f = 0; f < std::size(kFields); f++) {
            matrices.push_back(numbers.Matrix(count, kDim));
            std::fill_n(matrices.back().begin(), kDim, 0.0f);
            std::copy_n(matrices.back().begin() + 2 * kDim, kDim,
                        matrices.back().begin() + 5 * kDim);
        }
        maker.Write("vectors", count, quern_upsert, [&](quern_batch* b) {
            quern_batch_key_int(b, keys.data());
            for (size_t f = 0; f < std::size(kFields); f++) {
                quern_batch_dense(b, kFields[f], matrices[f].data(), kDim, nullptr);
            }
        });
    };
    write(0, kCount);
    maker.Optimize();
    maker.Settle();
    maker.Delete("vectors", {7, 8, 30});
    write(kCount, 10);
    maker.Settle();
    write(kCount + 10, 6);
    return maker.Finish(false);
}

Sample Columns() {
    Maker maker("columns", "attributes with columns, of which some records were changed since");
    constexpr size_t kCount = 1100;
    maker.Create("rows", [](quern_schema* s) {
        quern_schema_key_text(s, "name");
        quern_schema_attr(s, "year", QUERN_INT, nullptr);
        quern_schema_attr(s, "lang", QUERN_TEXT, nullptr);
        quern_schema_dense(s, "emb", 2, QUERN_L2, "index=none");
    });
    Numbers numbers(11);
    const auto write = [&](size_t first, size_t count) {
        std::vector<std::string> names(count);
        std::vector<int64_t> years(count);
        std::vector<std::string> langs(count);
        for (size_t i = 0; i < count; i++) {
            names[i] = "row" + std::to_string(first + i);
            years[i] = static_cast<int64_t>(1990 + numbers.Below(30));
            langs[i] = std::string(1, static_cast<char>('a' + numbers.Below(6)));
        }
        const std::vector<float> matrix = numbers.Matrix(count, 2);
        const auto name_pointers = Pointers(names);
        const auto lang_pointers = Pointers(langs);
        maker.Write("rows", count, quern_upsert, [&](quern_batch* b) {
            quern_batch_key_text(b, name_pointers.data());
            quern_batch_int(b, "year", years.data(), nullptr);
            quern_batch_text(b, "lang", lang_pointers.data(), nullptr);
            quern_batch_dense(b, "emb", matrix.data(), 2, nullptr);
        });
    };
    write(0, kCount);
    maker.Optimize();
    maker.Settle();
    const std::vector<std::string> names = {"row3", "row700"};
    const auto pointers = Pointers(names);
    const int64_t years[] = {1066, 1789};
    maker.Write("rows", 2, quern_update, [&](quern_batch* b) {
        quern_batch_key_text(b, pointers.data());
        quern_batch_int(b, "year", years, nullptr);
    });
    return maker.Finish(false);
}

Sample Sparse() {
    Maker maker("sparse", "sparse fields with an index, an approximate one and token weights");
    constexpr size_t kCount = 2100;
    maker.Create("docs", [](quern_schema* s) {
        quern_schema_sparse(s, "terms", "dims=400 approx=graph");
        quern_schema_sparse(s, "sets", "dims=400 weights=none");
    });
    Numbers numbers(12);
    const auto write = [&](size_t first, size_t count) {
        const std::vector<int64_t> keys = Keys(first, count);
        std::vector<size_t> offsets = {0};
        std::vector<uint32_t> dims;
        std::vector<float> weights;
        for (size_t i = 0; i < count; i++) {
            uint32_t dim = 0;
            for (size_t e = 0; e < 4; e++) {
                dim += static_cast<uint32_t>(1 + numbers.Below(90));
                dims.push_back(dim);
                weights.push_back(static_cast<float>(1 + numbers.Below(50)) / 8.0f);
            }
            offsets.push_back(dims.size());
        }
        maker.Write("docs", count, quern_upsert, [&](quern_batch* b) {
            quern_batch_key_int(b, keys.data());
            quern_batch_sparse(b, "terms", offsets.data(), dims.data(), weights.data(), nullptr);
            quern_batch_sparse(b, "sets", offsets.data(), dims.data(), nullptr, nullptr);
        });
    };
    write(0, kCount);
    const char* const tokens[] = {"alpha", "beta", "gamma", "delta"};
    const uint32_t dims[] = {17, 60, 99, 140};
    const float weights[] = {1.5f, 0.25f, 2.0f, 1.0f};
    maker.Must(quern_set_token_weights(maker.db, "docs", "terms", tokens, dims, weights, 4, nullptr,
                                       &maker.err));
    maker.Optimize();
    maker.Settle();
    write(kCount - 10, 20);
    return maker.Finish(false);
}

Sample Texts() {
    Maker maker("texts", "a text field with an index, a dense one, a kept fusion");
    constexpr size_t kCount = 520;
    static const char* const kWords[] = {"alpha", "beta",  "gamma", "delta", "whale",
                                         "ship",  "ocean", "mill",  "stone", "grain"};
    maker.Create("articles", [](quern_schema* s) {
        quern_schema_text(s, "body", "porter stop=english");
        quern_schema_dense(s, "emb", 2, QUERN_COSINE, nullptr);
        quern_schema_attr(s, "year", QUERN_INT, nullptr);
    });
    Numbers numbers(13);
    const auto write = [&](size_t first, size_t count) {
        const std::vector<int64_t> keys = Keys(first, count);
        std::vector<std::string> texts(count);
        std::vector<int64_t> years(count);
        for (size_t i = 0; i < count; i++) {
            for (size_t w = 0; w < 3 + numbers.Below(5); w++) {
                texts[i] += std::string(w == 0 ? "" : " ") + kWords[numbers.Below(10)];
            }
            years[i] = static_cast<int64_t>(numbers.Below(20));
        }
        const std::vector<float> matrix = numbers.Matrix(count, 2);
        const auto pointers = Pointers(texts);
        maker.Write("articles", count, quern_upsert, [&](quern_batch* b) {
            quern_batch_key_int(b, keys.data());
            quern_batch_text(b, "body", pointers.data(), nullptr);
            quern_batch_int(b, "year", years.data(), nullptr);
            quern_batch_dense(b, "emb", matrix.data(), 2, nullptr);
        });
    };
    write(0, kCount);
    quern_query* query = quern_query_new(maker.db, "articles");
    quern_query* words = quern_query_new(maker.db, "articles");
    quern_query* vectors = quern_query_new(maker.db, "articles");
    const char* const text[] = {"whale ship"};
    const float vector[] = {1, 0};
    quern_query_text(words, "body", text, 1);
    quern_query_dense(vectors, "emb", vector, 1, 2);
    quern_query_leg(query, words, 0.25, nullptr);
    quern_query_leg(query, vectors, 0.75, nullptr);
    quern_query_fusion(query, "normalize=minmax");
    maker.Must(quern_store_fusion(query, "mine", &maker.err));
    for (quern_query* each : {query, words, vectors}) {
        quern_query_free(each);
    }
    maker.Optimize();
    maker.Settle();
    maker.Delete("articles", {9, 10, 11});
    write(kCount, 15);
    return maker.Finish(false);
}

}  // namespace

std::vector<Sample> MakeSamples(const std::string& only) {
    std::vector<Sample> samples;
    using Make = Sample (*)();
    static constexpr std::pair<const char*, Make> kMakers[] = {
        {"records", Records}, {"indexes", Indexes}, {"columns", Columns},      {"sparse", Sparse},
        {"texts", Texts},     {"log", Log},         {"log_of_seal", LogOfSeal}};
    for (const auto& [name, make] : kMakers) {
        if (only.empty() || only == name) {
            samples.push_back(make());
        }
    }
    return samples;
}

std::vector<Sample> ReadSamples(const std::string& folder, const std::string& only) {
    std::vector<Sample> samples;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        Sample sample;
        sample.name = entry.path().stem().string();
        sample.what = "written by an earlier version";
        if (entry.path().extension() != ".quern" || (!only.empty() && only != sample.name)) {
            continue;
        }
        std::ifstream in(entry.path(), std::ios::binary);
        sample.images.main.assign(std::istreambuf_iterator<char>(in), {});
        samples.push_back(std::move(sample));
    }
    std::sort(samples.begin(), samples.end(),
              [](const Sample& a, const Sample& b) { return a.name < b.name; });
    return samples;
}

}  // namespace quern::corruption
