// quern export: a collection into a file, streaming in key order from one snapshot.
#include <CLI/CLI.hpp>
#include <algorithm>

#include "byte_sink.h"
#include "csv_format.h"
#include "file_format.h"
#include "jsonl_format.h"
#include "npy_format.h"
#include "progress_bar.h"
#include "result_cells.h"
#include "schema_text.h"
#include "shell.h"
#include "vecs_format.h"

namespace quern::shell {
namespace {

// Rows fetched in one call: about this many bytes of vectors, within these bounds.
constexpr size_t kFetchBytes = size_t{4} << 20;
constexpr size_t kFetchRowsMin = 16;
constexpr size_t kFetchRowsMax = 4096;

struct ExportOptions {
    std::string db, collection, file = "-", format, field, columns = "*", key_file, open;
    uint64_t limit = UINT64_MAX;
    bool force = false;
};

class ExportRun {
public:
    explicit ExportRun(const ExportOptions& options)
        : options_(options), database_(options.db, "ro", options.open) {
        columns_ = ReadColumns(database_.Describe(options.collection).get());
        format_ =
            options.format.empty() ? FormatOfPath(options.file) : FormatOfName(options.format);
        if (options.format.empty() && options.file == "-") {
            format_ = FileFormat::kJsonl;
        }
        if (format_ != FileFormat::kJsonl && format_ != FileFormat::kCsv &&
            format_ != FileFormat::kNpy && format_ != FileFormat::kFvecs) {
            FailUsage("export writes jsonl, csv, npy and fvecs: give --format");
        }
        matrix_ = format_ == FileFormat::kNpy || format_ == FileFormat::kFvecs;
        if (matrix_) {
            field_ = ChooseDense(columns_, options.field);
            wanted_ = '"' + field_.name + '"';
        } else {
            wanted_ = options.columns;
        }
        quern_snapshot* snapshot = nullptr;
        Call(quern_snapshot_new, database_.get(), &snapshot);
        snapshot_.reset(snapshot);
        Call(quern_count, database_.get(), options.collection.c_str(), snapshot, &total_);
        total_ = std::min(total_, options.limit);
    }

    void Run() {
        std::unique_ptr<ByteSink> sink = ByteSink::Open(options_.file, options_.force);
        if (!options_.key_file.empty()) {
            keys_ = ByteSink::Open(options_.key_file, options_.force);
        }
        if (format_ == FileFormat::kNpy) {
            // Where the header cannot be corrected afterwards, the vectors that are there are
            // counted first.
            const uint64_t rows = sink->CanPatch() ? total_ : CountPresent();
            const NpyElement element = NpyType();
            const size_t dim = field_.type == QUERN_BIT ? (field_.dim + 7) / 8 : field_.dim;
            writer_ = NewNpyWriter(std::move(sink), element, rows, dim);
        } else if (format_ == FileFormat::kFvecs) {
            writer_ = NewFvecsWriter(std::move(sink));
        } else if (format_ == FileFormat::kJsonl) {
            writer_ = NewJsonlWriter(std::move(sink));
        } else {
            writer_ = NewCsvWriter(std::move(sink), ColumnNames());
        }
        uint64_t written = 0;
        uint64_t absent = 0;
        Record record;
        ProgressBar bar;
        Scan([&](const quern_result* result, size_t row) {
            if (matrix_ ? !FillVector(result, row, &record) : !FillColumns(result, row, &record)) {
                absent++;
                return;
            }
            writer_->Write(record);
            if (keys_ != nullptr) {
                WriteKey(KeyText(result, row));
            }
            if (++written % 256 == 0) {
                bar.Update("export", written + absent, total_);
            }
        });
        bar.Clear();
        writer_->Finish();
        if (keys_ != nullptr) {
            keys_->Close();
        }
        if (absent > 0) {
            std::fprintf(stderr, "note: %s records without a vector in '%s' were left out\n",
                         WithCommas(absent).c_str(), field_.name.c_str());
        }
        if (options_.file != "-") {
            Print("exported " + WithCommas(written) + " records to " + options_.file + "\n");
        }
    }

private:
    template <typename Function>
    void Scan(Function&& each) {
        quern_cursor* raw_cursor = nullptr;
        Call(quern_scan, database_.get(), options_.collection.c_str(), snapshot_.get(),
             wanted_.c_str(), &raw_cursor);
        const CursorPtr cursor(raw_cursor);
        size_t row_bytes = 64;
        for (const DenseColumn& field : columns_.dense) {
            row_bytes += field.dim * sizeof(float);
        }
        const size_t step = std::clamp(kFetchBytes / row_bytes, kFetchRowsMin, kFetchRowsMax);
        uint64_t left = options_.limit;
        while (left > 0) {
            CheckStopped();
            quern_result* raw = nullptr;
            Call(quern_cursor_next, cursor.get(),
                 static_cast<size_t>(std::min<uint64_t>(left, step)), &raw);
            const ResultPtr result(raw);
            const size_t rows = quern_result_rows(raw);
            if (rows == 0) {
                return;
            }
            for (size_t row = 0; row < rows; row++) {
                each(raw, row);
            }
            left -= rows;
        }
    }

    uint64_t CountPresent() {
        uint64_t present = 0;
        Scan([&](const quern_result* result, size_t row) {
            present += quern_result_type(result, row, 0) != 0 ? 1 : 0;
        });
        return present;
    }

    NpyElement NpyType() const {
        switch (field_.type) {
            case QUERN_F16: return NpyElement::kF2;
            case QUERN_I8: return NpyElement::kI1;
            case QUERN_BIT: return NpyElement::kU1;
            default: return NpyElement::kF4;
        }
    }

    // The names in the order in which a scan gives the columns, with the key first.
    std::vector<std::string> ColumnNames() {
        quern_cursor* raw_cursor = nullptr;
        Call(quern_scan, database_.get(), options_.collection.c_str(), snapshot_.get(),
             wanted_.c_str(), &raw_cursor);
        const CursorPtr cursor(raw_cursor);
        quern_result* raw = nullptr;
        Call(quern_cursor_next, raw_cursor, size_t{1}, &raw);
        const ResultPtr result(raw);
        std::vector<std::string> names{columns_.key.name};
        for (size_t col = 0; col < quern_result_columns(raw); col++) {
            names.emplace_back(quern_result_column_name(raw, col));
        }
        return names;
    }

    bool FillVector(const quern_result* result, size_t row, Record* record) {
        size_t dim = 0;
        const void* elements = quern_result_dense(result, row, 0, &dim);
        if (elements == nullptr) {
            return false;
        }
        record->Clear();
        record->has_vector = true;
        if (field_.type == QUERN_BIT && format_ == FileFormat::kNpy) {
            const auto* bytes = static_cast<const unsigned char*>(elements);
            record->vector.assign(
                bytes, bytes + (dim + 7) / 8);  // packed, as numpy.packbits with bitorder='little'
        } else {
            ReadVector(elements, field_.type, dim, &record->vector);
        }
        return true;
    }

    bool FillColumns(const quern_result* result, size_t row, Record* record) {
        record->Clear();
        Value& key = record->Add(columns_.key.name);
        if (columns_.key.type == QUERN_KEY_INT) {
            key.kind = Value::Kind::kInt;
            key.integer = quern_result_key_int(result, row);
        } else {
            key.kind = Value::Kind::kText;
            key.text = KeyText(result, row);
        }
        for (size_t col = 0; col < quern_result_columns(result); col++) {
            ReadCell(result, row, col, &record->Add(quern_result_column_name(result, col)));
        }
        return true;
    }

    void WriteKey(const std::string& key) {
        if (key.find_first_of("\n\r") != std::string::npos) {
            Fail("the key '" + key.substr(0, 40) +
                 "' holds a line end and cannot stand in a key file");
        }
        keys_->Write(key + "\n");
    }

    const ExportOptions& options_;
    Database database_;
    CollectionColumns columns_;
    SnapshotPtr snapshot_;
    FileFormat format_ = FileFormat::kUnknown;
    bool matrix_ = false;
    DenseColumn field_;
    std::string wanted_;
    uint64_t total_ = 0;
    std::unique_ptr<RecordWriter> writer_;
    std::unique_ptr<ByteSink> keys_;
};

}  // namespace

void AddExportCommand(CLI::App* app) {
    auto options = std::make_shared<ExportOptions>();
    CLI::App* command = app->add_subcommand("export", "Export records or vectors to a file");
    AddDatabaseOption(command, &options->db);
    AddCollectionOption(command, &options->collection);
    command->add_option(
        "FILE", options->file,
        "The new file, .gz and .zst are compressed; - (default) for standard output");
    command->add_option("--format", options->format,
                        "jsonl, csv, npy or fvecs, if the name does not tell (default jsonl)");
    command->add_option("-f,--field", options->field,
                        "The vector field for npy and fvecs (not needed when there is one only)");
    command->add_option("-c,--columns", options->columns,
                        "Attributes and fields for jsonl and csv: a,b,c (default *: all)");
    command->add_option("--key-file", options->key_file, "Write the keys to this file, one a line")
        ->type_name("FILE");
    command->add_option("--limit", options->limit, "At most N records");
    command->add_flag("--force", options->force, "Overwrite the file if it exists");
    AddOpenOption(command, &options->open);
    command->footer(
        "Records come in the order of their keys. npy keeps f32, f16 and i8 (bf16 becomes f32; "
        "bits are packed bytes,\n"
        "lowest bit first). Blobs are base64 in jsonl and csv. What export writes, import reads.\n"
        "\n"
        "Examples:\n"
        "  quern export books.quern books books.jsonl.zst\n"
        "  quern export books.quern books emb.npy --field emb --key-file isbn.txt");
    command->callback([options] { ExportRun(*options).Run(); });
}

}  // namespace quern::shell
