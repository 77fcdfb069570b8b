// quern as a program that includes <quern.h> would use it: a file, batches, quern_optimize, one
// query object for each query. What a call costs on its way through the C interface is in the
// figures.
//
// An index joins the comparison by one line in Variants().
#include <quern.h>

#include <algorithm>
#include <iterator>
#include <numeric>

#include "tests/bench/bench_support.h"
#include "tests/bench/dense/child_process.h"
#include "tests/bench/dense/rival.h"

namespace bench {
namespace {

constexpr size_t kImportRows = 10000;  // of one batch, which is one durable transaction

struct Variant {
    const char* slug;
    const char* label;
    const char* field_options;
    std::vector<std::string> efforts;  // option strings of the query
};

// Beams with a look at the full vectors of `refine` candidates; the wider the beam, the more.
std::vector<std::string> RefinedBeams() {
    std::vector<std::string> efforts;
    for (const std::string& beam : BeamEfforts()) {
        const size_t ef = EffortValue(beam, "ef");
        efforts.push_back(beam + " refine=" + std::to_string(std::max<size_t>(30, ef / 4)));
    }
    return efforts;
}

// Cells to open, and a look at so many full vectors.
std::vector<std::string> Probes() {
    std::vector<std::string> efforts;
    for (const int nprobe : {1, 2, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384}) {
        efforts.push_back("nprobe=" + std::to_string(nprobe) +
                          " refine=" + std::to_string(std::clamp(20 + nprobe / 2, 30, 80)));
    }
    return efforts;
}

std::vector<Variant> Variants() {
    return {
        {"quern-f32", "quern graph f32", "index=graph codes=f32", BeamEfforts()},
        {"quern-i8", "quern graph i8", "index=graph codes=i8", RefinedBeams()},
        {"quern-4bit", "quern graph 4-bit", "index=graph codes=4bit", RefinedBeams()},
        {"quern-i8-disk", "quern graph i8, vectors on disk", "index=graph codes=i8 fine=disk",
         RefinedBeams()},
        {"quern-4bit-disk", "quern graph 4-bit, vectors on disk",
         "index=graph codes=4bit fine=disk", RefinedBeams()},
        {"quern-f16", "quern graph f16", "index=graph codes=f16", RefinedBeams()},
        {"quern-bf16", "quern graph bf16", "index=graph codes=bf16", RefinedBeams()},
        {"quern-lvq8", "quern graph LVQ 8", "index=graph codes=lvq8", RefinedBeams()},
        {"quern-lvq4", "quern graph LVQ 4", "index=graph codes=lvq4", RefinedBeams()},
        {"quern-pq", "quern graph product codes", "index=graph codes=pq", RefinedBeams()},
        {"quern-1bit", "quern graph 1-bit, by bound", "index=graph codes=1bit", BeamEfforts()},
        {"quern-packed", "quern graph packed", "index=graph codes=packed", RefinedBeams()},
        {"quern-packed-recall",
         "quern graph packed, told a recall",
         "index=graph codes=packed",
         {"recall=0.85", "recall=0.9", "recall=0.95", "recall=0.99", "recall=0.995"}},
        {"quern-auto",
         "quern graph auto, told a recall",
         "index=graph codes=auto",
         {"recall=0.85", "recall=0.9", "recall=0.95", "recall=0.99", "recall=0.995"}},
        {"quern-lists-i8", "quern lists i8", "index=lists codes=i8", Probes()},
        {"quern-lists-recall",
         "quern lists i8, told a recall",
         "index=lists codes=i8",
         {"recall=0.85", "recall=0.9", "recall=0.95", "recall=0.99", "recall=0.995"}},
        {"quern-recall",
         "quern graph i8, told a recall",
         "index=graph codes=i8",
         {"recall=0.85", "recall=0.9", "recall=0.95", "recall=0.99", "recall=0.995"}},
        {"quern-exact", "quern exact", "index=none", {"recall=exact"}},
    };
}

class QuernSearcher : public Searcher {
public:
    QuernSearcher(quern_db* db, size_t dim, const std::string& effort)
        : db_(db), dim_(dim), options_("threads=1 " + effort) {}

    void Search(const float* query, size_t k, uint32_t* rows) override {
        quern_query* search = quern_query_new(db_, "bench");
        quern_query_dense(search, "emb", query, 1, dim_);
        quern_query_limit(search, k);
        quern_query_options(search, options_.c_str());
        quern_result* result = nullptr;
        Check(quern_search(search, &result, &error_), error_, "search");
        const size_t found = quern_result_rows(result);
        const int64_t* keys = quern_result_keys_int(result);
        for (size_t i = 0; i < k; i++) {
            rows[i] = i < found ? static_cast<uint32_t>(keys[i]) : kNoRow;
        }
        quern_result_free(result);
        quern_query_free(search);
    }

private:
    quern_db* db_;
    size_t dim_;
    std::string options_;
    quern_error error_ = QUERN_ERROR_INIT;
};

class QuernRival : public Rival {
public:
    QuernRival(const Space& space, const Variant& variant) : space_(space), variant_(variant) {}
    ~QuernRival() override { quern_close(db_); }

    double Build(const Matrix& rows, size_t threads, const std::string& path) override {
        RemoveDatabase(path);
        const auto start = Clock::now();
        Open(path, "mode=rwc threads=" + std::to_string(threads));
        quern_schema* schema = quern_schema_new();
        quern_schema_dense(schema, "emb", space_.dim, space_.metric, variant_.field_options);
        Check(quern_create(db_, "bench", schema, &error_), error_, "create");
        quern_schema_free(schema);
        for (size_t first = 0; first < rows.rows(); first += kImportRows) {
            Insert(rows.row(first), std::min(kImportRows, rows.rows() - first),
                   static_cast<uint32_t>(first));
        }
        Check(quern_optimize(db_, nullptr, 0, &error_), error_, "optimize");
        const double seconds = SecondsSince(start);
        quern_close(db_);
        db_ = nullptr;
        return seconds;
    }

    void Load(const std::string& path, size_t) override { Open(path, "mode=rw threads=1"); }

    std::vector<std::string> Efforts() const override { return variant_.efforts; }

    std::unique_ptr<Searcher> NewSearcher(const std::string& effort) override {
        return std::make_unique<QuernSearcher>(db_, space_.dim, effort);
    }

    void Insert(const float* rows, size_t count, uint32_t first) override {
        std::vector<int64_t> keys(count);
        std::iota(keys.begin(), keys.end(), int64_t{first});
        quern_batch* batch = quern_batch_new(db_, "bench", count);
        quern_batch_key_int(batch, keys.data());
        quern_batch_dense(batch, "emb", rows, space_.dim, nullptr);
        Check(quern_insert(batch, nullptr, &error_), error_, "insert");
        quern_batch_free(batch);
    }

private:
    void Open(const std::string& path, const std::string& options) {
        Check(quern_open(path.c_str(), options.c_str(), &db_, &error_), error_, "open");
    }

    Space space_;
    Variant variant_;
    quern_db* db_ = nullptr;
    quern_error error_ = QUERN_ERROR_INIT;
};

// Parts whose bytes a file cannot do without: the vectors, what stands for them while an index is
// searched, and who is whose neighbour (of lists: who is in which cell).
constexpr const char* kContent[] = {"vectors",     "graph links", "graph upper links",
                                    "graph codes", "list rows",   "list row numbers"};

double ContentMiB(const std::string& path) {
    quern_error error = QUERN_ERROR_INIT;
    quern_db* db = nullptr;
    Check(quern_open(path.c_str(), "mode=ro", &db, &error), error, "open");
    quern_text* text = nullptr;
    Check(quern_info(db, &text, &error), error, "info");
    const Json info = Json::parse(quern_text_data(text));
    quern_text_free(text);
    quern_close(db);
    double bytes = 0;
    for (const Json& collection : info["collections"]) {
        for (const Json& segment : collection["segments"]) {
            for (const Json& part : segment["parts"]) {
                if (std::find(std::begin(kContent), std::end(kContent), part["kind"]) !=
                    std::end(kContent)) {
                    bytes += part["raw_bytes"].get<double>();
                }
            }
        }
    }
    return bytes / (1 << 20);
}

}  // namespace

void AddQuernRivals(std::vector<RivalKind>* kinds) {
    for (const Variant& variant : Variants()) {
        kinds->push_back(
            {variant.slug, variant.label,
             [variant](const Space& space) { return std::make_unique<QuernRival>(space, variant); },
             /*keeps_index=*/false,
             /*insert_batches=*/{1, 100},
             /*guards_itself=*/true, ContentMiB});
    }
}

}  // namespace bench
