// quern verify, optimize, vacuum, backup, rebuild, drop: looking after the file.
#include <unistd.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <iostream>

#include "progress_bar.h"
#include "result_cells.h"
#include "shell.h"
#include "text_table.h"

namespace quern::shell {
namespace {

struct MaintainOptions {
    std::string db, collection, path, column, fusion, open;
    uint32_t max_ms = 0;
    bool json = false, yes = false;
};

const char* NameOrNull(const std::string& name) {
    return name.empty() ? nullptr : name.c_str();
}

std::string CellText(const nlohmann::json& value) {
    return value.is_null()     ? std::string()
           : value.is_string() ? value.get<std::string>()
                               : value.dump();
}

void Verify(const MaintainOptions& options, bool* reported) {
    Database database(options.db, "ro", options.open);
    ProgressBar bar;
    database.ShowProgress(&bar);
    quern_text* text = nullptr;
    quern_error err = QUERN_ERROR_INIT;
    const int32_t status = quern_verify(database.get(), &text, &err);
    database.ShowProgress(nullptr);
    bar.Clear();
    const std::string report = TakeText(text);
    if (report.empty() || (status != QUERN_OK && status != QUERN_ERR_CORRUPT)) {
        Check(status, err);
    }
    *reported = true;
    const nlohmann::json json = nlohmann::json::parse(report, nullptr, false);
    if (options.json) {
        Print(report + "\n");
    } else if (json.is_object()) {
        TextTable collections({"collection", ">records", ">segments", ">chunks"});
        for (const auto& entry : json.value("collections", nlohmann::json::array())) {
            collections.AddRow({entry.value("name", ""),
                                WithCommas(entry.value("records", uint64_t{0})),
                                WithCommas(entry.value("segments", uint64_t{0})),
                                WithCommas(entry.value("chunks", uint64_t{0}))});
        }
        if (!collections.empty()) {
            collections.Print(stdout);
        }
        const auto problems = json.value("problems", nlohmann::json::array());
        if (!problems.empty()) {
            TextTable table({"collection", "segment", "part", "chunk", "problem"});
            for (const auto& problem : problems) {
                table.AddRow({CellText(problem.value("collection", nlohmann::json())),
                              CellText(problem.value("segment", nlohmann::json())),
                              CellText(problem.value("part", nlohmann::json())),
                              CellText(problem.value("chunk", nlohmann::json())),
                              CellText(problem.value("message", nlohmann::json()))});
            }
            Print("\n");
            table.Print(stdout);
        }
        if (status == QUERN_OK) {
            Print("ok: " + WithCommas(json.value("pages", uint64_t{0})) +
                  " pages read and proved\n");
        }
    }
    FlushOutput();
    Check(status, err);
}

// With --json what ends the verification before there is a report is one, too.
void RunVerify(const MaintainOptions& options) {
    bool reported = false;
    try {
        Verify(options, &reported);
    } catch (const ShellError& error) {
        if (options.json && !reported) {
            const char* status = quern_status_name(error.status());
            const nlohmann::ordered_json report{
                {"ok", false}, {"error", {{"status", status}, {"message", error.what()}}}};
            Print(report.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
        }
        throw;
    }
}

void RunOptimize(const MaintainOptions& options) {
    Database database(options.db, "rw", options.open);
    int64_t before = 0;
    Call(quern_stat, database.get(), QUERN_STAT_FILE_BYTES, &before);
    ProgressBar bar;
    database.ShowProgress(&bar);
    Call(quern_optimize, database.get(), NameOrNull(options.collection), options.max_ms);
    bar.Clear();
    int64_t after = 0;
    int64_t segments = 0;
    int64_t log_rows = 0;
    Call(quern_stat, database.get(), QUERN_STAT_FILE_BYTES, &after);
    Call(quern_stat, database.get(), QUERN_STAT_SEGMENTS, &segments);
    Call(quern_stat, database.get(), QUERN_STAT_LOG_ROWS, &log_rows);
    if (options.json) {
        const nlohmann::ordered_json report{{"bytes_before", before},
                                            {"bytes_after", after},
                                            {"segments", segments},
                                            {"log_rows", log_rows}};
        Print(report.dump() + "\n");
        return;
    }
    Print("file " + BytesText(static_cast<uint64_t>(before)) + " -> " +
          BytesText(static_cast<uint64_t>(after)) + ", " +
          WithCommas(static_cast<uint64_t>(segments)) +
          (segments == 1 ? " segment, " : " segments, ") +
          WithCommas(static_cast<uint64_t>(log_rows)) + " records in the log\n");
}

void RunVacuum(const MaintainOptions& options) {
    Database database(options.db, "rw", options.open);
    int64_t before = 0;
    Call(quern_stat, database.get(), QUERN_STAT_FILE_BYTES, &before);
    ProgressBar bar;
    database.ShowProgress(&bar);
    Call(quern_vacuum, database.get());
    bar.Clear();
    int64_t after = 0;
    Call(quern_stat, database.get(), QUERN_STAT_FILE_BYTES, &after);
    Print("file " + BytesText(static_cast<uint64_t>(before)) + " -> " +
          BytesText(static_cast<uint64_t>(after)) + "\n");
}

void RunBackup(const MaintainOptions& options) {
    Database database(options.db, "ro", options.open);
    ProgressBar bar;
    database.ShowProgress(&bar);
    Call(quern_backup, database.get(), options.path.c_str());
    bar.Clear();
}

void RunRebuild(const MaintainOptions& options) {
    Database database(options.db, "rw", options.open);
    ProgressBar bar;
    database.ShowProgress(&bar);
    Call(quern_rebuild, database.get(), NameOrNull(options.collection));
    bar.Clear();
}

void RunDrop(const MaintainOptions& options) {
    Database database(options.db, "rw", options.open);
    const std::string what =
        !options.fusion.empty()
            ? "fusion '" + options.fusion + "' of collection '" + options.collection + "'"
        : options.column.empty()
            ? "collection '" + options.collection + "'"
            : "column '" + options.column + "' of collection '" + options.collection + "'";
    if (!options.yes) {
        if (isatty(STDIN_FILENO) == 0) {
            FailUsage("drop asks before it drops; without a terminal give --yes");
        }
        uint64_t count = 0;
        Call(quern_count, database.get(), options.collection.c_str(),
             static_cast<quern_snapshot*>(nullptr), &count);
        std::fprintf(stderr, "Drop the %s (%s records)? [y/N] ", what.c_str(),
                     WithCommas(count).c_str());
        std::string answer;
        std::getline(std::cin, answer);
        CheckStopped();
        if (answer != "y" && answer != "Y" && answer != "yes") {
            Fail("nothing was dropped");
        }
    }
    if (!options.fusion.empty()) {
        Call(quern_drop_fusion, database.get(), options.collection.c_str(), options.fusion.c_str());
    } else if (options.column.empty()) {
        Call(quern_drop, database.get(), options.collection.c_str());
    } else {
        Call(quern_drop_column, database.get(), options.collection.c_str(), options.column.c_str());
    }
}

}  // namespace

void AddMaintainCommands(CLI::App* app) {
    auto add = [app](const char* name, const char* description, const char* footer, auto run,
                     auto more) {
        auto options = std::make_shared<MaintainOptions>();
        CLI::App* command = app->add_subcommand(name, description);
        AddDatabaseOption(command, &options->db);
        more(command, options.get());
        AddOpenOption(command, &options->open);
        command->footer(footer);
        command->callback([options, run] { run(*options); });
    };
    add("verify", "Read and prove everything in the file",
        "Exit code 1 when damage is found; each finding names collection, segment, part and "
        "chunk.\n\n"
        "Example:\n  quern verify books.quern",
        RunVerify, [](CLI::App* command, MaintainOptions* options) {
            AddJsonOption(command, &options->json);
        });
    add("optimize", "Seal and merge, so that each collection is one segment",
        "Searches and writes go on meanwhile. With --max-ms it stops at about that time in a good "
        "state; run it again to\n"
        "go on. An index whose build alone would take longer is left out every time.\n\n"
        "Example:\n  quern optimize books.quern books --max-ms 5000",
        RunOptimize, [](CLI::App* command, MaintainOptions* options) {
            AddCollectionOption(command, &options->collection, false);
            command->add_option("--max-ms", options->max_ms,
                                "Stop after about N milliseconds (default 0: no limit)");
            AddJsonOption(command, &options->json);
        });
    add("vacuum", "Rewrite the file without free space",
        "Needs as much free disk as the file twice over. After optimize and vacuum, deleted "
        "records are gone from the\n"
        "file's bytes.\n\nExample:\n  quern vacuum books.quern",
        RunVacuum, [](CLI::App*, MaintainOptions*) {});
    add("backup", "Copy the database to a new file while others use it",
        "The copy must not exist yet.\n\nExample:\n  quern backup books.quern books-monday.quern",
        RunBackup, [](CLI::App* command, MaintainOptions* options) {
            command->add_option("FILE", options->path, "The new file")->required();
        });
    add("rebuild", "Make missing or damaged derived parts anew",
        "Records are never touched. What cannot be made anew is named, after all else was.\n\n"
        "Example:\n  quern rebuild books.quern",
        RunRebuild, [](CLI::App* command, MaintainOptions* options) {
            AddCollectionOption(command, &options->collection, false);
        });
    add("drop", "Drop a collection, one column of it, or a stored fusion",
        "Asks first on a terminal; anywhere else --yes is needed.\n\nExample:\n  quern drop "
        "books.quern drafts --yes",
        RunDrop, [](CLI::App* command, MaintainOptions* options) {
            AddCollectionOption(command, &options->collection);
            CLI::Option* const column =
                command
                    ->add_option("--column", options->column, "Drop this attribute or field only")
                    ->type_name("NAME");
            command
                ->add_option("--fusion", options->fusion,
                             "Drop this fusion, which quern fit has stored, only")
                ->type_name("NAME")
                ->excludes(column);
            command->add_flag("-y,--yes", options->yes, "Do not ask");
        });
}

}  // namespace quern::shell
