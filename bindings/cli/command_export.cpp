// quern export: a collection into a file, streaming in key order from one snapshot.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>

#include "anserini_format.h"
#include "bin_format.h"
#include "byte_sink.h"
#include "csv_format.h"
#include "file_format.h"
#include "idx_format.h"
#include "jsonl_format.h"
#include "npy_format.h"
#include "npz_format.h"
#include "progress_bar.h"
#include "result_cells.h"
#include "schema_text.h"
#include "shell.h"
#include "spmat_format.h"
#include "vecs_format.h"
#include "word_format.h"

namespace quern::shell {
namespace {

// Rows fetched in one call: about this many bytes of vectors, within these bounds.
constexpr size_t kFetchBytes = size_t{4} << 20;
constexpr size_t kFetchRowsMin = 16;
constexpr size_t kFetchRowsMax = 4096;

struct ExportOptions {
    std::string db, collection, file = "-", format, field, columns = "*", key_file, vocabulary,
                                open;
    uint64_t limit = UINT64_MAX;
    bool force = false, no_header = false;
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
        if (format_ == FileFormat::kUnknown) {
            FailUsage(
                options.format.empty()
                    ? options.file + ": the name does not tell the format; give --format, one of " +
                          FormatNames()
                    : "unknown format '" + options.format + "'; wanted one of " + FormatNames());
        }
        if (format_ == FileFormat::kLines) {
            FailUsage("lines are for import only; wanted one of " + std::string(FormatNames()));
        }
        if (options.no_header && format_ != FileFormat::kWords) {
            FailUsage("--no-header is for words only");
        }
        matrix_ = format_ != FileFormat::kJsonl && format_ != FileFormat::kCsv &&
                  format_ != FileFormat::kTsv;
        if (!options.vocabulary.empty() && format_ != FileFormat::kAnserini) {
            FailUsage("--vocabulary is for anserini only");
        }
        if (matrix_ && ChooseSparse()) {
            wanted_ = '"' + field_.name + '"';
            if (format_ == FileFormat::kAnserini) {
                ChooseContents();
            }
        } else if (matrix_) {
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
        writer_ = NewWriter(std::move(sink));
        uint64_t written = 0;
        uint64_t absent = 0;
        Record record;
        ProgressBar bar;
        Scan([&](const quern_result* result, size_t row) {
            if (sparse_   ? !FillSparse(result, row, &record)
                : matrix_ ? !FillVector(result, row, &record)
                          : !FillColumns(result, row, &record)) {
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

    std::unique_ptr<RecordWriter> NewWriter(std::unique_ptr<ByteSink> sink) {
        switch (format_) {
            case FileFormat::kFvecs: return NewVecsWriter(std::move(sink), VecsElement::kF32);
            case FileFormat::kBvecs: return NewVecsWriter(std::move(sink), VecsElement::kU8);
            case FileFormat::kIvecs: return NewVecsWriter(std::move(sink), VecsElement::kI32);
            case FileFormat::kNpy: {
                // Where the header cannot be corrected afterwards, the vectors are counted first.
                const uint64_t rows = sink->CanPatch() ? total_ : TakeSurvey(false).rows;
                return NewNpyWriter(std::move(sink), NpyType(), rows, field_.dim);
            }
            case FileFormat::kFbin: return NewBin(std::move(sink), BinElement::kF32);
            case FileFormat::kU8bin: return NewBin(std::move(sink), BinElement::kU8);
            case FileFormat::kI8bin: return NewBin(std::move(sink), BinElement::kI8);
            case FileFormat::kIbin: return NewBin(std::move(sink), BinElement::kI32);
            case FileFormat::kNpz: {
                NpzShape shape;
                shape.field = field_.name;
                shape.element = NpyType();
                shape.rows = TakeSurvey(false).rows;
                shape.dim = field_.dim;
                shape.key_name = columns_.key.name;
                shape.int_keys = columns_.key.type == QUERN_KEY_INT;
                return NewNpzWriter(std::move(sink), shape);
            }
            case FileFormat::kSpmat: return NewSpmatWriter(std::move(sink), sparse_dims_);
            case FileFormat::kAnserini:
                if (!options_.vocabulary.empty()) {
                    terms_ = std::make_unique<TermDimensions>(options_.vocabulary);
                    if (terms_->size() == 0) {
                        Fail(options_.vocabulary + ": no terms; is it there?");
                    }
                }
                return NewAnseriniWriter(std::move(sink), terms_.get());
            case FileFormat::kIdx: {
                const Survey survey = TakeSurvey(true);
                return NewIdxWriter(std::move(sink),
                                    survey.all_bytes ? IdxElement::kU8 : IdxElement::kF32,
                                    survey.rows, field_.dim);
            }
            case FileFormat::kWords: {
                WordHeader header;
                header.dim = field_.dim;
                if (!options_.no_header) {
                    header.rows = TakeSurvey(false).rows;
                }
                return NewWordWriter(std::move(sink), options_.no_header ? nullptr : &header);
            }
            case FileFormat::kCsv: return NewCsvWriter(std::move(sink), ColumnNames(), ',');
            case FileFormat::kTsv: return NewCsvWriter(std::move(sink), ColumnNames(), '\t');
            default: return NewJsonlWriter(std::move(sink));
        }
    }

    std::unique_ptr<RecordWriter> NewBin(std::unique_ptr<ByteSink> sink, BinElement element) {
        const uint64_t rows = sink->CanPatch() ? total_ : TakeSurvey(false).rows;
        return NewBinWriter(std::move(sink), element, rows, field_.dim);
    }

    // Whether the format takes a sparse field and that is what is meant: field_ has its name.
    bool ChooseSparse() {
        if (format_ != FileFormat::kSpmat && format_ != FileFormat::kAnserini) {
            return false;
        }
        const SparseColumn* field = columns_.FindSparse(options_.field);
        if (field == nullptr && options_.field.empty() && columns_.sparse.size() == 1 &&
            (format_ == FileFormat::kSpmat || columns_.dense.empty())) {
            field = &columns_.sparse[0];
        }
        if (field == nullptr) {
            if (format_ == FileFormat::kSpmat) {
                FailUsage("spmat holds a sparse field: name it with --field");
            }
            return false;
        }
        field_.name = field->name;
        sparse_dims_ = field->dims > uint64_t{1} << 31 ? 0 : field->dims;
        sparse_ = true;
        return true;
    }

    // The "contents" of Anserini's lines: what has this name, else the only text field.
    void ChooseContents() {
        const AttrColumn* text = columns_.FindText("");
        for (const AttrColumn& attr : columns_.attrs) {
            if (attr.name == "contents" && attr.type == ColumnType::kText) {
                text = &attr;
            }
        }
        if (text != nullptr) {
            wanted_ += ",\"" + text->name + '"';
            contents_ = true;
        }
    }

    // What some headers say of the vectors behind them.
    struct Survey {
        uint64_t rows = 0;      // records that have a vector
        bool all_bytes = true;  // their elements are whole numbers from 0 to 255
    };
    Survey TakeSurvey(bool elements) {
        Survey survey;
        Record record;
        Scan([&](const quern_result* result, size_t row) {
            if (quern_result_type(result, row, 0) == 0) {
                return;
            }
            survey.rows++;
            if (elements && survey.all_bytes && FillVector(result, row, &record)) {
                survey.all_bytes =
                    std::all_of(record.vector.begin(), record.vector.end(), [](float value) {
                        return value >= 0 && value <= 255 && std::floor(value) == value;
                    });
            }
        });
        return survey;
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
        record->key = KeyText(result, row);
        record->has_key = true;
        record->has_vector = true;
        ReadVector(elements, field_.type, dim, &record->vector);
        return true;
    }

    bool FillSparse(const quern_result* result, size_t row, Record* record) {
        size_t size = 0;
        const float* weights = nullptr;
        const uint32_t* dims = quern_result_sparse(result, row, 0, &weights, &size);
        if (dims == nullptr) {
            return false;
        }
        record->Clear();
        record->key = KeyText(result, row);
        record->has_key = true;
        Value& value = record->Add(field_.name);
        value.kind = Value::Kind::kSparse;
        value.dims.assign(dims, dims + size);
        if (weights != nullptr) {
            value.numbers.assign(weights, weights + size);
        } else {
            value.numbers.assign(size, 1);  // a binary field
        }
        if (contents_) {
            ReadCell(result, row, 1, &record->Add("contents"));
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
        // A reader takes a byte order mark at the start of a file for one: a key that begins so
        // comes behind another.
        if (!any_key_ && key.compare(0, 3, kByteOrderMark) == 0) {
            keys_->Write(kByteOrderMark);
        }
        any_key_ = true;
        keys_->Write(key + "\n");
    }

    const ExportOptions& options_;
    Database database_;
    CollectionColumns columns_;
    SnapshotPtr snapshot_;
    FileFormat format_ = FileFormat::kUnknown;
    bool matrix_ = false;
    bool sparse_ = false;       // of matrix_
    bool contents_ = false;     // of sparse_: a text stands beside the vector
    uint64_t sparse_dims_ = 0;  // what a head can tell of; 0: not
    std::unique_ptr<TermDimensions> terms_;
    DenseColumn field_;
    std::string wanted_;
    uint64_t total_ = 0;
    std::unique_ptr<RecordWriter> writer_;
    std::unique_ptr<ByteSink> keys_;
    bool any_key_ = false;  // is in keys_
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
    command->add_option(
        "--format", options->format,
        std::string("The format, if the name does not tell (default jsonl): ") + FormatNames());
    command->add_option(
        "-f,--field", options->field,
        "The vector field for formats that hold vectors (not needed when there is one only)");
    command->add_option("-c,--columns", options->columns,
                        "Attributes and fields for jsonl, csv and tsv: a,b,c (default *: all)");
    command->add_flag("--no-header", options->no_header,
                      "Words without the first line COUNT DIM, as in GloVe's files");
    command
        ->add_option("--vocabulary", options->vocabulary,
                     "Of anserini: the terms of a sparse field's dimensions, one a line")
        ->type_name("FILE");
    command->add_option("--key-file", options->key_file, "Write the keys to this file, one a line")
        ->type_name("FILE");
    command->add_option("--limit", options->limit, "At most N records");
    command->add_flag("--force", options->force, "Overwrite the file if it exists");
    AddOpenOption(command, &options->open);
    command->footer(
        "Records come in the order of their keys. jsonl, csv and tsv hold whole records; the other "
        "formats hold one\n"
        "field, and records without a vector there are left out.\n"
        "  npy    keeps f32, f16 and i8; bf16 becomes f32; bits are bytes of 0 and 1 "
        "(numpy.packbits packs them)\n"
        "  bvecs  takes whole numbers from 0 to 255 only, ivecs those of 32 bits\n"
        "  npz    has the vectors under the field's name, as npy, and the keys under theirs\n"
        "  fbin   f32; u8bin, i8bin and ibin take whole numbers that fit only\n"
        "  spmat  a sparse field (.csr)\n"
        "  anserini  JSON lines {id, contents, vector} of a sparse field (contents: the text "
        "called so, or the only\n"
        "         text field), {docid, vector} of a dense one\n"
        "  idx    has bytes when all elements are whole numbers from 0 to 255, else f32\n"
        "  words  has the key as the word; import reads it with text keys unless told "
        "--key id:int\n"
        "Blobs are base64 in jsonl, csv and tsv. What export writes, import reads.\n"
        "\n"
        "Examples:\n"
        "  quern export books.quern books books.jsonl.zst\n"
        "  quern export books.quern books emb.npy --field emb --key-file isbn.txt\n"
        "  quern export books.quern books glove.txt.gz --field emb --no-header");
    command->callback([options] { ExportRun(*options).Run(); });
}

}  // namespace quern::shell
