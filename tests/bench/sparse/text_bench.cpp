// bench_text: BM25 over judged collections, beside SQLite FTS5's bm25() on the same texts in the
// same run. README.md says what it measures.
#include <sqlite3.h>
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/sparse/text_search.h"
#include "storage/text_tokens.h"
#include "tests/bench/bench_support.h"
#include "tests/bench/sparse/text_set.h"

using namespace quern;
using namespace quern::sparse;
using bench::Measures;
using bench::TextSet;
namespace fs = std::filesystem;

namespace {

constexpr const char* kAnalysis = "porter stop=english";
constexpr size_t kTop = 10;

double CpuSeconds() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

template <typename T>
T Must(Result<T> result) {
    if (!result.ok()) {
        throw std::runtime_error(result.status().message());
    }
    return std::move(*result);
}

void Must(const Status& status) {
    if (!status.ok()) {
        throw std::runtime_error(status.message());
    }
}

class Quern {
public:
    explicit Quern(const TextSet& set)
        : analyzer_(Must(TextAnalyzer::Open(kAnalysis, storage::OpenTokenizer))) {
        TextIndexBuilder builder(true);
        std::vector<TextTerm> terms;
        for (const std::string& text : set.texts) {
            Must(analyzer_->Analyze(text, &terms));
            Must(builder.Add(terms));
        }
        TextParts parts = Must(builder.Finish(&work_));
        disk_bytes_ = parts.dictionary.size() + parts.lengths.size() + parts.postings.size();
        index_ = Must(TextIndex::Load(std::move(parts), &work_));
        statistics_ = index_->Statistics(nullptr);
    }
    std::vector<SparseHit> Search(const std::string& text, const Bm25Options& options) {
        const TextQuery query = Must(QueryOfWords(text, analyzer_.get()));
        auto prepared = Must(
            PreparedText::Prepare(query, {{index_.get(), nullptr}}, statistics_, options, &work_));
        TopHits hits(kTop);
        Must(prepared->Search(0, nullptr, &hits, &work_));
        return hits.Take();
    }
    // The query as FTS5 takes it: the same words as they are written, joined by OR.
    std::string MatchText(const std::string& text) {
        std::vector<TextTerm> terms;
        Must(analyzer_->Analyze(text, &terms));
        std::string out;
        for (const TextTerm& term : terms) {
            out += out.empty() ? "\"" : " OR \"";
            out += text.substr(term.begin, term.end - term.begin);
            out += '"';
        }
        return out;
    }
    const TextIndex& index() const { return *index_; }
    size_t disk_bytes() const { return disk_bytes_; }

private:
    Work work_;
    std::unique_ptr<TextAnalyzer> analyzer_;
    std::unique_ptr<TextIndex> index_;
    TextStatistics statistics_;
    size_t disk_bytes_ = 0;
};

class Fts5 {
public:
    explicit Fts5(const TextSet& set) {
        Must(sqlite3_open(":memory:", &db_) == SQLITE_OK);
        Must(Run("CREATE VIRTUAL TABLE t USING fts5(x, tokenize='porter unicode61')"));
        Must(Run("BEGIN"));
        sqlite3_stmt* insert = Prepare("INSERT INTO t(rowid, x) VALUES (?1, ?2)");
        for (size_t i = 0; i < set.texts.size(); i++) {
            sqlite3_bind_int64(insert, 1, static_cast<sqlite3_int64>(i));
            sqlite3_bind_text(insert, 2, set.texts[i].data(), static_cast<int>(set.texts[i].size()),
                              SQLITE_STATIC);
            Must(sqlite3_step(insert) == SQLITE_DONE);
            sqlite3_reset(insert);
        }
        sqlite3_finalize(insert);
        Must(Run("COMMIT"));
        Must(Run("INSERT INTO t(t) VALUES ('optimize')"));
        select_ = Prepare("SELECT rowid FROM t WHERE t MATCH ?1 ORDER BY rank LIMIT 10");
    }
    ~Fts5() {
        sqlite3_finalize(select_);
        sqlite3_close(db_);
    }
    std::vector<uint32_t> Search(const std::string& match) {
        std::vector<uint32_t> found;
        sqlite3_bind_text(select_, 1, match.data(), static_cast<int>(match.size()), SQLITE_STATIC);
        while (sqlite3_step(select_) == SQLITE_ROW) {
            found.push_back(static_cast<uint32_t>(sqlite3_column_int64(select_, 0)));
        }
        sqlite3_reset(select_);
        return found;
    }

private:
    static void Must(bool ok) {
        if (!ok) {
            throw std::runtime_error("FTS5 failed");
        }
    }
    bool Run(const char* sql) {
        return sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) == SQLITE_OK;
    }
    sqlite3_stmt* Prepare(const char* sql) {
        sqlite3_stmt* statement = nullptr;
        Must(sqlite3_prepare_v2(db_, sql, -1, &statement, nullptr) == SQLITE_OK);
        return statement;
    }
    sqlite3* db_ = nullptr;
    sqlite3_stmt* select_ = nullptr;
};

double MeanNdcg(const TextSet& set, Quern* quern, const Bm25Options& options) {
    double sum = 0;
    for (const auto& [id, text] : set.queries) {
        std::vector<std::string> found;
        for (const SparseHit& hit : quern->Search(text, options)) {
            found.push_back(set.ids[hit.position]);
        }
        sum += Measures::Of(set.gains.at(id), found).ndcg_10;
    }
    return sum / static_cast<double>(set.queries.size());
}

double MeanNdcg(const TextSet& set, const std::vector<std::string>& matches, Fts5* fts5) {
    double sum = 0;
    for (size_t q = 0; q < matches.size(); q++) {
        std::vector<std::string> found;
        for (const uint32_t row : fts5->Search(matches[q])) {
            found.push_back(set.ids[row]);
        }
        sum += Measures::Of(set.gains.at(set.queries[q].first), found).ndcg_10;
    }
    return sum / static_cast<double>(matches.size());
}

void Measure(const std::string& name, const TextSet& set, int rounds) {
    Quern quern(set);
    Fts5 fts5(set);
    std::vector<std::string> matches;
    for (const auto& query : set.queries) {
        matches.push_back(quern.MatchText(query.second));
    }
    std::vector<double> ours;
    std::vector<double> theirs;
    std::vector<double> ratios;
    const double queries = static_cast<double>(set.queries.size());
    for (int round = 0; round < rounds; round++) {
        double start = CpuSeconds();
        for (const auto& query : set.queries) {
            quern.Search(query.second, {});
        }
        ours.push_back((CpuSeconds() - start) / queries * 1e6);
        start = CpuSeconds();
        for (const std::string& match : matches) {
            fts5.Search(match);
        }
        theirs.push_back((CpuSeconds() - start) / queries * 1e6);
        ratios.push_back(theirs.back() / ours.back());
    }
    const double postings = static_cast<double>(quern.index().lists().postings());
    std::printf("%-10s %7zu %5zu  %.4f  %.4f  %.4f  %9.1f %9.1f %7.1f  %5.2f %5.2f\n", name.c_str(),
                set.texts.size(), set.queries.size(), MeanNdcg(set, &quern, {0.9, 0.4}),
                MeanNdcg(set, &quern, {1.2, 0.75}), MeanNdcg(set, matches, &fts5),
                bench::Median(ours), bench::Median(theirs), bench::Median(ratios),
                static_cast<double>(quern.index().lists().memory_bytes()) / postings,
                static_cast<double>(quern.disk_bytes()) / postings);
}

}  // namespace

int main(int argc, char** argv) {
    const char* const set_data = std::getenv("QUERN_DATA");
    fs::path data = set_data != nullptr ? fs::path(set_data)
                                        : fs::path(QUERN_SOURCE_DIR) / ".." / "shared" / "data";
    std::string sets = "scifact,nfcorpus,cranfield,cacm,npl";
    int rounds = 5;
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string option = argv[i];
        if (option == "--data") {
            data = argv[i + 1];
        } else if (option == "--sets") {
            sets = argv[i + 1];
        } else if (option == "--rounds") {
            rounds = std::max(1, std::atoi(argv[i + 1]));
        } else {
            std::fprintf(stderr, "bench_text [--data DIR] [--sets NAMES] [--rounds N]\n");
            return 2;
        }
    }
    std::printf(
        "                          nDCG@10                  us a query, top 10            "
        "bytes a posting\n");
    std::printf(
        "set        records judged .9/.4   1.2/.75 FTS5        quern      FTS5   ratio  "
        "memory file\n");
    std::istringstream names(sets);
    try {
        for (std::string name; std::getline(names, name, ',');) {
            if (fs::exists(data / name / "corpus.jsonl.zst")) {
                Measure(name, bench::ReadTextSet(data, name), rounds);
            } else {
                std::printf("%-10s is not there: skipped\n", name.c_str());
            }
        }
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    return 0;
}
