// bench_text_database: text fields through the C API, over judged collections: how good the answers
// are beside published figures, and what a file, its first search and later ones take. README.md
// says how to read it.
#include <quern.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "tests/bench/bench_support.h"
#include "tests/bench/sparse/text_set.h"

namespace {

using bench::Measures;
using bench::TextSet;
namespace fs = std::filesystem;

constexpr const char* kOpen = "threads=1 maintenance=off seal_rows=10000000 seal_kb=10000000";

double CpuSeconds() {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// A bag of words for the query language: signs that mean something there become spaces.
std::string Words(std::string text) {
    for (char& c : text) {
        c = static_cast<unsigned char>(c) < 0x80 && std::isalnum(static_cast<unsigned char>(c)) == 0
                ? ' '
                : c;
    }
    return text;
}

class File {
public:
    File(const std::string& path, const TextSet& set, const char* options) : path_(path) {
        bench::RemoveDatabase(path_);
        Open();
        quern_schema* schema = quern_schema_new();
        quern_schema_key_text(schema, "id");
        quern_schema_text(schema, "body", options);
        Check(quern_create(db_, "docs", schema, &error_), "create");
        quern_schema_free(schema);
        std::vector<const char*> keys;
        std::vector<const char*> texts;
        for (size_t i = 0; i < set.ids.size(); i++) {
            keys.push_back(set.ids[i].c_str());
            texts.push_back(set.texts[i].c_str());
        }
        quern_batch* batch = quern_batch_new(db_, "docs", keys.size());
        quern_batch_key_text(batch, keys.data());
        quern_batch_text(batch, "body", texts.data(), nullptr);
        Check(quern_insert(batch, nullptr, &error_), "insert");
        quern_batch_free(batch);
    }
    ~File() {
        quern_close(db_);
        bench::RemoveDatabase(path_);
    }
    double Optimize() {
        const double start = CpuSeconds();
        Check(quern_optimize(db_, nullptr, 0, &error_), "optimize");
        return CpuSeconds() - start;
    }
    void Reopen() {
        quern_close(db_);
        Open();
    }
    // Keys, best first; *us: what the call took.
    std::vector<std::string> Search(const std::string& text, size_t k, double* us) {
        const char* const texts[] = {text.c_str()};
        quern_query* query = quern_query_new(db_, "docs");
        quern_query_text(query, "body", texts, 1);
        quern_query_limit(query, k);
        quern_result* result = nullptr;
        const double start = CpuSeconds();
        Check(quern_search(query, &result, &error_), "search");
        *us = (CpuSeconds() - start) * 1e6;
        std::vector<std::string> found = bench::TakeTextKeys(result);
        quern_query_free(query);
        return found;
    }
    // Writes a record once more, then searches; what the search takes.
    double PutAndSearch(const TextSet& set, size_t i) {
        const char* const key = set.ids[i].c_str();
        const char* const text = set.texts[i].c_str();
        quern_batch* batch = quern_batch_new(db_, "docs", 1);
        quern_batch_key_text(batch, &key);
        quern_batch_text(batch, "body", &text, nullptr);
        Check(quern_upsert(batch, nullptr, &error_), "upsert");
        quern_batch_free(batch);
        double us = 0;
        Search("some words", 10, &us);
        return us;
    }
    // Of the parts whose kind begins so.
    double StoredBytes(const std::string& kind) {
        quern_text* text = nullptr;
        Check(quern_info(db_, &text, &error_), "info");
        const auto info = nlohmann::json::parse(quern_text_data(text));
        quern_text_free(text);
        double sum = 0;
        for (const auto& segment : info["collections"][0]["segments"]) {
            for (const auto& part : segment["parts"]) {
                sum += part["kind"].get<std::string>().rfind(kind, 0) == 0
                           ? part["stored_bytes"].get<double>()
                           : 0;
            }
        }
        return sum;
    }

private:
    void Open() { Check(quern_open(path_.c_str(), kOpen, &db_, &error_), "open"); }
    void Check(int32_t status, const char* what) { bench::Check(status, error_, what); }
    std::string path_;
    quern_db* db_ = nullptr;
    quern_error error_ = QUERN_ERROR_INIT;
};

void Print(const std::string& name, const char* options, const Measures& sum, size_t queries) {
    const auto n = static_cast<double>(queries);
    std::printf("%-10s %-10s nDCG@10 %.4f   MAP %.4f   MRR@10 %.4f   R@100 %.4f   R@1000 %.4f\n",
                name.c_str(), options, sum.ndcg_10 / n, sum.map / n, sum.mrr_10 / n,
                sum.recall_100 / n, sum.recall_1000 / n);
}

void Quality(File* file, const std::string& name, const char* options, const TextSet& set) {
    Measures sum;
    for (const auto& [id, text] : set.queries) {
        double us = 0;
        sum.Add(Measures::Of(set.gains.at(id), file->Search(Words(text), 1000, &us)));
    }
    Print(name, options, sum, set.queries.size());
}

void Costs(File* file, const TextSet& set) {
    std::vector<std::string> in_log;
    std::vector<double> us(1);
    for (const auto& query : set.queries) {
        for (const std::string& key : file->Search(Words(query.second), 10, us.data())) {
            in_log.push_back(key);
        }
    }
    // A record at a time, and a search after each.
    std::vector<double> fresh;
    for (size_t i = 0; i < std::min<size_t>(200, set.ids.size()); i++) {
        fresh.push_back(file->PutAndSearch(set, i));
    }
    file->Reopen();
    double first_log = 0;
    file->Search("nothing", 10, &first_log);
    const double optimized = file->Optimize();
    file->Reopen();
    double first = 0;
    file->Search("nothing", 10, &first);
    us.clear();
    size_t at = 0;
    for (const auto& query : set.queries) {
        for (const std::string& key : file->Search(Words(query.second), 10, &us.emplace_back())) {
            if (at >= in_log.size() || in_log[at++] != key) {
                std::fprintf(stderr, "the index answers otherwise than the log\n");
                std::exit(1);
            }
        }
    }
    std::printf(
        "%-21s %zu records; a search after an insert median %.2f ms; first search %.1f ms from the "
        "log, %.1f ms with an index; later ones "
        "median %.0f us; optimize %.2f s; texts %.2f MB, index %.2f MB in the file\n",
        "", set.ids.size(), bench::Median(fresh) / 1e3, first_log / 1e3, first / 1e3,
        bench::Median(us), optimized, file->StoredBytes("texts") / 1e6,
        file->StoredBytes("text index") / 1e6);
}

}  // namespace

int main(int argc, char** argv) {
    const char* const set_data = std::getenv("QUERN_DATA");
    const fs::path data = set_data != nullptr
                              ? fs::path(set_data)
                              : fs::path(QUERN_SOURCE_DIR) / ".." / "shared" / "data";
    const std::string path =
        (fs::temp_directory_path() / ("bench_text_" + std::to_string(getpid()) + ".db")).string();
    std::istringstream names(argc > 1 ? argv[1] : "scifact,nfcorpus,cranfield,cacm,npl");
    for (std::string name; std::getline(names, name, ',');) {
        if (!fs::exists(data / name / "corpus.jsonl.zst")) {
            std::printf("%-10s is not there: skipped\n", name.c_str());
            continue;
        }
        const TextSet set = bench::ReadTextSet(data, name);
        for (const char* const bm25 : {"k1=0.9 b=0.4", "k1=1.2 b=0.75"}) {
            File file(path, set, (std::string("porter stop=english ") + bm25).c_str());
            if (bm25[3] == '0') {
                Costs(&file, set);
            }
            Quality(&file, name, bm25, set);
        }
    }
    return 0;
}
