// quern import: files into a collection.
//
// The file's first records are read before the database is touched: a file that cannot be read
// creates nothing. Then rows are gathered into batches and written; each batch is a transaction of
// its own, so that a long import keeps what it has done and its memory is one batch, or with
// --atomic all batches are one transaction. A key that comes twice within a batch ends the batch
// inside the same transaction, since one call of the library takes each key once.
#include <CLI/CLI.hpp>
#include <chrono>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "file_format.h"
#include "format_error.h"
#include "import_plan.h"
#include "import_undo.h"
#include "lines_format.h"
#include "progress_bar.h"
#include "record_stream.h"
#include "result_cells.h"
#include "retrieval_files.h"
#include "shell.h"

namespace quern::shell {
namespace {

constexpr size_t kBatchBytes = size_t{8} << 20;
// With --batch-rows the user decides how much a transaction holds; memory stays bounded all the
// same.
constexpr size_t kGatheredBytesMax = size_t{64} << 20;
constexpr size_t kBatchRowsMax = 1048576;

struct ImportOptions {
    std::string db, collection, open;
    RecordStreamOptions stream;
    ImportChoices choices;
    size_t batch_rows = 0;
    bool atomic = false, insert = false, upsert = false, json = false;
};

// Batches and transactions.
class BatchWriter {
public:
    BatchWriter(const ImportOptions& options, quern_db* db, ImportPlan* plan)
        : options_(options), db_(db), terms_(plan->terms()), batch_(plan->active()) {}

    uint64_t committed() const { return committed_; }

    // False if the key is in the gathered rows already and may not be there twice.
    bool Add(const StagedRow& row) {
        if (!NoteKey(row)) {
            if (options_.insert) {
                return false;
            }
            Send();
            NoteKey(row);
        }
        batch_.Add(row);
        in_transaction_++;
        const bool full = options_.batch_rows > 0 ? in_transaction_ >= options_.batch_rows
                                                  : batch_.bytes() >= kBatchBytes;
        if (full && !options_.atomic) {
            Commit();
        } else if (batch_.bytes() >= (options_.atomic ? kBatchBytes : kGatheredBytesMax) ||
                   batch_.rows() >= kBatchRowsMax) {
            Send();
        }
        return true;
    }

    void Commit() {
        Send();
        if (txn_ != nullptr) {
            if (terms_ != nullptr) {
                terms_->Save();  // a dimension that is committed has its term
            }
            Call(quern_commit, txn_.release());
            committed_ += in_transaction_;
        }
        in_transaction_ = 0;
    }

private:
    bool NoteKey(const StagedRow& row) {
        return batch_.columns().key.type == QUERN_KEY_INT ? int_keys_.insert(row.key_int).second
                                                          : text_keys_.insert(row.key_text).second;
    }

    void Send() {
        if (batch_.rows() == 0) {
            return;
        }
        if (txn_ == nullptr) {
            quern_txn* txn = nullptr;
            Call(quern_begin, db_, &txn);
            txn_.reset(txn);
        }
        const BatchPtr batch(
            NotNull(quern_batch_new(db_, options_.collection.c_str(), batch_.rows())));
        batch_.Bind(batch.get());
        auto* write = options_.choices.update ? quern_update
                      : options_.insert       ? quern_insert
                                              : quern_upsert;
        Call(write, batch.get(), txn_.get());
        batch_.Clear();
        int_keys_.clear();
        text_keys_.clear();
    }

    const ImportOptions& options_;
    quern_db* db_;
    TermDimensions* terms_;
    ColumnBatch batch_;
    TxnPtr txn_;
    uint64_t in_transaction_ = 0;
    uint64_t committed_ = 0;
    std::unordered_set<int64_t> int_keys_;
    std::unordered_set<std::string> text_keys_;
};

void AddColumns(const Database& database, const std::string& collection,
                const CollectionColumns& additions, ImportUndo* undo) {
    for (const AttrColumn& attr : additions.attrs) {
        if (attr.is_field) {
            Call(quern_add_text, database.get(), collection.c_str(), attr.name.c_str(),
                 attr.options.c_str());
            undo->NoteColumn(attr.name);
            continue;
        }
        Call(quern_add_attr, database.get(), collection.c_str(), attr.name.c_str(),
             static_cast<int32_t>(attr.type), attr.options.c_str());
        undo->NoteColumn(attr.name);
    }
    for (const DenseColumn& field : additions.dense) {
        const std::string options = std::string("type=") + NameOfElementType(field.type) +
                                    (field.index.empty() ? "" : " " + field.index);
        Call(quern_add_dense, database.get(), collection.c_str(), field.name.c_str(), field.dim,
             field.metric, options.c_str());
        undo->NoteColumn(field.name);
    }
    for (const SparseColumn& field : additions.sparse) {
        Call(quern_add_sparse, database.get(), collection.c_str(), field.name.c_str(),
             field.Options().c_str());
        undo->NoteColumn(field.name);
    }
}

std::string CommittedText(const ImportOptions& options, uint64_t committed) {
    if (committed == 0) {
        return options.atomic ? "; nothing was imported (--atomic)" : "; no record was committed";
    }
    return "; " + WithCommas(committed) + (committed == 1 ? " record is" : " records are") +
           " committed";
}

// Lines for a collection that there is, of which nothing says what they are: its only text field.
void NameLines(const CollectionColumns& existing, ImportChoices* choices) {
    if (!choices->renames.empty() || !choices->columns.empty() || !choices->rest.empty() ||
        choices->add ||
        std::any_of(existing.attrs.begin(), existing.attrs.end(),
                    [](const AttrColumn& attr) { return attr.name == kLineColumn; })) {
        return;
    }
    const auto fields = std::count_if(existing.attrs.begin(), existing.attrs.end(),
                                      [](const AttrColumn& attr) { return attr.is_field; });
    if (fields > 1) {
        FailUsage("each line is one text: of several text fields, --rename text=NAME says which");
    }
    if (fields == 1) {
        choices->renames.push_back(std::string(kLineColumn) + "=" + existing.FindText("")->name);
    }
}

// The plan, or an error that comes behind the bad lines of the sample.
ImportPlan MakePlan(const ImportOptions& options, const std::deque<Record>& sample,
                    const CollectionColumns* existing, RecordStream* stream) {
    try {
        ImportChoices choices = options.choices;
        choices.only_matrix = stream->reader().only_matrix();
        if (existing != nullptr && !sample.empty() && sample.front().is_line) {
            NameLines(*existing, &choices);
        }
        return ImportPlan(choices, sample, stream->reader().has_columns(), existing);
    } catch (const ShellError&) {
        stream->bad().Release(UINT64_MAX);
        stream->bad().SayRest();
        throw;
    }
}

// Reads and writes all records. What went wrong is thrown with the number of records that stay.
void CopyRecords(const ImportOptions& options, ImportPlan* plan, RecordStream* stream,
                 BatchWriter* writer) {
    ProgressBar bar;
    Record record;
    StagedRow row;
    uint64_t taken = 0;
    try {
        try {
            while (stream->Next(&record)) {
                try {
                    plan->Stage(record, &row);
                    if (!writer->Add(row)) {
                        throw FormatError(record.where + ": the key comes a second time", true,
                                          record.line);
                    }
                } catch (const FormatError& error) {
                    stream->SkipBad(error);
                    continue;
                }
                if (++taken % 256 == 0) {
                    const ByteSource& source = stream->reader().source();
                    bar.UpdateRecords("import", source.bytes_taken(), source.bytes_total(), taken);
                }
            }
        } catch (const FormatError&) {
            // The file cannot be read on. Who passes over bad lines wants the records before it.
            if (options.stream.skip_bad && !options.atomic) {
                writer->Commit();
            }
            throw;
        }
        CheckStopped();
        writer->Commit();
    } catch (const std::exception& error) {
        bar.Clear();
        stream->bad().SayRest();
        const auto* shell_error = dynamic_cast<const ShellError*>(&error);
        const bool stopped = dynamic_cast<const ReadStopped*>(&error) != nullptr;
        if (shell_error == nullptr && !stopped &&
            dynamic_cast<const FormatError*>(&error) == nullptr) {
            throw;
        }
        throw ShellError(shell_error != nullptr ? shell_error->exit_code()
                         : stopped              ? kExitInterrupted
                                                : kExitFailed,
                         error.what() + CommittedText(options, writer->committed()),
                         shell_error != nullptr ? shell_error->status() : QUERN_OK);
    }
    bar.Clear();
    stream->bad().SayRest();
}

void PrintReport(const ImportOptions& options, bool created, uint64_t records, double seconds,
                 const BadLines& bad) {
    const double rate = seconds > 0 ? static_cast<double>(records) / seconds : 0;
    if (options.json) {
        auto lines = nlohmann::ordered_json::array();
        for (const BadLine& line : bad.first()) {
            lines.push_back({{"line", line.line > 0 ? nlohmann::ordered_json(line.line) : nullptr},
                             {"message", line.message}});
        }
        const nlohmann::ordered_json report{
            {"collection", options.collection}, {"created", created}, {"records", records},
            {"skipped", bad.count()},           {"bad", lines},       {"seconds", seconds},
            {"records_per_second", rate}};
        Print(report.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
        return;
    }
    std::string line = "imported " + WithCommas(records) + " records into " + options.collection +
                       " in " + DurationText(seconds) + " (" +
                       WithCommas(static_cast<uint64_t>(rate)) + " records/s)";
    if (bad.count() > 0) {
        line += ", " + WithCommas(bad.count()) +
                (bad.count() == 1 ? " bad line skipped: " : " bad lines skipped, the first: ") +
                bad.first().front().message;
    }
    Print(line + "\n");
}

// Makes what is missing and copies the records; the number of those that are in the collection now.
// *created: whether the collection is new. *copying: whether the first record was come to.
uint64_t Import(const ImportOptions& options, const Database& database, RecordStream* stream,
                const std::deque<Record>& sample, ImportUndo* undo, bool* created, bool* copying) {
    *created = !database.HasCollection(options.collection);
    CollectionColumns existing;
    if (!*created) {
        existing = ReadColumns(database.Describe(options.collection).get());
    }
    ImportPlan plan = MakePlan(options, sample, *created ? nullptr : &existing, stream);
    for (const std::string& note : plan.notes()) {
        std::fprintf(stderr, "note: %s\n", note.c_str());
    }
    int64_t attr_bytes_max = 0;
    Call(quern_limit, database.get(), QUERN_LIMIT_ATTR_BYTES, int64_t{-1}, &attr_bytes_max);
    plan.SetAttrBytesMax(attr_bytes_max);
    if (*created) {
        const SchemaPtr schema = plan.schema().ToSchema();
        Call(quern_create, database.get(), options.collection.c_str(),
             static_cast<const quern_schema*>(schema.get()));
        undo->NoteCollection();
    }
    AddColumns(database, options.collection, plan.additions(), undo);
    BatchWriter writer(options, database.get(), &plan);
    *copying = true;
    CopyRecords(options, &plan, stream, &writer);
    for (const std::string& note : stream->reader().Notes()) {
        std::fprintf(stderr, "note: %s\n", note.c_str());
    }
    return writer.committed();
}

bool EndsInTxt(std::string path) {
    for (const char* const ending : {".gz", ".zst", ".txt"}) {
        const std::string_view wanted = ending;
        const bool there = path.size() >= wanted.size() &&
                           path.compare(path.size() - wanted.size(), wanted.size(), wanted) == 0;
        path.resize(there ? path.size() - wanted.size() : path.size());
        if (there && wanted == ".txt") {
            return true;
        }
    }
    return false;
}

// A folder as BEIR has them stands for its corpus, with the names that this has.
ImportOptions WithBeir(ImportOptions options) {
    const std::string corpus = BeirFile(options.stream.file, "corpus");
    if (corpus.empty()) {
        return options;
    }
    options.stream.file = corpus;
    if (options.choices.key.empty()) {
        options.choices.key = "_id";
    }
    if (options.choices.texts.empty() && options.choices.columns.empty()) {
        options.choices.texts = {"title", "text"};
    }
    return options;
}

// Lines have no name: they are what the only --text says. With one a .txt is none of words.
ImportOptions WithLines(ImportOptions options) {
    std::string* const format = &options.stream.format;
    ImportChoices& choices = options.choices;
    const bool one_text = choices.texts.size() == 1;
    const std::string& file = options.stream.file;
    if (format->empty() && !choices.texts.empty() && choices.field.empty() &&
        FormatOfPath(file) == FileFormat::kWords && EndsInTxt(file)) {
        *format = NameOfFormat(FileFormat::kLines);
    }
    const auto name_of = [](const std::string& text) { return text.substr(0, text.find(':')); };
    const bool unnamed = FormatOfName(*format) == FileFormat::kLines && choices.renames.empty();
    if (unnamed && choices.texts.size() > 1 &&
        std::none_of(choices.texts.begin(), choices.texts.end(),
                     [&](const std::string& text) { return name_of(text) == kLineColumn; })) {
        FailUsage("each line is one text: of several --text, --rename text=NAME says which");
    }
    if (unnamed && one_text) {
        const std::string name = name_of(choices.texts[0]);
        if (name != kLineColumn) {
            choices.renames.push_back(std::string(kLineColumn).append("=").append(name));
        }
    }
    return options;
}

void CheckVocabulary(const ImportOptions& options) {
    const std::string& name = options.stream.format;
    const FileFormat format = name.empty() ? FormatOfPath(options.stream.file) : FormatOfName(name);
    if (!options.choices.vocabulary.empty() && format == FileFormat::kSpmat) {
        FailUsage(
            "--vocabulary is for entries that are named by terms; those of a CSR file are "
            "numbers");
    }
}

void RunImport(const ImportOptions& given) {
    const ImportOptions options = WithLines(WithBeir(given));
    CheckVocabulary(options);
    const auto started = std::chrono::steady_clock::now();
    RecordStream stream(options.stream);
    const std::deque<Record>& sample = stream.TakeSample();
    ImportUndo undo(options.db, options.collection);
    auto database = std::make_unique<Database>(options.db, "rwc", options.open);
    bool created = false;
    bool copying = false;
    uint64_t records = 0;
    try {
        records = Import(options, *database, &stream, sample, &undo, &created, &copying);
    } catch (const std::exception& error) {
        // With an unknown outcome the records may be there.
        const auto* shell_error = dynamic_cast<const ShellError*>(&error);
        const bool known =
            shell_error != nullptr && shell_error->status() != QUERN_ERR_OUTCOME_UNKNOWN;
        if (!copying || (options.atomic && known)) {
            undo.Run(std::move(database));
        }
        throw;
    }
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - started;
    PrintReport(options, created, records, seconds.count(), stream.bad());
}

}  // namespace

void AddImportCommand(CLI::App* app) {
    auto options = std::make_shared<ImportOptions>();
    CLI::App* command = app->add_subcommand("import", "Import vectors and records from a file");
    AddDatabaseOption(command, &options->db);
    AddCollectionOption(command, &options->collection);
    command
        ->add_option(
            "FILE", options->stream.file,
            "The file, plain, .gz or .zst; - for standard input; or a folder as BEIR has them")
        ->required();
    RefuseDimensionOption(command);
    ImportChoices& choices = options->choices;
    command->add_option("-f,--field", choices.field,
                        "The vector field (needed for formats that hold vectors only)");
    command->add_option("-m,--metric", choices.metric,
                        "Metric of a new field: l2 (default), ip, cosine, hamming");
    command->add_option("-t,--type", choices.type,
                        "Element type of a new field: f32 (default), f16, bf16, i8, bit");
    command
        ->add_option(
            "--index", choices.index,
            "How new vector fields are indexed, as in 'quern create': index=none, codes=4bit")
        ->type_name("OPTIONS");
    command->add_option(
        "--format", options->stream.format,
        std::string("The file's format, if its name does not tell: ") + FormatNames() + ", lines");
    command
        ->add_option("-k,--key", choices.key,
                     "The column with the key, NAME or NAME:int or NAME:text")
        ->type_name("COLUMN");
    command
        ->add_option("--key-file", options->stream.key_file,
                     "A text file with the key of each row, one a line")
        ->type_name("FILE");
    command->add_option("--start-key", choices.start_key,
                        "The key of row 0, when keys are row numbers (default 0)");
    command
        ->add_option("-a,--attr", choices.attrs,
                     "The type of an attribute of a new collection (repeatable)")
        ->type_name("NAME:TYPE")
        ->allow_extra_args(false);
    command
        ->add_option("-d,--dense", choices.dense,
                     "Another vector field of a new collection (repeatable)")
        ->type_name("NAME:DIM:METRIC[:TYPE]")
        ->allow_extra_args(false);
    command
        ->add_option("--sparse", choices.sparse,
                     "A field of sparse vectors: columns with {\"dims\":[..],\"weights\":[..]} or "
                     "{\"dimension\":weight} (repeatable)")
        ->type_name("NAME[:DIMS][:binary][:OPTION=VALUE]")
        ->allow_extra_args(false);
    command
        ->add_option(
            "--vocabulary", choices.vocabulary,
            "With --sparse: the columns are {\"term\":weight}, and this file has the term of "
            "each dimension, one a line; new terms are added to it")
        ->type_name("FILE");
    command
        ->add_option(
            "--text", choices.texts,
            "A text field, searched by its words: 'body:porter stop=english'; of a .txt, or with "
            "--format lines, each line is a text of the only one (repeatable)")
        ->type_name("NAME[:OPTIONS]")
        ->allow_extra_args(false);
    command
        ->add_option("-c,--columns", choices.columns,
                     "Import these columns of the file only: a,b,c")
        ->delimiter(',')
        ->allow_extra_args(false);
    command
        ->add_option("--rename", choices.renames,
                     "Import column OLD under the name NEW; =NEW names one without a name "
                     "(repeatable)")
        ->type_name("OLD=NEW")
        ->allow_extra_args(false);
    command->add_option("--rest", choices.rest, "Keep all other columns in this one json attribute")
        ->type_name("NAME");
    command
        ->add_option(
            "--delimiter", options->stream.delimiter,
            "The delimiter of CSV, one character or \\t; the first line names the columns, be it "
            "one")
        ->check([](const std::string& text) {
            return text.size() == 1 || text == "\\t" ? std::string()
                                                     : std::string("wanted one character");
        });
    command
        ->add_option("--batch-rows", options->batch_rows,
                     "Records a transaction (default: about 8 MiB of them)")
        ->check(CLI::PositiveNumber);
    command->add_option("--skip-rows", options->stream.skip_rows,
                        "Pass over the first N rows of the file (they keep their numbers)");
    command->add_option("--limit", options->stream.limit, "Import at most N rows");
    CLI::Option* upsert = command->add_flag("--upsert", options->upsert,
                                            "Replace records whose key is there already (default)");
    CLI::Option* insert =
        command->add_flag("--insert", options->insert, "A key that is there already is an error");
    CLI::Option* update = command->add_flag("--update", choices.update,
                                            "Change the file's columns in records that are there");
    upsert->excludes(insert)->excludes(update);
    insert->excludes(update);
    command->add_flag("--add", choices.add, "Add attributes and fields that the collection lacks");
    command->add_flag(
        "--skip-bad", options->stream.skip_bad,
        "Pass over lines that are no records of the collection, and report them; what "
        "the engine refuses (with --insert a key that is there) stops nevertheless");
    command->add_flag(
        "--atomic", options->atomic,
        "All or nothing: one transaction for the whole file, and what a failed import "
        "created is removed");
    AddJsonOption(command, &options->json);
    AddOpenOption(command, &options->open);
    command->footer(
        "Creates the file and the collection when they do not exist. The types of attributes come "
        "from the first 1,000\n"
        "records that can be read, and so does the dimension of the field: it is the most frequent "
        "one there. Keys are row numbers, unless --key or --key-file is given, or the file has a "
        "column named like the\n"
        "key (id). Without --atomic each batch is a transaction: when a line is bad or you press "
        "Ctrl-C, the batches\n"
        "before it stay, and the message says how many records are committed; --skip-rows goes on "
        "from there.\n"
        "--skip-bad names the first 20 bad lines and counts all; --json lists the first 100 as "
        "{line, message}. A file\n"
        "that is cut short or cannot be read on keeps the records before.\n"
        "A number in CSV is written as one: 001, +5, and cells in quotes (unless all are) are "
        "texts; --attr "
        "zip:int and\n"
        "--key id:int take them for numbers.\n"
        "An npz has a column for each of its arrays (the only one of two dimensions is a vector "
        "field; NaN among numbers\n"
        "of one is null), an spmat (.csr) one that is called vector. Of a "
        "folder with a\n"
        "corpus.jsonl that is imported, with the key _id and the text fields title and text.\n"
        "\n"
        "Examples:\n"
        "  quern import photos.quern sift base.fvecs --field emb --metric l2\n"
        "  quern import books.quern books books.jsonl.gz --key isbn --field emb --metric cosine "
        "--attr year:int\n"
        "  zcat glove.txt.gz | quern import words.quern words - --format words --field emb "
        "--metric cosine\n"
        "  quern import splade.quern docs docs.jsonl --key id --sparse vector:30522\n"
        "  quern import splade.quern docs base_full.csr --sparse vector:30522\n"
        "  quern import splade.quern docs docs.jsonl --key id --sparse vector --vocabulary "
        "terms.txt\n"
        "  quern import scifact.quern docs scifact/\n"
        "  quern import products.quern items items.jsonl --key id --columns id,title,price --rest "
        "more");
    command->callback([options] { RunImport(*options); });
}

}  // namespace quern::shell
