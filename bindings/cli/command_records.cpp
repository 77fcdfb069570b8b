// quern get, count, delete: single records by their keys.
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "byte_source.h"
#include "float_codes.h"
#include "key_files.h"
#include "progress_bar.h"
#include "result_cells.h"
#include "schema_text.h"
#include "shell.h"
#include "text_table.h"

namespace quern::shell {
namespace {

// Keys handed to the library in one call.
constexpr size_t kKeysAtOnce = 10000;

struct RecordOptions {
    std::string db, collection, columns = "*", key_file, open, where, facet;
    KeyFiles key_files;
    std::vector<std::string> keys;
    size_t limit = 20;
    bool json = false;
};

// All keys of the command line, or those of the file, piece by piece.
class KeyStream {
public:
    KeyStream(const RecordOptions& options, int32_t key_type)
        : options_(options), key_type_(key_type) {
        if (options.key_file.empty() == options.keys.empty()) {
            FailUsage("give keys, or a file of keys with --key-file");
        }
        if (!options.key_file.empty()) {
            source_ = ByteSource::Open(options.key_file, StopFlag());
        }
    }

    // The next keys as a batch; NULL at the end. The keys live until the next call.
    BatchPtr Next(quern_db* db) {
        texts_.clear();
        ints_.clear();
        pointers_.clear();
        std::string key;
        while (texts_.size() < kKeysAtOnce && NextKey(&key)) {
            int64_t number = 0;
            if (key_type_ == QUERN_KEY_INT && !ParseInt(key, &number)) {
                Fail("'" + key.substr(0, 60) + "': the keys of this collection are whole numbers");
            }
            ints_.push_back(number);
            texts_.push_back(key);
        }
        if (texts_.empty()) {
            return nullptr;
        }
        for (const std::string& text : texts_) {
            pointers_.push_back(text.c_str());
        }
        BatchPtr batch(NotNull(quern_batch_new(db, options_.collection.c_str(), texts_.size())));
        if (key_type_ == QUERN_KEY_INT) {
            quern_batch_key_int(batch.get(), ints_.data());
        } else {
            quern_batch_key_text(batch.get(), pointers_.data());
        }
        return batch;
    }

    const std::string& text(size_t i) const { return texts_[i]; }

private:
    bool NextKey(std::string* key) {
        CheckStopped();
        if (source_ != nullptr) {
            return source_->ReadLine(key);
        }
        if (position_ == options_.keys.size()) {
            return false;
        }
        *key = options_.keys[position_++];
        return true;
    }

    const RecordOptions& options_;
    const int32_t key_type_;
    std::unique_ptr<ByteSource> source_;
    size_t position_ = 0;
    std::vector<std::string> texts_;
    std::vector<int64_t> ints_;
    std::vector<const char*> pointers_;
};

void RunGet(const RecordOptions& options) {
    Database database(options.db, "ro", options.open);
    const CollectionColumns columns = ReadColumns(database.Describe(options.collection).get());
    KeyStream keys(options, columns.key.type);
    quern_snapshot* raw_snapshot = nullptr;
    Call(quern_snapshot_new, database.get(), &raw_snapshot);
    const SnapshotPtr snapshot(raw_snapshot);
    uint64_t missing = 0;
    while (const BatchPtr batch = keys.Next(database.get())) {
        quern_result* raw = nullptr;
        Call(quern_get, batch.get(), snapshot.get(), options.columns.c_str(), &raw);
        const ResultPtr result(raw);
        std::vector<std::string> titles{columns.key.name};
        for (size_t col = 0; col < quern_result_columns(raw); col++) {
            titles.emplace_back(quern_result_column_name(raw, col));
        }
        TextTable table(titles);
        Value value;
        for (size_t row = 0; row < quern_result_rows(raw); row++) {
            if (quern_result_found(raw, row) == 0) {
                missing++;
                std::fprintf(stderr, "not found: %s\n", keys.text(row).c_str());
                continue;
            }
            if (options.json) {
                std::string json =
                    "{" + nlohmann::json(columns.key.name).dump() + ":" + KeyJson(raw, row);
                AppendColumnsJson(raw, row, &json);
                Print(json + "}\n");
                continue;
            }
            std::vector<std::string> cells{KeyText(raw, row)};
            for (size_t col = 0; col < quern_result_columns(raw); col++) {
                ReadCell(raw, row, col, &value);
                cells.push_back(ShortText(value));
            }
            table.AddRow(std::move(cells));
        }
        if (!table.empty()) {
            table.Print(stdout);
        }
    }
    if (missing > 0) {
        Fail(WithCommas(missing) + (missing == 1 ? " key is" : " keys are") +
             " not in the collection");
    }
}

// A query that finds what --where is true for.
QueryPtr FilterQuery(const Database& database, const std::string& collection,
                     const RecordOptions& options) {
    QueryPtr query(NotNull(quern_query_new(database.get(), collection.c_str())));
    quern_query_filter(query.get(), options.where.empty() ? nullptr : options.where.c_str());
    KeySets(database, collection, options.key_files).Use(query.get());
    return query;
}

// How often each value of an attribute occurs.
void CountFacet(const Database& database, const RecordOptions& options) {
    quern_result* raw = nullptr;
    Call(quern_query_facet, FilterQuery(database, options.collection, options).get(),
         options.facet.c_str(), options.limit, &raw);
    const ResultPtr result(raw);
    TextTable table({options.facet, ">records"});
    std::string values;
    Value value;
    for (size_t row = 0; row < quern_result_rows(raw); row++) {
        ReadCell(raw, row, 0, &value);
        table.AddRow({ShortText(value), std::to_string(quern_result_int(raw, row, 1))});
        std::string cells;
        AppendColumnsJson(raw, row, &cells);  // ,"NAME":value,"count":n
        const std::string name = nlohmann::json(quern_result_column_name(raw, 0)).dump();
        values += (row > 0 ? ",{\"value\"" : "{\"value\"") + cells.substr(1 + name.size()) + "}";
    }
    const int64_t nulls = quern_result_stat(raw, QUERN_RESULT_NULLS);
    const auto distinct = static_cast<uint64_t>(quern_result_stat(raw, QUERN_RESULT_VALUES));
    if (options.json) {
        Print("{\"values\":[" + values + "],\"distinct\":" + std::to_string(distinct) +
              ",\"nulls\":" + std::to_string(nulls) + "}\n");
        return;
    }
    if (!table.empty()) {
        table.Print(stdout);
    }
    if (distinct > quern_result_rows(raw)) {
        Print("of " + WithCommas(distinct) + " values\n");
    }
    if (nulls > 0) {
        Print("without a value: " + WithCommas(static_cast<uint64_t>(nulls)) + "\n");
    }
}

void RunCount(const RecordOptions& options) {
    Database database(options.db, "ro", options.open);
    if (!options.facet.empty()) {
        if (options.collection.empty()) {
            FailUsage("--facet needs a collection");
        }
        CountFacet(database, options);
        return;
    }
    std::vector<std::string> names{options.collection};
    if (options.collection.empty()) {
        if (!options.where.empty() || !options.key_files.empty()) {
            FailUsage("--where needs a collection, and so do files of keys");
        }
        quern_text* text = nullptr;
        Call(quern_collections, database.get(), &text);
        names = nlohmann::json::parse(TakeText(text)).get<std::vector<std::string>>();
    }
    nlohmann::ordered_json counts = nlohmann::ordered_json::object();
    TextTable table({"collection", ">records"});
    for (const std::string& name : names) {
        uint64_t count = 0;
        Call(quern_query_count, FilterQuery(database, name, options).get(), &count);
        counts[name] = count;
        table.AddRow({name, std::to_string(count)});
    }
    if (options.json) {
        Print(counts.dump() + "\n");
    } else if (!options.collection.empty()) {
        Print(std::to_string(counts[options.collection].get<uint64_t>()) + "\n");
    } else {
        table.Print(stdout);
    }
}

void PrintDeleted(const RecordOptions& options, uint64_t deleted) {
    if (options.json) {
        Print("{\"deleted\":" + std::to_string(deleted) + "}\n");
    } else {
        Print("deleted " + WithCommas(deleted) + (deleted == 1 ? " record\n" : " records\n"));
    }
}

void RunDelete(const RecordOptions& options) {
    Database database(options.db, "rw", options.open);
    if (!options.where.empty() || !options.key_files.empty()) {
        if (!options.keys.empty() || !options.key_file.empty()) {
            FailUsage("give keys or --where, not both");
        }
        uint64_t deleted = 0;
        Call(quern_query_delete, FilterQuery(database, options.collection, options).get(),
             static_cast<quern_txn*>(nullptr), &deleted);
        PrintDeleted(options, deleted);
        return;
    }
    const CollectionColumns columns = ReadColumns(database.Describe(options.collection).get());
    KeyStream keys(options, columns.key.type);
    quern_txn* raw = nullptr;
    Call(quern_begin, database.get(), &raw);
    TxnPtr txn(raw);
    uint64_t deleted = 0;
    while (const BatchPtr batch = keys.Next(database.get())) {
        Call(quern_delete, batch.get(), txn.get());
        deleted += quern_batch_affected(batch.get());
    }
    Call(quern_commit, txn.release());
    PrintDeleted(options, deleted);
}

void AddKeyOptions(CLI::App* command, RecordOptions* options) {
    AddDatabaseOption(command, &options->db);
    AddCollectionOption(command, &options->collection);
    command->add_option("KEY", options->keys, "Keys; write -- before keys that start with a dash");
    command
        ->add_option("--key-file", options->key_file,
                     "Take the keys from this file, one a line; - for standard input")
        ->type_name("FILE");
    AddJsonOption(command, &options->json);
    AddOpenOption(command, &options->open);
}

}  // namespace

void AddRecordCommands(CLI::App* app) {
    auto get = std::make_shared<RecordOptions>();
    CLI::App* command = app->add_subcommand("get", "Print records by their keys");
    AddKeyOptions(command, get.get());
    command->add_option("-c,--columns", get->columns,
                        "Attributes and fields to print: a,b,c (default *: all)");
    command->footer(
        "Prints one line of JSON a record with --json. Exit code 1 when a key is not in the "
        "collection.\n"
        "\n"
        "Example:\n"
        "  quern get books.quern books 0141439513 --columns title,year --json");
    command->callback([get] { RunGet(*get); });

    auto count = std::make_shared<RecordOptions>();
    command = app->add_subcommand("count", "Print the number of records");
    AddDatabaseOption(command, &count->db);
    AddCollectionOption(command, &count->collection, false);
    AddWhereOption(command, &count->where);
    AddKeyFileOptions(command, &count->key_files);
    command
        ->add_option(
            "--facet", count->facet,
            "Count the values of this attribute: the most frequent ones, each tag by itself")
        ->type_name("ATTRIBUTE");
    command->add_option("-n,--limit", count->limit, "With --facet: at most N values (default 20)")
        ->check(CLI::Range(1, 1048576));
    AddJsonOption(command, &count->json);
    AddOpenOption(command, &count->open);
    command->footer(
        "Without a collection: of each.\n"
        "\n"
        "Examples:\n"
        "  quern count books.quern books --where 'year >= 1990'\n"
        "  quern count books.quern books --facet lang --where 'year >= 1990'");
    command->callback([count] { RunCount(*count); });

    auto remove = std::make_shared<RecordOptions>();
    command = app->add_subcommand("delete", "Delete records by their keys or by a condition");
    AddKeyOptions(command, remove.get());
    AddWhereOption(command, &remove->where);
    AddKeyFileOptions(command, &remove->key_files);
    command->footer(
        "One transaction, whatever the number of records. Keys that are not there are passed "
        "over.\n"
        "\n"
        "Examples:\n"
        "  quern delete books.quern books 0141439513 0141439514\n"
        "  quern delete books.quern books --key-file old.txt\n"
        "  quern delete books.quern books --where 'year < 1900'");
    command->callback([remove] { RunDelete(*remove); });
}

}  // namespace quern::shell
