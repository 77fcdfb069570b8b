// quern fit: learns the weights and the normalization of legs from judgments as TREC has them.
#include <CLI/CLI.hpp>
#include <map>
#include <nlohmann/json.hpp>

#include "byte_source.h"
#include "file_format.h"
#include "float_codes.h"
#include "result_cells.h"
#include "retrieval_files.h"
#include "schema_text.h"
#include "search_legs.h"
#include "shell.h"

namespace quern::shell {
namespace {

struct FitOptions {
    std::string db, collection, open, qrels, query_ids, fusion, metric, where, store;
    std::vector<std::string> legs;
    QueryFile queries;
    size_t k = 10;
    bool json = false;
};

// Judgments of records: "QUERY 0 RECORD GAIN" a line, or "QUERY RECORD GAIN" with a head line.
struct Judgments {
    std::vector<size_t> queries;
    std::vector<float> gains;
    std::vector<std::string> keys;
};

class FitRun {
public:
    explicit FitRun(const FitOptions& options)
        : options_(options),
          database_(options.db, options.store.empty() ? "ro" : "rw", options.open) {
        columns_ = ReadColumns(database_.Describe(options.collection).get());
        for (const std::string& words : options.legs) {
            legs_.emplace_back(words, columns_, options.queries);
            if (legs_.back().count() != legs_[0].count()) {
                FailUsage("'" + words + "' has " + std::to_string(legs_.back().count()) +
                          " queries, the first leg has " + std::to_string(legs_[0].count()));
            }
        }
        LoadQueryIds();
        ReadJudgments();
    }

    void Run() {
        QueryPtr query(NotNull(quern_query_new(database_.get(), options_.collection.c_str())));
        for (const SearchLeg& leg : legs_) {
            const QueryPtr of_leg =
                leg.NewQuery(database_.get(), options_.collection, "", 0, leg.count());
            quern_query_leg(query.get(), of_leg.get(), leg.weight(), leg.leg_options().c_str());
        }
        if (!options_.where.empty()) {
            quern_query_filter(query.get(), options_.where.c_str());
        }
        quern_query_fusion(query.get(), options_.fusion.c_str());
        std::vector<int64_t> int_keys;
        std::vector<const char*> text_keys;
        for (const std::string& key : judged_.keys) {
            int64_t number = 0;
            if (columns_.key.type == QUERN_KEY_INT && !ParseInt(key, &number)) {
                Fail(options_.qrels + ": '" + key.substr(0, 60) +
                     "': the keys of this collection are whole numbers");
            }
            int_keys.push_back(number);
            text_keys.push_back(key.c_str());
        }
        BatchPtr batch(NotNull(
            quern_batch_new(database_.get(), options_.collection.c_str(), judged_.keys.size())));
        columns_.key.type == QUERN_KEY_INT ? quern_batch_key_int(batch.get(), int_keys.data())
                                           : quern_batch_key_text(batch.get(), text_keys.data());
        std::string how = "metric=" + options_.metric + " k=" + std::to_string(options_.k);
        if (options_.store.find(' ') != std::string::npos) {
            FailUsage("--store '" + options_.store + "': the name of a fusion has no spaces");
        }
        how += options_.store.empty() ? "" : " store=" + options_.store;
        quern_text* learned = nullptr;
        double quality[2] = {0, 0};
        Call(quern_fit_fusion, query.get(), batch.get(), judged_.queries.data(),
             judged_.gains.data(), how.c_str(), &learned, quality);
        const std::string fusion = TakeText(learned);
        if (options_.json) {
            Print(nlohmann::ordered_json{{"fusion", fusion},
                                         {"metric", options_.metric},
                                         {"before", quality[0]},
                                         {"after", quality[1]}}
                      .dump() +
                  "\n");
            return;
        }
        char figures[160];
        std::snprintf(figures, sizeof(figures),
                      "%s@%zu of the judged queries: %.4f before, %.4f with it\n",
                      options_.metric.c_str(), options_.k, quality[0], quality[1]);
        Print(fusion + "\n");
        std::fputs(figures, stderr);
    }

private:
    // Line i names query i; without such a file queries are named by their numbers from 0.
    void LoadQueryIds() {
        if (options_.query_ids.empty()) {
            return;
        }
        const auto source = ByteSource::Open(options_.query_ids, StopFlag());
        const bool json_lines = FormatOfPath(options_.query_ids) == FileFormat::kJsonl;
        for (const std::string& id : ReadQueryIds(source.get(), json_lines)) {
            ids_.emplace(id, ids_.size());
        }
    }

    void ReadJudgments() {
        const auto source = ByteSource::Open(options_.qrels, StopFlag());
        QrelsReader reader(source.get());
        Judgment judgment;
        size_t unknown = 0;
        while (reader.Next(&judgment)) {
            CheckStopped();
            size_t query = 0;
            if (!FindQuery(judgment.query, &query)) {
                unknown++;
                continue;
            }
            judged_.queries.push_back(query);
            judged_.keys.push_back(judgment.record);
            judged_.gains.push_back(static_cast<float>(std::max(judgment.gain, 0.0)));
        }
        if (judged_.keys.empty()) {
            Fail(options_.qrels + ": no judgment is of a query that the legs have");
        }
        if (unknown > 0) {
            std::fprintf(stderr, "note: %zu judgments are of other queries\n", unknown);
        }
    }

    bool FindQuery(const std::string& id, size_t* query) const {
        if (!ids_.empty()) {
            const auto found = ids_.find(id);
            *query = found == ids_.end() ? 0 : found->second;
            return found != ids_.end() && *query < legs_[0].count();
        }
        int64_t number = 0;
        if (!ParseInt(id, &number) || number < 0) {
            Fail(options_.qrels + ": query '" + id.substr(0, 60) +
                 "' is no number: name the queries with --query-ids");
        }
        *query = static_cast<size_t>(number);
        return *query < legs_[0].count();
    }

    const FitOptions& options_;
    Database database_;
    CollectionColumns columns_;
    std::vector<SearchLeg> legs_;
    std::map<std::string, size_t> ids_;
    Judgments judged_;
};

}  // namespace

void AddFitCommand(CLI::App* app) {
    auto options = std::make_shared<FitOptions>();
    options->metric = "ndcg";
    CLI::App* command = app->add_subcommand("fit", "Learn from judgments how legs are fused");
    AddDatabaseOption(command, &options->db);
    AddCollectionOption(command, &options->collection);
    command
        ->add_option("--leg", options->legs,
                     "One of the searches that are fused, as in quern search (repeatable)")
        ->type_name("LEG")
        ->required()
        ->allow_extra_args(false);
    command
        ->add_option("--qrels", options->qrels,
                     "Judgments: 'QUERY 0 RECORD GAIN' a line, as TREC has them, or 'QUERY RECORD "
                     "GAIN'")
        ->type_name("FILE")
        ->required();
    command
        ->add_option("--query-ids", options->query_ids,
                     "The names of the queries, one a line, or JSON lines with _id (default: their "
                     "numbers from 0)")
        ->type_name("FILE");
    command->add_option("--metric", options->metric, "What is made better (default ndcg)")
        ->check(CLI::IsMember({"ndcg", "mrr"}));
    command->add_option("-k", options->k, "Of the first N records (default 10)")
        ->check(CLI::Range(1, 1000000));
    command
        ->add_option("--fusion", options->fusion,
                     "Where it begins: 'normalize=none|minmax|zscore|distribution'")
        ->type_name("OPTIONS");
    command
        ->add_option("--store", options->store,
                     "Also keep it with the collection: quern search takes it by --fusion "
                     "stored=NAME")
        ->type_name("NAME");
    AddWhereOption(command, &options->where);
    AddJsonOption(command, &options->json);
    AddOpenOption(command, &options->open);
    command->footer(
        "Prints what --fusion of quern search takes. Judge what was learned by other queries: "
        "these "
        "know it by heart.\n"
        "\n"
        "Example:\n"
        "  quern fit papers.quern papers --leg emb:@queries.npy --leg body:@queries.txt --qrels "
        "qrels.txt --query-ids ids.txt\n"
        "  quern fit scifact.quern docs --leg title:@scifact/queries.jsonl --leg "
        "text:@scifact/queries.jsonl --qrels scifact/qrels/train.tsv --query-ids "
        "scifact/queries.jsonl");
    command->callback([options] { FitRun(*options).Run(); });
}

}  // namespace quern::shell
