// quern create: an empty collection with a schema from the command line.
#include <CLI/CLI.hpp>

#include "result_cells.h"
#include "schema_text.h"
#include "shell.h"

namespace quern::shell {
namespace {

struct CreateOptions {
    std::string db, collection, key, open, index;
    std::vector<std::string> attrs, dense, sparse, texts;
};

void RunCreate(const CreateOptions& options) {
    CollectionColumns columns;
    if (!options.key.empty()) {
        columns.key = ParseKeyColumn(options.key);
        CheckKeyType(columns.key);
    }
    if (columns.key.type == 0) {
        columns.key.type = QUERN_KEY_INT;
    }
    for (const std::string& attr : options.attrs) {
        columns.attrs.push_back(ParseAttrColumn(attr));
    }
    for (const std::string& field : options.dense) {
        columns.dense.push_back(ParseDenseColumn(field));
        columns.dense.back().index = options.index;
    }
    for (const std::string& field : options.sparse) {
        columns.sparse.push_back(ParseSparseColumn(field));
    }
    for (const std::string& field : options.texts) {
        columns.attrs.push_back(ParseTextColumn(field));
    }
    Database database(options.db, "rwc", options.open);
    const SchemaPtr schema = columns.ToSchema();
    Call(quern_create, database.get(), options.collection.c_str(),
         static_cast<const quern_schema*>(schema.get()));
}

}  // namespace

void AddCreateCommand(CLI::App* app) {
    auto options = std::make_shared<CreateOptions>();
    CLI::App* command =
        app->add_subcommand("create", "Create a collection (and the file, when there is none)");
    AddDatabaseOption(command, &options->db);
    AddCollectionOption(command, &options->collection);
    RefuseDimensionOption(command);
    command
        ->add_option("-k,--key", options->key,
                     "Name and type of the key: int or text (default id:int)")
        ->type_name("NAME:TYPE");
    command
        ->add_option("-a,--attr", options->attrs,
                     "An attribute: int, real, text, bool, blob, json, tags; index=none: filters "
                     "read it from the records (repeatable)")
        ->type_name("NAME:TYPE[:index=auto|none]")
        ->allow_extra_args(false);
    command
        ->add_option("-d,--dense", options->dense,
                     "A vector field; METRIC l2, ip, cosine, hamming; TYPE f32, f16, bf16, i8, bit "
                     "(repeatable)")
        ->type_name("NAME:DIM[:METRIC[:TYPE]]")
        ->allow_extra_args(false);
    command
        ->add_option(
            "--sparse", options->sparse,
            "A field of sparse vectors with dimensions below DIMS; binary: without "
            "weights; OPTION index=none: always scanned, approx=graph: also searched with "
            "--recall or --ef, buckets=N: ranges with weights of their own, impacts=8: the index "
            "takes less memory, prune_top=N: and less, but may miss some (repeatable)")
        ->type_name("NAME[:DIMS][:binary][:OPTION=VALUE]")
        ->allow_extra_args(false);
    command
        ->add_option("--text", options->texts,
                     "A text field, searched by its words: 'body:porter stop=english' (repeatable)")
        ->type_name("NAME[:OPTIONS]")
        ->allow_extra_args(false);
    command
        ->add_option(
            "--index", options->index,
            "How the vector fields are indexed: 'index=auto|none|graph|lists "
            "codes=auto|f32|f16|bf16|i8|lvq8|4bit|lvq4|pq|1bit|packed fine=auto|memory|disk "
            "m=16 ef_build=200 lists=N delivers=ASKED:DELIVERED,... (as quern_recall_audit found)'")
        ->type_name("OPTIONS");
    AddOpenOption(command, &options->open);
    command->footer(
        "Example:\n"
        "  quern create books.quern books --key isbn:text --attr year:int --attr genres:tags "
        "--dense emb:384:cosine:f16");
    command->callback([options] { RunCreate(*options); });
}

}  // namespace quern::shell
