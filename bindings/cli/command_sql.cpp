// quern sql: one read-only statement over the collections.
#include <CLI/CLI.hpp>

#include "csv_format.h"
#include "float_codes.h"
#include "result_cells.h"
#include "shell.h"
#include "text_table.h"

namespace quern::shell {
namespace {

// A statement is typed by a person or a script; more than this is a mistake.
constexpr size_t kStatementBytesMax = size_t{16} << 20;

struct SqlOptions {
    std::string db, statement, open;
    bool json = false, csv = false;
};

std::string ReadStatement(const std::string& statement) {
    if (statement != "-") {
        return statement;
    }
    const auto source = ByteSource::Open("-", StopFlag());
    std::string text(kStatementBytesMax, '\0');
    text.resize(source->Read(text.data(), text.size()));
    return text;
}

void PrintCsv(const quern_result* result) {
    std::string line;
    for (size_t col = 0; col < quern_result_columns(result); col++) {
        line += col > 0 ? "," : "";
        AppendCsvCell(quern_result_column_name(result, col), &line);
    }
    Print(line + "\n");
    Value value;
    for (size_t row = 0; row < quern_result_rows(result); row++) {
        line.clear();
        for (size_t col = 0; col < quern_result_columns(result); col++) {
            line += col > 0 ? "," : "";
            ReadCell(result, row, col, &value);
            if (value.kind == Value::Kind::kText) {
                AppendCsvCell(value.text, &line);
            } else if (value.kind == Value::Kind::kReal) {
                AppendDouble(value.real, &line);
            } else if (value.kind != Value::Kind::kNull) {
                std::string json;
                AppendJsonValue(value, &json);
                AppendCsvCell(json, &line);
            }
        }
        Print(line + "\n");
    }
}

void RunSql(const SqlOptions& options) {
    Database database(options.db, "ro", options.open);
    quern_result* raw = nullptr;
    const std::string statement = ReadStatement(options.statement);
    Call(quern_sql, database.get(), static_cast<quern_snapshot*>(nullptr), statement.c_str(), &raw);
    const ResultPtr result(raw);
    if (options.csv) {
        PrintCsv(raw);
        return;
    }
    if (options.json) {
        for (size_t row = 0; row < quern_result_rows(raw); row++) {
            std::string columns;
            AppendColumnsJson(raw, row, &columns);
            Print("{" + (columns.empty() ? columns : columns.substr(1)) + "}\n");
        }
        return;
    }
    std::vector<std::string> titles;
    for (size_t col = 0; col < quern_result_columns(raw); col++) {
        titles.emplace_back(quern_result_column_name(raw, col));
    }
    TextTable table(titles);
    Value value;
    for (size_t row = 0; row < quern_result_rows(raw); row++) {
        std::vector<std::string> cells;
        for (size_t col = 0; col < quern_result_columns(raw); col++) {
            ReadCell(raw, row, col, &value);
            cells.push_back(ShortText(value));
        }
        table.AddRow(std::move(cells));
    }
    table.Print(stdout);
}

}  // namespace

void AddSqlCommand(CLI::App* app) {
    auto options = std::make_shared<SqlOptions>();
    CLI::App* command = app->add_subcommand("sql", "Run a read-only SQL statement");
    AddDatabaseOption(command, &options->db);
    command
        ->add_option("STATEMENT", options->statement,
                     "The statement; - reads it from standard input")
        ->required();
    CLI::Option* json = command->add_flag("--json", options->json,
                                          "Print one JSON object a row (infinities are null)");
    CLI::Option* csv = command->add_flag("--csv", options->csv, "Print CSV with a header");
    json->excludes(csv);
    AddAttachOption(command);
    AddOpenOption(command, &options->open);
    command->footer(
        "Each collection is a view with its key and attributes as columns. json_each and json_tree "
        "open json attributes\n"
        "and tags, which are JSON arrays here. Statements that would write are refused.\n"
        "\n"
        "Examples:\n"
        "  quern sql books.quern \"SELECT year, count(*) FROM books GROUP BY year ORDER BY 2 DESC "
        "LIMIT 5\"\n"
        "  quern sql books.quern \"SELECT books.id FROM books, json_each(tags) WHERE value = "
        "'poetry'\"\n"
        "  quern sql books.quern --attach mine=marks.db \"SELECT id, stars FROM books JOIN "
        "mine.marks ON book = id\"");
    command->callback([options] { RunSql(*options); });
}

}  // namespace quern::shell
