// A search of the shell: nearest records of query vectors or of stored records, and with ground
// truth the recall and the speed.
//
// Queries run one by one (latency) or all in one call (--batch: throughput). Before timing, the
// first query runs once untimed, because it loads the vectors from the file; that time is reported
// by itself.
#include "search_run.h"

#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

#include "bin_format.h"
#include "file_format.h"
#include "float_codes.h"
#include "progress_bar.h"
#include "result_cells.h"
#include "run_figures.h"
#include "run_file.h"
#include "schema_text.h"
#include "search_figures.h"
#include "search_legs.h"
#include "shell.h"
#include "sparse_text.h"
#include "term_dimensions.h"
#include "text_table.h"
#include "vecs_format.h"

namespace quern::shell {
namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

class SearchRun {
public:
    explicit SearchRun(const SearchOptions& options)
        : options_(options),
          database_(options.db, options.audit.empty() || options.audit == "measure" ? "ro" : "rw",
                    options.open) {
        columns_ = ReadColumns(database_.Describe(options.collection).get());
        if (options_.snippets && options_.texts.empty()) {
            FailUsage("--snippets goes with --text");
        }
        const std::string& fusion = options_.fusion;
        if (!fusion.empty() && options.legs.empty()) {
            FailUsage("--fusion '" + fusion + "' says how legs are fused: it goes with --leg");
        }
        // A formula may be over normalized scores.
        const bool scales =
            fusion.rfind("normalize=", 0) == 0 && fusion.find(' ') == std::string::npos;
        if (!fusion.empty() && !scales && !options_.formula.empty()) {
            FailUsage("--formula goes with a --fusion of normalize=... alone: '" + fusion +
                      "' says otherwise how legs are fused");
        }
        if (options.legs.empty()) {
            ChooseField();
        }
        LoadWhatToFind();
        LoadCandidates();
        NewQuery();
    }

    void Run() {
        if (options_.explain) {
            Explain();
            return;
        }
        if (options_.explain_hits) {
            ExplainHits();
            return;
        }
        if (!options_.audit.empty()) {
            Audit();
            return;
        }
        const bool with_figures = !options_.truth.empty() || options_.timing;
        RunFile run(options_, count_);
        const bool with_hits = (!with_figures && !run.wanted()) || options_.hits;
        if (options_.json && with_hits) {
            Print(HeadJson() + ",\"results\":[");
        }
        if (with_figures && count_ > 0) {
            const auto start = Clock::now();
            Search(0, 1);
            figures_.first_seconds = SecondsSince(start);
        }
        ProgressBar bar;
        const size_t step = options_.batch ? count_ : 1;
        for (size_t first = 0; first < count_; first += step) {
            CheckStopped();
            const auto start = Clock::now();
            const ResultPtr result = Search(first, step);
            const double seconds = SecondsSince(start);
            figures_.total_seconds += seconds;
            if (!options_.batch) {
                figures_.latencies.push_back(seconds);
            }
            CountTruth(result.get(), first, step);
            run.Add(result.get(), first, step);
            figures_.cost.Count(result.get());
            if (with_hits) {
                bar.Clear();
                PrintHits(result.get(), first, step);
                TellBookmark(result.get());
            } else {
                bar.Update("search", first + step, count_);
            }
        }
        bar.Clear();
        run.Finish();
        if (options_.json) {
            Print(with_hits ? "]" : HeadJson());
            Print(bookmark_.empty() ? "" : ",\"bookmark\":\"" + bookmark_ + "\"");
            Print((with_figures ? figures_.Json(count_, !truth_.empty(), options_.batch)
                                : std::string()) +
                  (options_.stats ? figures_.cost.Json() : std::string()) + "}\n");
        } else {
            if (with_figures) {
                figures_.Print(count_, truth_.empty() ? 0 : options_.k, options_.batch,
                               options_.hits);
            }
            if (options_.stats) {
                figures_.cost.Print(count_);
            }
        }
        if (figures_.partial > 0) {
            std::fprintf(stderr,
                         "note: %zu of the searches ended before they were done, by --timeout-ms, "
                         "--max-scored or --max-bytes: other records may be better\n",
                         figures_.partial);
        }
        if (figures_.cost.memory_needed > 0) {
            std::fprintf(stderr,
                         "note: an index was not used, memory_mb does not allow to load it: --open "
                         "memory_mb=%llu would do\n",
                         static_cast<unsigned long long>((figures_.cost.memory_needed >> 20) + 1));
        }
    }

private:
    void Audit() {
        SetTarget(0, count_);
        const std::string keep = options_.audit == "keep"     ? "keep=yes"
                                 : options_.audit == "forget" ? "keep=forget"
                                                              : "keep=no";
        ProgressBar bar;
        database_.ShowProgress(&bar);
        quern_text* json = nullptr;
        Call(quern_recall_audit, query_.get(), keep.c_str(), &json);
        bar.Clear();
        database_.ShowProgress(nullptr);
        Print(TakeText(json) + "\n");
    }

    // An object that goes on.
    std::string HeadJson() const {
        std::string head = "{\"collection\":" + nlohmann::json(options_.collection).dump();
        if (legs_.empty()) {
            head += ",\"field\":" + nlohmann::json(field_.name).dump();
        } else {
            std::vector<std::string> fields;
            for (const SearchLeg& leg : legs_) {
                fields.push_back(leg.field());
            }
            head += ",\"legs\":" + nlohmann::json(fields).dump();
        }
        return head + ",\"k\":" + std::to_string(options_.k);
    }

    // The options of the library that the user has set.
    std::string Knobs() const {
        std::string knobs = options_.self ? "self=include" : "";
        const std::pair<const char*, const std::string*> words[] = {
            {" recall=", &options_.recall},         {" refine=", &options_.refine},
            {" bound=", &options_.bound},           {" superblocks=", &options_.superblocks},
            {" terms=", &options_.terms},           {" bucket_weights=", &options_.bucket_weights},
            {" timeout_ms=", &options_.timeout_ms}, {" max_scored=", &options_.max_scored},
            {" max_bytes=", &options_.max_bytes}};
        for (const auto& [name, value] : words) {
            knobs += value->empty() ? "" : name + *value;
        }
        const std::pair<const char*, size_t> numbers[] = {
            {" threads=", options_.threads}, {" ef=", options_.ef}, {" nprobe=", options_.nprobe}};
        for (const auto& [name, value] : numbers) {
            knobs += value > 0 ? name + std::to_string(value) : "";
        }
        return knobs;
    }

    // All but what is looked for.
    void NewQuery() {
        query_.reset(NotNull(quern_query_new(database_.get(), options_.collection.c_str())));
        quern_query_limit(query_.get(), options_.k);
        if (options_.with_max_distance) {
            quern_query_max_distance(query_.get(), options_.max_distance);
        }
        if (options_.with_min_score) {
            quern_query_min_score(query_.get(), options_.min_score);
        }
        if (!options_.where.empty()) {
            quern_query_filter(query_.get(), options_.where.c_str());
        }
        if (!keys_) {
            keys_.emplace(database_, options_.collection, options_.key_files);
        }
        keys_->Use(query_.get());
        std::string shown = options_.columns;
        if (options_.snippets &&
            ("," + shown + ",").find("," + field_.name + ",") == std::string::npos) {
            shown += (shown.empty() ? "" : ",") + field_.name;
        }
        if (!shown.empty()) {
            quern_query_columns(query_.get(), shown.c_str());
        }
        quern_query_fusion(query_.get(), options_.fusion.c_str());
        if (!options_.feedback.empty()) {
            quern_query_feedback(query_.get(), options_.feedback.c_str());
        }
        if (!options_.formula.empty()) {
            quern_query_formula(query_.get(), options_.formula.c_str());
        }
        SetShape();
        quern_query_options(query_.get(), Knobs().c_str());
    }

    void SetShape() {
        quern_query_order(query_.get(), options_.order.c_str());
        quern_query_after(query_.get(), options_.after.c_str());
        if (options_.offset > 0) {
            quern_query_offset(query_.get(), options_.offset);
        }
        if (!options_.group.empty()) {
            quern_query_group(query_.get(), options_.group.c_str(), options_.per_group);
        }
        const std::string& words = options_.diversify;
        if (!words.empty()) {
            const size_t end = words.find(' ');
            const std::string how = end == std::string::npos ? "" : words.substr(end + 1);
            quern_query_diversify(query_.get(), words.substr(0, end).c_str(), how.c_str());
        }
    }

    // A field of either kind by its name; without one the only field there is.
    void ChooseField() {
        const std::string& name = options_.queries.column;
        const SparseColumn* const sparse = columns_.FindSparse(name);
        if (!options_.texts.empty() && (sparse == nullptr || options_.snippets)) {
            const AttrColumn* const text = columns_.FindText(name);
            if (text == nullptr && !name.empty() && sparse == nullptr) {
                FailUsage("--field " + name + ": --text needs a text field, or a sparse one");
            }
            if (text == nullptr) {
                FailUsage("--text needs a text field, or a sparse one: give its name with --field");
            }
            field_.name = text->name;
            return;
        }
        if (sparse != nullptr) {
            sparse_ = *sparse;
        } else if (name.empty() && columns_.dense.empty() && columns_.sparse.size() == 1) {
            sparse_ = columns_.sparse[0];
        } else {
            field_ = ChooseDense(columns_, name);
            return;
        }
        field_.name = sparse_.name;
        is_sparse_ = true;
    }

    void ReadSparseQuery() {
        Value value;
        value.kind = Value::Kind::kJson;
        value.text = options_.vector;
        std::string problem;
        std::vector<std::string> unknown;
        const bool fits =
            options_.vocabulary.empty()
                ? ConvertSparse(value, sparse_.dims, false, &sparse_query_, &problem)
                : TermDimensions::Existing(options_.vocabulary)
                      .ConvertQuery(value, sparse_.dims, &sparse_query_, &problem, &unknown);
        if (!fits) {
            FailUsage("--vector: " + problem);
        }
        if (!unknown.empty()) {
            std::fprintf(stderr,
                         "note: terms that are not in the vocabulary: %zu, the first '%s'\n",
                         unknown.size(), unknown.front().c_str());
        }
        count_ = 1;
    }

    void LoadWhatToFind() {
        const int ways = (options_.queries.path.empty() ? 0 : 1) +
                         (options_.vector.empty() ? 0 : 1) + (options_.keys.empty() ? 0 : 1) +
                         (options_.texts.empty() ? 0 : 1) + (options_.legs.empty() ? 0 : 1) +
                         (options_.plus.empty() && options_.minus.empty() ? 0 : 1);
        if (ways != 1) {
            FailUsage(std::string("say what to search for with one of --queries, --vector, "
                                  "--dimension, --text, --key, --plus and --leg") +
                      (ways > 1 ? ", not with several" : ""));
        }
        if (!options_.vocabulary.empty() &&
            (!is_sparse_ || options_.vector.empty() || options_.dimension >= 0)) {
            FailUsage("--vocabulary goes with --vector of a sparse field");
        }
        if (!options_.legs.empty()) {
            LoadLegs();
        } else if (!options_.keys.empty()) {
            count_ = options_.keys.size();
            for (const std::string& key : options_.keys) {
                int_keys_.push_back(KeyNumber("--key", key));
                text_keys_.push_back(key.c_str());
            }
        } else if (IsSum()) {
            count_ = 1;
        } else if (!options_.texts.empty()) {
            count_ = options_.texts.size();
        } else if (is_sparse_) {
            if (options_.vector.empty()) {
                FailUsage(
                    "a sparse field is searched with --vector, --dimension, --text or --key; by a "
                    "file of queries with --leg FIELD:@FILE");
            }
            ReadSparseQuery();
        } else if (options_.dimension >= 0) {
            FailUsage("--dimension is of sparse fields, the field '" + field_.name +
                      "' has dense vectors");
        } else if (!options_.vector.empty()) {
            queries_ = ParseQueryVector(options_.vector);
        } else {
            QueryFile file = options_.queries;
            file.column = field_.name;
            queries_ = LoadQueries(file);
        }
        if (options_.keys.empty() && options_.texts.empty() && options_.legs.empty() && !IsSum() &&
            !is_sparse_) {
            count_ = queries_.count;
            if (count_ > 0 && queries_.dim != field_.dim) {
                Fail("the queries have dimension " + std::to_string(queries_.dim) +
                     ", the field '" + field_.name + "' has " + std::to_string(field_.dim));
            }
        }
        if (!options_.truth.empty()) {
            if (columns_.key.type != QUERN_KEY_INT) {
                Fail("--truth holds record numbers, but the keys of this collection are texts");
            }
            const auto source = ByteSource::Open(options_.truth, StopFlag());
            auto* const read =
                FormatOfPath(options_.truth) == FileFormat::kIbin ? ReadBinTruth : ReadTruth;
            truth_ = read(source.get(), options_.queries.skip_rows, count_, options_.k);
            if (truth_.size() < count_) {
                Fail(options_.truth + ": " + std::to_string(truth_.size()) + " rows for " +
                     std::to_string(count_) + " queries");
            }
        }
    }

    bool IsSum() const { return !options_.plus.empty() || !options_.minus.empty(); }

    // The key as a number; 0 where keys are texts.
    int64_t KeyNumber(const char* option, const std::string& key) const {
        int64_t number = 0;
        if (columns_.key.type == QUERN_KEY_INT && !ParseInt(key, &number)) {
            FailUsage(std::string(option) + " " + key +
                      ": the keys of this collection are whole numbers");
        }
        return number;
    }

    // One query: the vectors of some records less those of others.
    void SetSum() {
        quern_query_compose(query_.get(), field_.name.c_str(), 1, nullptr);
        const std::pair<double, const std::vector<std::string>*> sides[] = {{1, &options_.plus},
                                                                            {-1, &options_.minus}};
        for (const auto& [weight, keys] : sides) {
            for (const std::string& key : *keys) {
                if (columns_.key.type == QUERN_KEY_INT) {
                    quern_query_term_key_int(query_.get(), 0, weight,
                                             KeyNumber(weight > 0 ? "--plus" : "--minus", key));
                } else {
                    quern_query_term_key_text(query_.get(), 0, weight, key.c_str());
                }
            }
        }
    }

    void LoadLegs() {
        for (const std::string& words : options_.legs) {
            legs_.emplace_back(words, columns_, options_.queries);
            if (legs_.back().count() != legs_[0].count()) {
                FailUsage("'" + words + "' has " + std::to_string(legs_.back().count()) +
                          " queries, the first leg has " + std::to_string(legs_[0].count()));
            }
        }
        count_ = legs_[0].count();
    }

    void LoadCandidates() {
        for (const std::string& words : options_.candidates) {
            candidates_.emplace_back(words, columns_, options_.queries);
            const SearchLeg& from = candidates_.back();
            if (from.count() != count_) {
                FailUsage("'" + words + "' has " + std::to_string(from.count()) +
                          " queries, the search has " + std::to_string(count_));
            }
            if (from.weight() != 1 || !from.leg_options().empty()) {
                FailUsage("'" + words + "': candidates have no weight and no absent score");
            }
        }
    }

    // Each is searched among what the one before has found, the query among those of the last.
    void SetCandidates(size_t first, size_t count) {
        QueryPtr from;
        for (const SearchLeg& next : candidates_) {
            QueryPtr query =
                next.NewQuery(database_.get(), options_.collection, Knobs(), first, count);
            quern_query_candidates(query.get(), from.get());
            from = std::move(query);
        }
        quern_query_candidates(query_.get(), from.get());
    }

    ResultPtr Search(size_t first, size_t count) {
        SetTarget(first, count);
        return RunQuery(query_.get());
    }

    void SetTarget(size_t first, size_t count) {
        if (!legs_.empty()) {
            NewQuery();  // a query keeps its legs
            for (const SearchLeg& leg : legs_) {
                const QueryPtr query =
                    leg.NewQuery(database_.get(), options_.collection, Knobs(), first, count);
                quern_query_leg(query_.get(), query.get(), leg.weight(), leg.leg_options().c_str());
            }
        } else if (IsSum()) {
            SetSum();
        } else if (!options_.keys.empty()) {
            if (columns_.key.type == QUERN_KEY_INT) {
                quern_query_key_int(query_.get(), field_.name.c_str(), int_keys_.data() + first,
                                    count);
            } else {
                quern_query_key_text(query_.get(), field_.name.c_str(), text_keys_.data() + first,
                                     count);
            }
        } else if (!options_.texts.empty()) {
            std::vector<const char*> texts;
            for (size_t i = first; i < first + count; i++) {
                texts.push_back(options_.texts[i].c_str());
            }
            (is_sparse_ ? quern_query_sparse_text : quern_query_text)(
                query_.get(), field_.name.c_str(), texts.data(), count);
        } else if (is_sparse_) {
            sparse_offsets_[1] = sparse_query_.dims.size();
            quern_query_sparse(query_.get(), field_.name.c_str(), sparse_offsets_,
                               sparse_query_.dims.data(), sparse_query_.weights.data(), 1);
        } else {
            quern_query_dense(query_.get(), field_.name.c_str(), queries_.row(first), count,
                              queries_.dim);
        }
        SetCandidates(first, count);
    }

    ResultPtr RunQuery(quern_query* query) {
        quern_result* result = nullptr;
        Call(quern_search, query, &result);
        if ((quern_result_flags(result) & QUERN_FLAG_DEGRADED) != 0 && !told_degraded_) {
            told_degraded_ = true;
            std::fprintf(stderr,
                         "note: an index is missing or damaged; answers are right and slow until "
                         "'quern rebuild'\n");
        }
        figures_.partial += (quern_result_flags(result) & QUERN_FLAG_PARTIAL) != 0 ? 1 : 0;
        return ResultPtr(result);
    }

    void CountTruth(const quern_result* result, size_t first, size_t count) {
        if (truth_.empty()) {
            return;
        }
        for (size_t i = 0; i < count; i++) {
            const int64_t* keys = quern_result_keys_int(result);
            const size_t begin = quern_result_offset(result, i);
            const size_t end = quern_result_offset(result, i + 1);
            const auto found = keys == nullptr ? std::vector<int64_t>()
                                               : std::vector<int64_t>(keys + begin, keys + end);
            size_t wanted = 0;
            figures_.hits += CountHits(found, truth_[first + i], options_.k, &wanted);
            figures_.wanted += wanted;
        }
    }

    // How the first query would be answered, and how it was.
    void Explain() {
        SetTarget(0, std::min<size_t>(1, count_));
        quern_text* json = nullptr;
        Call(quern_query_explain, query_.get(), &json);
        auto plan = nlohmann::ordered_json::parse(TakeText(json));
        if (count_ > 0) {
            const ResultPtr result = RunQuery(query_.get());
            Call(quern_result_explain, result.get(), &json);
            plan["search"] = nlohmann::ordered_json::parse(TakeText(json));
        }
        Print(plan.dump() + "\n");
    }

    // Of the first query.
    void ExplainHits() {
        const ResultPtr result = Search(0, std::min<size_t>(1, count_));
        quern_text* json = nullptr;
        Call(quern_explain_hits, query_.get(), result.get(), &json);
        Print(TakeText(json) + "\n");
    }

    // Of one query: how to go on.
    void TellBookmark(const quern_result* result) {
        const char* const bookmark = count_ == 1 ? quern_result_bookmark(result) : nullptr;
        bookmark_ = bookmark == nullptr ? "" : bookmark;
        const bool full = quern_result_rows(result) == options_.k && !bookmark_.empty();
        if (full && !options_.json && (options_.bookmark || !options_.after.empty())) {
            FlushOutput();
            std::fprintf(stderr, "note: those behind: --after %s\n", bookmark);
        }
    }

    void PrintHits(const quern_result* result, size_t first, size_t count) {
        for (size_t i = 0; i < count; i++) {
            const size_t begin = quern_result_offset(result, i);
            const size_t end = quern_result_offset(result, i + 1);
            if (options_.json) {
                PrintHitsJson(result, first + i, begin, end);
                continue;
            }
            std::vector<std::string> titles{columns_.key.name,
                                            legs_.empty() ? ">distance" : ">score"};
            for (const SearchLeg& leg : legs_) {
                titles.push_back(">" + leg.field());
            }
            for (size_t col = 0; col < quern_result_columns(result); col++) {
                titles.emplace_back(quern_result_column_name(result, col));
            }
            TextTable table(titles);
            Value value;
            for (size_t row = begin; row < end; row++) {
                std::vector<std::string> cells{KeyText(result, row), {}};
                AppendFloat(legs_.empty() ? quern_result_distance(result, row)
                                          : quern_result_score(result, row),
                            &cells[1]);
                for (size_t leg = 0; leg < legs_.size(); leg++) {
                    cells.push_back(LegScore(result, row, leg, ""));
                }
                for (size_t col = 0; col < quern_result_columns(result); col++) {
                    ReadCell(result, row, col, &value);
                    cells.push_back(IsSnippet(result, col) && value.kind == Value::Kind::kText
                                        ? Snippet(first + i, value.text)
                                        : ShortText(value));
                }
                table.AddRow(std::move(cells));
            }
            if (count_ > 1) {
                const std::string name =
                    options_.keys.empty() ? std::to_string(first + i) : options_.keys[first + i];
                Print((first + i > 0 ? "\nquery " : "query ") + name + "\n");
            }
            if (table.empty()) {
                Print("no records\n");
            } else {
                table.Print(stdout);
            }
        }
    }

    // absent: in place of the score of a record that the leg does not match.
    static std::string LegScore(const quern_result* result, size_t row, size_t leg,
                                const char* absent) {
        const double score = quern_result_leg_score(result, row, leg);
        std::string text = std::isnan(score) ? absent : "";
        if (!std::isnan(score)) {
            AppendFloat(static_cast<float>(score), &text);
        }
        return text;
    }

    // Whether a column is the text that snippets were asked for of.
    bool IsSnippet(const quern_result* result, size_t col) const {
        return options_.snippets && field_.name == quern_result_column_name(result, col);
    }
    std::string Snippet(size_t query, const std::string& text) {
        quern_text* snippet = nullptr;
        Call(quern_snippet, database_.get(), options_.collection.c_str(), field_.name.c_str(),
             options_.texts[query].c_str(), text.data(), text.size(), kSnippet, &snippet);
        std::string shown = quern_text_data(snippet);
        quern_text_free(snippet);
        std::replace(shown.begin(), shown.end(), '\n', ' ');
        return shown;
    }

    void PrintHitsJson(const quern_result* result, size_t query, size_t begin, size_t end) {
        std::string json = query > 0 ? ",\n" : "\n";
        json += "{\"query\":" + std::to_string(query);
        if (!options_.keys.empty()) {
            json += ",\"of\":" + (columns_.key.type == QUERN_KEY_INT
                                      ? options_.keys[query]
                                      : nlohmann::json(options_.keys[query]).dump());
        }
        json += ",\"hits\":[";
        for (size_t row = begin; row < end; row++) {
            json += row > begin ? ",{\"key\":" : "{\"key\":";
            json += KeyJson(result, row);
            if (legs_.empty()) {
                json += ",\"distance\":";
                AppendFloat(quern_result_distance(result, row), &json);
            } else {
                json += ",\"score\":";
                AppendFloat(quern_result_score(result, row), &json);
                for (size_t leg = 0; leg < legs_.size(); leg++) {
                    json += (leg == 0 ? ",\"legs\":[" : ",") + LegScore(result, row, leg, "null");
                }
                json += "]";
            }
            if (quern_result_columns(result) > 0) {
                std::string columns;
                AppendColumnsJson(result, row, &columns);
                json += ",\"columns\":{" + columns.substr(1) + "}";
            }
            for (size_t col = 0; col < quern_result_columns(result); col++) {
                if (IsSnippet(result, col)) {
                    Value value;
                    ReadCell(result, row, col, &value);
                    json += ",\"snippet\":" + nlohmann::json(Snippet(query, value.text)).dump();
                }
            }
            json += "}";
        }
        Print(json + "]}");
    }

    const SearchOptions& options_;
    Database database_;
    CollectionColumns columns_;
    DenseColumn field_;
    static constexpr const char* kSnippet = "words=16";
    bool is_sparse_ = false;  // sparse_, else field_; field_ has its name
    SparseColumn sparse_;
    SparseEntries sparse_query_;
    size_t sparse_offsets_[2] = {0, 0};
    QueryVectors queries_;
    std::vector<SearchLeg> legs_;
    std::vector<SearchLeg> candidates_;
    std::vector<int64_t> int_keys_;
    std::vector<const char*> text_keys_;
    std::vector<std::vector<int32_t>> truth_;
    size_t count_ = 0;
    std::optional<KeySets> keys_;
    QueryPtr query_;
    RunFigures figures_;
    bool told_degraded_ = false;
    std::string bookmark_;
};

}  // namespace

void RunSearch(const SearchOptions& options) {
    SearchRun(options).Run();
}

}  // namespace quern::shell
