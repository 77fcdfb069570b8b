// quern list, update: the records that a condition is true for, and changes of them.
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "key_files.h"
#include "progress_bar.h"
#include "result_cells.h"
#include "schema_text.h"
#include "shell.h"
#include "text_table.h"

namespace quern::shell {
namespace {

struct ListOptions {
    std::string db, collection, where, order, columns = "*", after, set, open;
    KeyFiles key_files;
    size_t limit = 20;
    bool json = false;
};

QueryPtr WhereQuery(const Database& database, const ListOptions& options) {
    QueryPtr query(NotNull(quern_query_new(database.get(), options.collection.c_str())));
    quern_query_filter(query.get(), options.where.empty() ? nullptr : options.where.c_str());
    KeySets(database, options.collection, options.key_files).Use(query.get());
    return query;
}

void PrintTable(const quern_result* result, const std::string& key_name) {
    std::vector<std::string> titles{key_name};
    for (size_t col = 0; col < quern_result_columns(result); col++) {
        titles.emplace_back(quern_result_column_name(result, col));
    }
    TextTable table(titles);
    Value value;
    for (size_t row = 0; row < quern_result_rows(result); row++) {
        std::vector<std::string> cells{KeyText(result, row)};
        for (size_t col = 0; col < quern_result_columns(result); col++) {
            ReadCell(result, row, col, &value);
            cells.push_back(ShortText(value));
        }
        table.AddRow(std::move(cells));
    }
    if (!table.empty()) {
        table.Print(stdout);
    }
}

void RunList(const ListOptions& options) {
    Database database(options.db, "ro", options.open);
    const CollectionColumns columns = ReadColumns(database.Describe(options.collection).get());
    const QueryPtr query = WhereQuery(database, options);
    quern_query_order(query.get(), options.order.c_str());
    quern_query_after(query.get(), options.after.c_str());
    quern_query_limit(query.get(), options.limit);
    quern_query_columns(query.get(), options.columns.c_str());
    quern_result* raw = nullptr;
    Call(quern_query_list, query.get(), &raw);
    const ResultPtr result(raw);
    if (options.json) {
        for (size_t row = 0; row < quern_result_rows(raw); row++) {
            std::string json =
                "{" + nlohmann::json(columns.key.name).dump() + ":" + KeyJson(raw, row);
            AppendColumnsJson(raw, row, &json);
            Print(json + "}\n");
        }
    } else {
        PrintTable(raw, columns.key.name);
    }
    const auto matches = static_cast<uint64_t>(quern_result_stat(raw, QUERN_RESULT_MATCHES));
    if (quern_result_rows(raw) == options.limit && matches > options.limit) {
        FlushOutput();
        std::fprintf(stderr, "note: %s of %s records; those behind: --after %s\n",
                     WithCommas(options.limit).c_str(), WithCommas(matches).c_str(),
                     quern_result_bookmark(raw));
    }
}

void RunUpdate(const ListOptions& options) {
    Database database(options.db, "rw", options.open);
    const QueryPtr query = WhereQuery(database, options);
    quern_query_set(query.get(), options.set.c_str());
    uint64_t updated = 0;
    Call(quern_query_update, query.get(), static_cast<quern_txn*>(nullptr), &updated);
    if (options.json) {
        Print("{\"updated\":" + std::to_string(updated) + "}\n");
    } else {
        Print("updated " + WithCommas(updated) + (updated == 1 ? " record\n" : " records\n"));
    }
}

}  // namespace

void AddListCommands(CLI::App* app) {
    auto list = std::make_shared<ListOptions>();
    CLI::App* command = app->add_subcommand("list", "Print records, sorted, page by page");
    AddDatabaseOption(command, &list->db);
    AddCollectionOption(command, &list->collection);
    AddWhereOption(command, &list->where);
    AddKeyFileOptions(command, &list->key_files);
    command
        ->add_option("-o,--order", list->order,
                     "Sort by attributes: 'year desc, title nulls first' (default: by key)")
        ->type_name("ORDER");
    command->add_option("-c,--columns", list->columns,
                        "Attributes and fields to print: a,b,c (default *: all)");
    command->add_option("-n,--limit", list->limit, "At most N records (default 20; 0: all)")
        ->check(CLI::Range(0, 1048576));
    command
        ->add_option("--after", list->after,
                     "Go on where another list ended, which has told this bookmark")
        ->type_name("BOOKMARK");
    AddJsonOption(command, &list->json);
    AddOpenOption(command, &list->open);
    command->footer(
        "Nulls come last unless 'nulls first' is said. Prints one line of JSON a record with "
        "--json.\n"
        "\n"
        "Examples:\n"
        "  quern list books.quern books --where \"lang = 'en'\" --order 'year desc' -n 50\n"
        "  quern list books.quern books --columns title,year --json");
    command->callback([list] { RunList(*list); });

    auto update = std::make_shared<ListOptions>();
    command = app->add_subcommand("update", "Set attributes of the records that match a condition");
    AddDatabaseOption(command, &update->db);
    AddCollectionOption(command, &update->collection);
    command
        ->add_option("-s,--set", update->set,
                     "What to set: \"year = 2020, lang = 'en', tags = ('a', 'b'), note = null\"")
        ->required()
        ->type_name("ASSIGNMENTS");
    AddWhereOption(command, &update->where)->required();
    AddKeyFileOptions(command, &update->key_files);
    AddJsonOption(command, &update->json);
    AddOpenOption(command, &update->open);
    command->footer(
        "One transaction, whatever the number of records. --where 1 changes all.\n"
        "\n"
        "Example:\n"
        "  quern update books.quern books --set \"lang = 'en'\" --where \"lang = 'eng'\"");
    command->callback([update] { RunUpdate(*update); });
}

}  // namespace quern::shell
