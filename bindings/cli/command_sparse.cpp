// quern tokens, quern stats: what sparse fields have beside their records, and what they hold.
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <optional>

#include "byte_source.h"
#include "file_format.h"
#include "float_codes.h"
#include "format_error.h"
#include "progress_bar.h"
#include "result_cells.h"
#include "schema_text.h"
#include "shell.h"
#include "sparse_text.h"
#include "term_dimensions.h"
#include "text_table.h"

namespace quern::shell {
namespace {

using Json = nlohmann::ordered_json;

struct FieldOptions {
    std::string db, collection, field, path, words, open, vocabulary;
    bool remove = false, json = false;
};

struct TokenLines {
    std::vector<std::string> tokens;
    std::vector<uint32_t> dims;
    std::vector<float> weights;  // empty: they are counted
};

// TOKEN, TOKEN<tab>WEIGHT or TOKEN<tab>DIMENSION<tab>WEIGHT, the same on all lines; without a
// dimension it is the number of the line, from 0.
TokenLines ReadTokens(const std::string& path) {
    const auto source = ByteSource::Open(path, StopFlag());
    TokenLines out;
    size_t columns = 0;
    std::string line;
    for (size_t number = 1; source->ReadLine(&line); number++) {
        const std::string where = path + ", line " + std::to_string(number);
        std::vector<std::string> words;
        for (size_t at = 0; at <= line.size();) {
            const size_t end = std::min(line.find('\t', at), line.size());
            words.push_back(line.substr(at, end - at));
            at = end + 1;
        }
        columns = columns == 0 ? words.size() : columns;
        if (words.size() != columns || columns > 3) {
            throw FormatError(where +
                              ": wanted TOKEN, TOKEN<tab>WEIGHT or "
                              "TOKEN<tab>DIMENSION<tab>WEIGHT, the same on all lines");
        }
        int64_t dim = static_cast<int64_t>(number) - 1;
        double weight = 0;
        if (columns == 3 && (!ParseInt(words[1], &dim) || dim < 0 || dim > UINT32_MAX)) {
            throw FormatError(where + ": '" + words[1] + "' is no dimension");
        }
        if (columns > 1 && !ParseDouble(words.back(), &weight)) {
            throw FormatError(where + ": '" + words.back() + "' is no weight");
        }
        out.tokens.push_back(words[0]);
        out.dims.push_back(static_cast<uint32_t>(dim));
        if (columns > 1) {
            out.weights.push_back(static_cast<float>(weight));
        }
    }
    if (out.tokens.empty()) {
        throw FormatError(path + ": there are no tokens; --remove takes those of the field away");
    }
    return out;
}

void RunTokens(const FieldOptions& options) {
    if (options.remove != options.path.empty()) {
        FailUsage("give a file of tokens, or --remove");
    }
    TokenLines lines;
    if (!options.remove) {
        lines = ReadTokens(options.path);
    }
    std::vector<const char*> tokens;
    for (const std::string& token : lines.tokens) {
        tokens.push_back(token.c_str());
    }
    Database database(options.db, "rw", options.open);
    ProgressBar bar;
    database.ShowProgress(&bar);
    Call(quern_set_token_weights, database.get(), options.collection.c_str(), options.field.c_str(),
         tokens.data(), static_cast<const uint32_t*>(lines.dims.data()),
         lines.weights.empty() ? static_cast<const float*>(nullptr) : lines.weights.data(),
         tokens.size(), options.words.c_str());
    bar.Clear();
    Print(options.remove ? "no token weights any more\n" : WithCommas(tokens.size()) + " tokens\n");
}

struct QueryLines {
    std::vector<size_t> offsets{0};
    std::vector<uint32_t> dims;
};

// terms: what names the entries; NULL: their dimensions do.
QueryLines ReadQueries(const std::string& path, const SparseColumn& field,
                       const TermDimensions* terms) {
    QueryLines out;
    const std::unique_ptr<RecordReader> reader =
        NewRecordReader(ByteSource::Open(path, StopFlag()), FileFormat::kJsonl);
    Record record;
    SparseEntries entries;
    std::string problem;
    while (reader->Next(&record)) {
        CheckStopped();
        const Value* const value = record.Find(field.name);
        if (value == nullptr) {
            throw FormatError(record.where + ": no column '" + field.name + "'");
        }
        if (!(terms == nullptr ? ConvertSparse(*value, field.dims, false, &entries, &problem)
                               : terms->ConvertQuery(*value, field.dims, &entries, &problem))) {
            throw FormatError(record.where + ": " + problem);
        }
        out.dims.insert(out.dims.end(), entries.dims.begin(), entries.dims.end());
        out.offsets.push_back(out.dims.size());
    }
    return out;
}

std::string Figure(double number) {
    char text[64];
    std::snprintf(text, sizeof(text), "%.4g", number);
    return text;
}

// terms: what the longest lists are called; NULL: nothing.
void PrintStatistics(const Json& json, const TermDimensions* terms) {
    const auto number = [&](const char* name) { return json.value(name, 0.0); };
    const auto count = [&](const Json& of, const char* name) {
        return WithCommas(of.value(name, uint64_t{0}));
    };
    TextTable table({"figure", ">value"});
    table.AddRow({"records", count(json, "records")});
    table.AddRow({"vectors", count(json, "vectors")});
    table.AddRow({"  without an entry", count(json, "empty")});
    table.AddRow({"entries", count(json, "entries")});
    table.AddRow({"  a vector", Figure(number("entries_per_vector"))});
    table.AddRow({"dimensions", count(json, "dimensions")});
    const Json lists = json.value("lists", Json::object());
    table.AddRow({"list, mean", Figure(lists.value("mean", 0.0))});
    table.AddRow({"list, median", count(lists, "median")});
    table.AddRow({"list, 90th percentile", count(lists, "p90")});
    table.AddRow({"list, 99th percentile", count(lists, "p99")});
    table.AddRow({"list, longest", count(lists, "most")});
    table.AddRow({"gini of lists", Figure(lists.value("gini", 0.0))});
    table.AddRow({"flops a pair", Figure(number("flops"))});
    table.AddRow({"  if all were as frequent", Figure(number("ideal_flops"))});
    table.AddRow({"  imbalance", Figure(number("imbalance"))});
    table.AddRow({"  in the 100 heaviest", Figure(number("share_of_100"))});
    table.AddRow({"postings a query", Figure(number("postings_per_query"))});
    const Json queries = json.value("queries", Json());
    if (queries.is_object()) {
        const Json postings = queries.value("postings", Json::object());
        table.AddRow({"  median", count(postings, "median")});
        table.AddRow({"  90th percentile", count(postings, "p90")});
        table.AddRow({"  99th percentile", count(postings, "p99")});
        table.AddRow({"  most", count(postings, "most")});
        table.AddRow({"queries", count(queries, "count")});
        table.AddRow({"  entries each", Figure(queries.value("entries_per_query", 0.0))});
    }
    table.Print(stdout);
    std::vector<std::string> head = {">dimension", ">vectors", ">share"};
    if (terms != nullptr) {
        head.emplace_back("term");
    }
    TextTable longest(head);
    for (const Json& list : json.value("longest", Json::array())) {
        const auto dimension = list.value("dimension", uint64_t{0});
        std::vector<std::string> row = {std::to_string(dimension), count(list, "vectors"),
                                        Figure(list.value("share", 0.0))};
        if (terms != nullptr) {
            const std::string* const term = terms->TermOf(static_cast<uint32_t>(dimension));
            row.push_back(term == nullptr ? "" : *term);
        }
        longest.AddRow(row);
    }
    if (!longest.empty()) {
        Print("\n");
        longest.Print(stdout);
    }
}

void RunStats(const FieldOptions& options) {
    std::optional<TermDimensions> terms;
    if (!options.vocabulary.empty()) {
        terms.emplace(TermDimensions::Existing(options.vocabulary));
    }
    const TermDimensions* const names = terms ? &*terms : nullptr;
    Database database(options.db, "ro", options.open);
    const CollectionColumns columns = ReadColumns(database.Describe(options.collection).get());
    QueryLines queries;
    if (!options.path.empty()) {
        const SparseColumn* const field = columns.FindSparse(options.field);
        if (field == nullptr) {
            Fail("the collection has no sparse field '" + options.field + "'");
        }
        queries = ReadQueries(options.path, *field, names);
    }
    ProgressBar bar;
    database.ShowProgress(&bar);
    quern_text* text = nullptr;
    Call(quern_sparse_stats, database.get(), options.collection.c_str(), options.field.c_str(),
         static_cast<quern_snapshot*>(nullptr), static_cast<const size_t*>(queries.offsets.data()),
         static_cast<const uint32_t*>(queries.dims.data()), queries.offsets.size() - 1, &text);
    bar.Clear();
    const std::string json = TakeText(text);
    if (options.json && names == nullptr) {
        Print(json + "\n");
    } else if (options.json) {
        Json told = Json::parse(json);
        for (Json& list : told["longest"]) {
            const auto dimension = list.value("dimension", uint64_t{0});
            const std::string* const term = names->TermOf(static_cast<uint32_t>(dimension));
            list["term"] = term == nullptr ? Json() : Json(*term);
        }
        Print(told.dump() + "\n");
    } else {
        PrintStatistics(Json::parse(json), names);
    }
}

}  // namespace

void AddSparseCommands(CLI::App* app) {
    auto add = [app](const char* name, const char* description) {
        auto options = std::make_shared<FieldOptions>();
        CLI::App* command = app->add_subcommand(name, description);
        AddDatabaseOption(command, &options->db);
        AddCollectionOption(command, &options->collection);
        command->add_option("FIELD", options->field, "The sparse field")->required();
        AddOpenOption(command, &options->open);
        return std::make_pair(command, options);
    };
    const auto [tokens, of_tokens] =
        add("tokens", "Give a sparse field token weights, so that texts can be its queries");
    tokens->add_option(
        "TOKENS", of_tokens->path,
        "A file of lines: TOKEN, TOKEN<tab>WEIGHT or TOKEN<tab>DIMENSION<tab>WEIGHT");
    tokens
        ->add_option("--options", of_tokens->words,
                     "How texts are cut into tokens: 'tokenizer=NAME porter stop=english "
                     "synonyms=a:b wordpiece'")
        ->type_name("OPTIONS");
    tokens->add_flag("--remove", of_tokens->remove, "Take the token weights of the field away");
    tokens->footer(
        "A token without a dimension has the number of its line, from 0, as in a vocabulary file. "
        "Tokens without\n"
        "weights get those of how rare their dimensions are in the collection now.\n\n"
        "Example:\n"
        "  quern tokens splade.quern docs vector idf.tsv --options wordpiece\n"
        "  quern search splade.quern docs --field vector --text 'how do mills grind'");
    tokens->callback([options = of_tokens] { RunTokens(*options); });
    const auto [stats, of_stats] =
        add("stats", "Show how long the lists of a sparse field are, and what queries cost");
    stats
        ->add_option("-q,--queries", of_stats->path,
                     "JSON lines with queries under the field's name; without them the records "
                     "stand for queries")
        ->type_name("FILE");
    stats
        ->add_option("--vocabulary", of_stats->vocabulary,
                     "The file that import has given terms dimensions by: tells the terms of the "
                     "longest lists, and entries of queries are terms")
        ->type_name("FILE");
    AddJsonOption(stats, &of_stats->json);
    stats->footer("Example:\n  quern stats splade.quern docs vector --queries queries.jsonl");
    stats->callback([options = of_stats] { RunStats(*options); });
}

}  // namespace quern::shell
