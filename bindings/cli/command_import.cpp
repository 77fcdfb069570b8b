// quern import: files into a collection.
//
// The file's first records are read before the database is touched: a file that cannot be read
// creates nothing. Then rows are gathered into batches and written; each batch is a transaction of
// its own, so that a long import keeps what it has done and its memory is one batch, or with
// --atomic all batches are one transaction. A key that comes twice within a batch ends the batch
// inside the same transaction, since one call of the library takes each key once.
#include <CLI/CLI.hpp>
#include <chrono>
#include <exception>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "file_format.h"
#include "format_error.h"
#include "import_plan.h"
#include "progress_bar.h"
#include "result_cells.h"
#include "shell.h"

namespace quern::shell {
namespace {

constexpr size_t kSampleRecords = 1000;
constexpr uint64_t kSampleBytes = uint64_t{8} << 20;
constexpr size_t kBatchBytes = size_t{8} << 20;
// With --batch-rows the user decides how much a transaction holds; memory stays bounded all the
// same.
constexpr size_t kGatheredBytesMax = size_t{64} << 20;
constexpr size_t kBatchRowsMax = 1048576;
constexpr uint64_t kBadLinesShown = 5;

struct ImportOptions {
    std::string db, collection, file, format, key_file, open;
    std::string delimiter;
    ImportChoices choices;
    size_t batch_rows = 0;
    uint64_t skip_rows = 0;
    uint64_t limit = UINT64_MAX;
    bool skip_bad = false, atomic = false, insert = false, upsert = false, json = false;
};

// The records of the file with keys from the key file, bad lines counted or thrown.
class RecordStream {
public:
    explicit RecordStream(const ImportOptions& options) : options_(options) {
        const FileFormat format =
            options.format.empty() ? FormatOfPath(options.file) : FormatOfName(options.format);
        if (format == FileFormat::kUnknown) {
            FailUsage(
                options.format.empty()
                    ? options.file + ": the name does not tell the format; give --format, one of " +
                          FormatNames()
                    : "unknown format '" + options.format + "'; wanted one of " + FormatNames());
        }
        reader_ = NewRecordReader(ByteSource::Open(options.file, StopFlag()), format,
                                  options.delimiter.empty()    ? '\0'
                                  : options.delimiter == "\\t" ? '\t'
                                                               : options.delimiter[0]);
        if (!options.key_file.empty()) {
            keys_ = ByteSource::Open(options.key_file, StopFlag());
        }
    }

    RecordReader& reader() { return *reader_; }
    uint64_t skipped() const { return skipped_; }
    const std::string& first_bad() const { return first_bad_; }

    bool Next(Record* record) {
        for (;;) {
            CheckStopped();
            try {
                if (!reader_->Next(record)) {
                    return false;
                }
                if (record->row < options_.skip_rows) {
                    continue;
                }
                if (record->row - options_.skip_rows >= options_.limit) {
                    return false;
                }
                TakeKey(record);
                return true;
            } catch (const FormatError& error) {
                SkipBad(error);
            }
        }
    }

    void SkipBad(const FormatError& error) {
        if (!error.recoverable() || !options_.skip_bad) {
            throw error;
        }
        if (skipped_++ == 0) {
            first_bad_ = error.what();
        }
        if (skipped_ <= kBadLinesShown) {
            std::fprintf(stderr, "skipped: %s\n", error.what());
        }
    }

private:
    // Line n of the key file belongs to row n, whatever was skipped between.
    void TakeKey(Record* record) {
        if (keys_ == nullptr) {
            return;
        }
        while (key_lines_ <= record->row) {
            if (!keys_->ReadLine(&key_line_)) {
                throw FormatError(keys_->name() + ": only " + std::to_string(key_lines_) +
                                  " keys, but the file has row " + std::to_string(record->row));
            }
            key_lines_++;
        }
        record->key = key_line_;
        record->has_key = true;
    }

    const ImportOptions& options_;
    std::unique_ptr<RecordReader> reader_;
    std::unique_ptr<ByteSource> keys_;
    std::string key_line_;
    uint64_t key_lines_ = 0;
    uint64_t skipped_ = 0;
    std::string first_bad_;
};

// Batches and transactions.
class BatchWriter {
public:
    BatchWriter(const ImportOptions& options, quern_db* db, const CollectionColumns& columns)
        : options_(options), db_(db), batch_(columns) {}

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
    ColumnBatch batch_;
    TxnPtr txn_;
    uint64_t in_transaction_ = 0;
    uint64_t committed_ = 0;
    std::unordered_set<int64_t> int_keys_;
    std::unordered_set<std::string> text_keys_;
};

void AddColumns(const Database& database, const std::string& collection,
                const CollectionColumns& additions) {
    for (const AttrColumn& attr : additions.attrs) {
        Call(quern_add_attr, database.get(), collection.c_str(), attr.name.c_str(),
             static_cast<int32_t>(attr.type), static_cast<const char*>(nullptr));
    }
    for (const DenseColumn& field : additions.dense) {
        const std::string options = std::string("type=") + NameOfElementType(field.type);
        Call(quern_add_dense, database.get(), collection.c_str(), field.name.c_str(), field.dim,
             field.metric, options.c_str());
    }
}

std::string CommittedText(const ImportOptions& options, uint64_t committed) {
    if (committed == 0) {
        return options.atomic ? "; nothing was imported (--atomic)" : "; no record was committed";
    }
    return "; " + WithCommas(committed) + (committed == 1 ? " record is" : " records are") +
           " committed";
}

void RunImport(const ImportOptions& options) {
    const auto started = std::chrono::steady_clock::now();
    RecordStream stream(options);
    std::deque<Record> sample;
    const bool has_columns = stream.reader().has_columns();
    const uint64_t bytes_before = stream.reader().source().bytes_taken();
    Record record;
    // An error behind some good records is kept until these are written, so that it makes no
    // difference where it stands.
    std::exception_ptr sample_error;
    try {
        while (sample.size() < (has_columns ? kSampleRecords : 1) &&
               stream.reader().source().bytes_taken() - bytes_before < kSampleBytes &&
               stream.Next(&record)) {
            sample.push_back(record);
        }
    } catch (const FormatError&) {
        if (sample.empty()) {
            throw;
        }
        sample_error = std::current_exception();
    }

    Database database(options.db, "rwc", options.open);
    const bool exists = database.HasCollection(options.collection);
    CollectionColumns existing;
    if (exists) {
        existing = ReadColumns(database.Describe(options.collection).get());
    }
    ImportPlan plan(options.choices, sample, has_columns, exists ? &existing : nullptr);
    for (const std::string& note : plan.notes()) {
        std::fprintf(stderr, "note: %s\n", note.c_str());
    }
    int64_t attr_bytes_max = 0;
    Call(quern_limit, database.get(), QUERN_LIMIT_ATTR_BYTES, int64_t{-1}, &attr_bytes_max);
    plan.SetAttrBytesMax(attr_bytes_max);
    if (!exists) {
        const SchemaPtr schema = plan.schema().ToSchema();
        Call(quern_create, database.get(), options.collection.c_str(),
             static_cast<const quern_schema*>(schema.get()));
    }
    AddColumns(database, options.collection, plan.additions());

    BatchWriter writer(options, database.get(), plan.active());
    ProgressBar bar;
    StagedRow row;
    uint64_t taken = 0;
    auto take = [&](const Record& next) {
        try {
            plan.Stage(next, &row);
            if (!writer.Add(row)) {
                throw FormatError(next.where + ": the key comes a second time", true);
            }
        } catch (const FormatError& error) {
            stream.SkipBad(error);
            return;
        }
        taken++;
        if (taken % 256 == 0) {
            const ByteSource& source = stream.reader().source();
            bar.UpdateRecords("import", source.bytes_taken(), source.bytes_total(), taken);
        }
    };
    try {
        for (; !sample.empty(); sample.pop_front()) {
            take(sample.front());
        }
        if (sample_error != nullptr) {
            std::rethrow_exception(sample_error);
        }
        while (stream.Next(&record)) {
            take(record);
        }
        CheckStopped();
        writer.Commit();
    } catch (const ShellError& error) {
        bar.Clear();
        throw ShellError(error.exit_code(),
                         error.what() + CommittedText(options, writer.committed()));
    } catch (const ReadStopped& error) {
        bar.Clear();
        throw ShellError(kExitInterrupted,
                         error.what() + CommittedText(options, writer.committed()));
    } catch (const FormatError& error) {
        bar.Clear();
        throw ShellError(kExitFailed, error.what() + CommittedText(options, writer.committed()));
    }
    bar.Clear();

    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
    const double rate = seconds > 0 ? static_cast<double>(writer.committed()) / seconds : 0;
    if (options.json) {
        nlohmann::ordered_json report{{"collection", options.collection},
                                      {"created", !exists},
                                      {"records", writer.committed()},
                                      {"skipped", stream.skipped()},
                                      {"seconds", seconds},
                                      {"records_per_second", rate}};
        Print(report.dump() + "\n");
        return;
    }
    std::string line = "imported " + WithCommas(writer.committed()) + " records into " +
                       options.collection + " in " + DurationText(seconds) + " (" +
                       WithCommas(static_cast<uint64_t>(rate)) + " records/s)";
    if (stream.skipped() > 0) {
        line += ", " + WithCommas(stream.skipped()) +
                " bad lines skipped, the first: " + stream.first_bad();
    }
    Print(line + "\n");
}

}  // namespace

void AddImportCommand(CLI::App* app) {
    auto options = std::make_shared<ImportOptions>();
    CLI::App* command = app->add_subcommand("import", "Import vectors and records from a file");
    AddDatabaseOption(command, &options->db);
    AddCollectionOption(command, &options->collection);
    command->add_option("FILE", options->file, "The file, plain, .gz or .zst; - for standard input")
        ->required();
    ImportChoices& choices = options->choices;
    command->add_option("-f,--field", choices.field,
                        "The vector field (needed for formats that hold vectors only)");
    command->add_option("-m,--metric", choices.metric,
                        "Metric of a new field: l2 (default), ip, cosine, hamming");
    command->add_option("-t,--type", choices.type,
                        "Element type of a new field: f32 (default), f16, bf16, i8, bit");
    command->add_option(
        "--format", options->format,
        std::string("The file's format, if its name does not tell: ") + FormatNames());
    command
        ->add_option("-k,--key", choices.key,
                     "The column with the key, NAME or NAME:int or NAME:text")
        ->type_name("COLUMN");
    command
        ->add_option("--key-file", options->key_file,
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
        ->add_option("-c,--columns", choices.columns,
                     "Import these columns of the file only: a,b,c")
        ->delimiter(',')
        ->allow_extra_args(false);
    command
        ->add_option("--rename", choices.renames,
                     "Import column OLD under the name NEW (repeatable)")
        ->type_name("OLD=NEW")
        ->allow_extra_args(false);
    command->add_option("--rest", choices.rest, "Keep all other columns in this one json attribute")
        ->type_name("NAME");
    command
        ->add_option("--delimiter", options->delimiter,
                     "The delimiter of CSV, one character or \\t")
        ->check([](const std::string& text) {
            return text.size() == 1 || text == "\\t" ? std::string()
                                                     : std::string("wanted one character");
        });
    command
        ->add_option("--batch-rows", options->batch_rows,
                     "Records a transaction (default: about 8 MiB of them)")
        ->check(CLI::PositiveNumber);
    command->add_option("--skip-rows", options->skip_rows,
                        "Pass over the first N rows of the file (they keep their numbers)");
    command->add_option("--limit", options->limit, "Import at most N rows");
    CLI::Option* upsert = command->add_flag("--upsert", options->upsert,
                                            "Replace records whose key is there already (default)");
    CLI::Option* insert =
        command->add_flag("--insert", options->insert, "A key that is there already is an error");
    CLI::Option* update = command->add_flag("--update", choices.update,
                                            "Change the file's columns in records that are there");
    upsert->excludes(insert)->excludes(update);
    insert->excludes(update);
    command->add_flag("--add", choices.add, "Add attributes and fields that the collection lacks");
    command->add_flag("--skip-bad", options->skip_bad, "Pass over bad lines and report them");
    command->add_flag("--atomic", options->atomic,
                      "All or nothing: one transaction for the whole file");
    AddJsonOption(command, &options->json);
    AddOpenOption(command, &options->open);
    command->footer(
        "Creates the file and the collection when they do not exist; the types of attributes come "
        "from the first\n"
        "records. Keys are row numbers, unless --key or --key-file is given, or the file has a "
        "column named like the\n"
        "key (id). Without --atomic each batch is a transaction: when a line is bad or you press "
        "Ctrl-C, the batches\n"
        "before it stay, and the message says how many records are committed; --skip-rows goes on "
        "from there.\n"
        "\n"
        "Examples:\n"
        "  quern import photos.quern sift base.fvecs --field emb --metric l2\n"
        "  quern import books.quern books books.jsonl.gz --key isbn --field emb --metric cosine "
        "--attr year:int\n"
        "  zcat glove.txt.gz | quern import words.quern words - --format words --field emb "
        "--metric cosine\n"
        "  quern import products.quern items items.jsonl --key id --columns id,title,price --rest "
        "more");
    command->callback([options] { RunImport(*options); });
}

}  // namespace quern::shell
