// quern hubs: measures how near each record is to what is asked, for formulas that correct for it.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>

#include "progress_bar.h"
#include "query_vectors.h"
#include "schema_text.h"
#include "shell.h"

namespace quern::shell {
namespace {

struct HubsOptions {
    std::string db, collection, open, attribute = "hub", kind = "csls", temperature, deviation, by;
    QueryFile queries;
    size_t k = 0;
    size_t sample = 0;
    size_t threads = 0;
    bool json = false;
};

// What a search takes, as quern.h has it.
std::string FormulaOf(const HubsOptions& options, const std::string& field, int32_t metric) {
    const auto quoted = [](const std::string& name) { return "\"" + name + "\""; };
    const std::string emb = quoted(field);
    const std::string hub = quoted(options.attribute);
    if (options.kind == "csls") {
        return "2 * " + emb + " - " + hub;
    }
    if (options.kind == "softmax") {
        return emb + " - " + hub;
    }
    if (options.kind == "zscore") {
        return "(" + emb + " - " + hub + ") / " + quoted(options.deviation);
    }
    return metric == QUERN_L2 ? emb + " / (" + hub + " * " + hub + ")"
                              : "(" + emb + " - 1) / " + hub;
}

// A real attribute of that name, made if there is none.
void NeedAttribute(const Database& database, const std::string& collection,
                   const CollectionColumns& columns, const std::string& name) {
    const bool known = std::any_of(columns.attrs.begin(), columns.attrs.end(),
                                   [&](const AttrColumn& attr) { return attr.name == name; });
    if (!known) {
        Call(quern_add_attr, database.get(), collection.c_str(), name.c_str(), QUERN_REAL, "");
    }
}

void RunHubs(const HubsOptions& options) {
    if (options.kind == "zscore" && options.deviation.empty()) {
        FailUsage("--kind zscore needs --deviation, an attribute for the standard deviation");
    }
    Database database(options.db, "rw", options.open);
    const CollectionColumns columns = ReadColumns(database.Describe(options.collection).get());
    const DenseColumn field = ChooseDense(columns, options.queries.column);
    QueryVectors vectors;
    if (!options.queries.path.empty()) {
        QueryFile file = options.queries;
        file.column = field.name;
        vectors = LoadQueries(file);
        if (vectors.count == 0) {
            Fail(options.queries.path + ": there are no queries in it");
        }
    }
    std::string how = "kind=" + options.kind;
    const std::pair<const char*, size_t> numbers[] = {
        {" k=", options.k}, {" sample=", options.sample}, {" threads=", options.threads}};
    for (const auto& [name, value] : numbers) {
        how += value > 0 ? name + std::to_string(value) : "";
    }
    const std::pair<const char*, const std::string*> words[] = {
        {" temperature=", &options.temperature},
        {" deviation=", &options.deviation},
        {" by=", &options.by}};
    for (const auto& [name, value] : words) {
        if (value->find(' ') != std::string::npos) {
            FailUsage("'" + *value + "': no spaces here");
        }
        how += value->empty() ? "" : name + *value;
    }
    NeedAttribute(database, options.collection, columns, options.attribute);
    if (!options.deviation.empty()) {
        NeedAttribute(database, options.collection, columns, options.deviation);
    }
    ProgressBar bar;
    database.ShowProgress(&bar);
    Call(quern_measure_hubs, database.get(), options.collection.c_str(), field.name.c_str(),
         options.attribute.c_str(), vectors.matrix.data(), vectors.count,
         vectors.count > 0 ? vectors.dim : field.dim, how.c_str());
    bar.Clear();
    database.ShowProgress(nullptr);
    const std::string formula = FormulaOf(options, field.name, field.metric);
    if (options.json) {
        Print(nlohmann::ordered_json{{"field", field.name},
                                     {"attribute", options.attribute},
                                     {"kind", options.kind},
                                     {"queries", vectors.count},
                                     {"formula", formula}}
                  .dump() +
              "\n");
    } else {
        Print("measured into '" + options.attribute + "'; search with --formula '" + formula +
              "'\n");
    }
}

}  // namespace

void AddHubsCommand(CLI::App* app) {
    auto options = std::make_shared<HubsOptions>();
    CLI::App* command = app->add_subcommand(
        "hubs", "Measure records that are near to everything, for formulas that correct for them");
    AddDatabaseOption(command, &options->db);
    AddCollectionOption(command, &options->collection);
    command->add_option("-f,--field", options->queries.column,
                        "The dense field (not needed when there is one only)");
    command
        ->add_option("--attribute", options->attribute,
                     "The real attribute that gets the numbers, made if there is none (default "
                     "hub)")
        ->type_name("NAME");
    command
        ->add_option("-q,--queries", options->queries.path,
                     "A file of vectors like those that will be asked (default: a sample of the "
                     "records)")
        ->type_name("FILE");
    command
        ->add_option("--kind", options->kind,
                     "What is measured: csls (default), softmax, scaling, nicdm, zscore")
        ->check(CLI::IsMember({"csls", "softmax", "scaling", "nicdm", "zscore"}));
    command->add_option("-k", options->k, "Of csls, scaling, nicdm: of the N nearest (default 10)")
        ->check(CLI::Range(1, 1000));
    command->add_option("--temperature", options->temperature, "Of softmax (default 0.02)")
        ->type_name("X");
    command
        ->add_option("--deviation", options->deviation,
                     "Of zscore: the real attribute that gets the standard deviation")
        ->type_name("NAME");
    command
        ->add_option("--by", options->by,
                     "Of zscore: of all records together that have the same value in this "
                     "attribute")
        ->type_name("ATTRIBUTE");
    command
        ->add_option("--sample", options->sample,
                     "Without --queries: so many records (default 10000; softmax and zscore 1000)")
        ->check(CLI::Range(1, 1000000));
    command->add_option("--threads", options->threads, "Worker threads (default: all processors)")
        ->check(CLI::Range(1, 256));
    command->add_option("--skip-rows", options->queries.skip_rows, "Pass over the first N queries");
    command->add_option("--limit", options->queries.limit, "At most N queries");
    AddJsonOption(command, &options->json);
    AddOpenOption(command, &options->open);
    command->footer(
        "Prints the formula that takes it from the score of a leg. Measure anew when records have "
        "come; those written since have null: coalesce(hub, 0.3).\n"
        "\n"
        "Examples:\n"
        "  quern hubs photos.quern photos --field clip --queries captions.npy\n"
        "  quern search photos.quern photos --leg 'clip limit=200:@new.npy' --formula '2 * clip - "
        "hub'");
    command->callback([options] { RunHubs(*options); });
}

}  // namespace quern::shell
