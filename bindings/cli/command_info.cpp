// quern info: what is in the file and where its bytes go.
#include <CLI/CLI.hpp>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "progress_bar.h"
#include "result_cells.h"
#include "shell.h"
#include "text_table.h"

namespace quern::shell {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kShareWidth = 40;

struct InfoOptions {
    std::string db, open;
    bool json = false;
};

uint64_t Number(const Json& json, const char* name) {
    return json.value(name, uint64_t{0});
}
std::string Name(const Json& json, const char* name) {
    return json.value(name, std::string());
}
Json List(const Json& json, const char* name) {
    return json.value(name, Json::array());
}

std::string TokensOf(const Json& field) {
    const Json tokens = field.value("token_weights", Json());
    if (!tokens.is_object()) {
        return "";
    }
    const std::string options = Name(tokens, "options");
    return ", " + WithCommas(Number(tokens, "tokens")) + " tokens" +
           (options.empty() ? "" : " (" + options + ")");
}

// Those that are not as they are without being said. A sparse field keeps index=auto, which is
// the default, and not index=none.
std::string OptionsOf(const Json& field) {
    constexpr const char* kDefault = "index=auto";
    const bool sparse = Name(field, "type") == "sparse";
    std::istringstream words(Name(field, "options"));
    std::string options, word;
    bool found = false;
    while (words >> word) {
        found = found || word == kDefault;
        options += word == kDefault ? "" : (options.empty() ? "" : " ") + word;
    }
    if (sparse && !found) {
        options += options.empty() ? "index=none" : " index=none";
    }
    return options.empty() ? "" : ", " + options;
}

void PrintSchema(const Json& collection) {
    TextTable table({"column", "kind", "type"});
    const Json key = collection.value("key", Json::object());
    table.AddRow({Name(key, "name"), "key", Name(key, "type")});
    for (const Json& attr : List(collection, "attributes")) {
        table.AddRow({Name(attr, "name"), "attribute",
                      Name(attr, "type") + (Name(attr, "options").empty() ? "" : ", ") +
                          Name(attr, "options")});
    }
    for (const Json& field : List(collection, "fields")) {
        if (Name(field, "type") == "sparse") {
            table.AddRow({Name(field, "name"), "sparse",
                          std::to_string(Number(field, "dims")) + " dimensions" +
                              (Name(field, "weights") == "none" ? ", binary" : "") +
                              OptionsOf(field) + TokensOf(field)});
            continue;
        }
        if (Name(field, "type") == "text") {
            table.AddRow({Name(field, "name"), "text field", Name(field, "options")});
            continue;
        }
        table.AddRow({Name(field, "name"), "vector",
                      Name(field, "type") + " x " + std::to_string(Number(field, "dim")) + ", " +
                          Name(field, "metric") + OptionsOf(field)});
    }
    table.Print(stdout);
}

void PrintSegments(const Json& collection) {
    TextTable table(
        {">segment", ">records", "part", "field", ">chunks", ">raw", ">stored", "codecs"});
    for (const Json& segment : List(collection, "segments")) {
        std::string id = std::to_string(Number(segment, "id"));
        std::string records = WithCommas(Number(segment, "records"));
        for (const Json& part : List(segment, "parts")) {
            std::string codecs;
            const Json codec_counts = part.value("codecs", Json::object());
            for (const auto& [codec, count] : codec_counts.items()) {
                codecs += (codecs.empty() ? "" : ", ") + codec + " " + count.dump();
            }
            table.AddRow({id, records, Name(part, "kind"), Name(part, "field"),
                          WithCommas(Number(part, "chunks")), BytesText(Number(part, "raw_bytes")),
                          BytesText(Number(part, "stored_bytes")), codecs});
            id.clear();  // once a segment
            records.clear();
        }
    }
    if (!table.empty()) {
        Print("\n");
        table.Print(stdout);
    }
}

// What searches of a field go through; memory is that of an index that is loaded as a whole.
void PrintIndexes(const Json& collection) {
    TextTable table({">segment", "field", "index", "codes", ">vectors", ">stored", ">memory"});
    for (const Json& segment : List(collection, "segments")) {
        for (const Json& index : List(segment, "indexes")) {
            const bool none = Name(index, "kind") == "none";
            const std::string state = index.value("damaged", false) ? "damaged"
                                      : index.value("due", false)   ? "due"
                                                                    : Name(index, "codes");
            table.AddRow({std::to_string(Number(segment, "id")), Name(index, "field"),
                          Name(index, "kind"), state, WithCommas(Number(index, "vectors")),
                          none ? "" : BytesText(Number(index, "stored_bytes")),
                          none ? "" : BytesText(Number(index, "memory_bytes"))});
        }
    }
    if (!table.empty()) {
        Print("\n");
        table.Print(stdout);
    }
}

// What filters find ready, of attributes and the key; nothing where no segment has any.
void PrintColumns(const Json& collection) {
    TextTable table({">segment", "attribute", "column", ">values", ">stored", ">memory"});
    bool any = false;
    for (const Json& segment : List(collection, "segments")) {
        for (const Json& column : List(segment, "columns")) {
            const bool there = Number(column, "stored_bytes") > 0;
            any = any || Name(column, "state") != "none";
            table.AddRow({std::to_string(Number(segment, "id")), Name(column, "attribute"),
                          Name(column, "state"), there ? WithCommas(Number(column, "values")) : "",
                          there ? BytesText(Number(column, "stored_bytes")) : "",
                          there ? BytesText(Number(column, "memory_bytes")) : ""});
        }
    }
    if (any) {
        Print("\n");
        table.Print(stdout);
    }
}

// One bar a kind of bytes: the parts of segments, free pages, and the rest, which is rows, indexes
// and the catalog.
void PrintPicture(const Json& info) {
    const uint64_t file_bytes = Number(info, "file_bytes");
    std::map<std::string, uint64_t> by_kind;
    uint64_t in_parts = 0;
    for (const Json& collection : List(info, "collections")) {
        for (const Json& segment : List(collection, "segments")) {
            for (const Json& part : List(segment, "parts")) {
                by_kind[Name(part, "kind")] += Number(part, "stored_bytes");
                in_parts += Number(part, "stored_bytes");
            }
        }
    }
    const uint64_t free_bytes = Number(info, "free_pages") * Number(info, "page_bytes");
    std::vector<std::pair<std::string, uint64_t>> kinds(by_kind.begin(), by_kind.end());
    kinds.emplace_back("free pages", free_bytes);
    kinds.emplace_back("rows, log, catalog",
                       file_bytes > in_parts + free_bytes ? file_bytes - in_parts - free_bytes : 0);
    std::stable_sort(kinds.begin(), kinds.end(),
                     [](const auto& a, const auto& b) { return a.second > b.second; });
    Print("\nbytes of the file\n");
    for (const auto& [kind, bytes] : kinds) {
        if (bytes == 0 || file_bytes == 0) {
            continue;
        }
        const double share =
            std::min(1.0, static_cast<double>(bytes) / static_cast<double>(file_bytes));
        const auto filled = static_cast<size_t>(share * static_cast<double>(kShareWidth) + 0.5);
        char line[128];
        std::snprintf(line, sizeof(line), "  %-20.20s ", kind.c_str());
        std::string text = line + std::string(filled, '#') + std::string(kShareWidth - filled, '.');
        std::snprintf(line, sizeof(line), " %5.1f%%  ", share * 100);
        Print(text + line + BytesText(bytes) + "\n");
    }
}

void RunInfo(const InfoOptions& options) {
    Database database(options.db, "ro", options.open);
    quern_text* text = nullptr;
    Call(quern_info, database.get(), &text);
    const std::string report = TakeText(text);
    if (options.json) {
        Print(report + "\n");
        return;
    }
    const Json info = Json::parse(report);
    std::string head = "file        " + options.db + "\n";
    head += "size        " + BytesText(Number(info, "file_bytes")) + " (" +
            WithCommas(Number(info, "file_bytes")) + " bytes), log " +
            BytesText(Number(info, "wal_bytes")) + "\n";
    head += "pages       " + WithCommas(Number(info, "pages")) + " of " +
            BytesText(Number(info, "page_bytes")) + ", " + WithCommas(Number(info, "free_pages")) +
            " free\n";
    head += "generation  " + WithCommas(Number(info, "generation")) + "\n";
    head += std::string("library     ") + quern_build_info() + "\n";
    if (!Name(info, "maintenance_error").empty()) {
        head += "maintenance " + Name(info, "maintenance_error") + "\n";
    }
    Print(head);
    for (const Json& collection : List(info, "collections")) {
        std::string line = "\n" + Name(collection, "name") + ": " +
                           WithCommas(Number(collection, "records")) + " records";
        if (Number(collection, "log_rows") > 0) {
            line += ", " + WithCommas(Number(collection, "log_rows")) + " of them in the log";
        }
        if (Number(collection, "dead_records") > 0) {
            line += ", " + WithCommas(Number(collection, "dead_records")) + " dead in segments";
        }
        Print(line + "\n\n");
        PrintSchema(collection);
        PrintSegments(collection);
        PrintIndexes(collection);
        PrintColumns(collection);
    }
    PrintPicture(info);
}

}  // namespace

void AddInfoCommand(CLI::App* app) {
    auto options = std::make_shared<InfoOptions>();
    CLI::App* command =
        app->add_subcommand("info", "Show collections, schemas, segments, indexes and sizes");
    AddDatabaseOption(command, &options->db);
    AddJsonOption(command, &options->json);
    AddOpenOption(command, &options->open);
    command->footer(
        "For each segment and dense field it tells which index there is and which codes it has:\n"
        "with codes=auto those that were chosen when it was built. Nothing is loaded for that;\n"
        "'memory' is what the index takes when it is loaded whole. For each attribute it tells\n"
        "whether filters find its values ready (kept), and how many different ones there are.\n"
        "Example:\n"
        "  quern info books.quern");
    command->callback([options] { RunInfo(*options); });
}

}  // namespace quern::shell
