// Reader of npz.
#include "npz_format.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "float_codes.h"
#include "format_error.h"
#include "little_endian.h"
#include "npy_header.h"
#include "zip_archive.h"

namespace quern::shell {
namespace {

constexpr uint64_t kTextBytesMax = uint64_t{256} << 10;  // of one text of a U or S array

void AppendUtf8(uint32_t point, std::string* text) {
    const auto put = [text](uint32_t byte) {
        text->push_back(static_cast<char>(static_cast<unsigned char>(byte)));
    };
    if (point < 0x80) {
        put(point);
    } else if (point < 0x800) {
        put(0xc0 | point >> 6);
        put(0x80 | (point & 0x3f));
    } else if (point < 0x10000) {
        put(0xe0 | point >> 12);
        put(0x80 | (point >> 6 & 0x3f));
        put(0x80 | (point & 0x3f));
    } else {
        put(0xf0 | point >> 18);
        put(0x80 | (point >> 12 & 0x3f));
        put(0x80 | (point >> 6 & 0x3f));
        put(0x80 | (point & 0x3f));
    }
}

// The values of an array of one dimension.
class NpyColumn {
public:
    // Takes the header; the array's elements follow.
    NpyColumn(ByteSource* source, const NpyHeader& header) : source_(source) {
        const std::string& descr = header.descr;
        int64_t size = 0;
        if (descr.size() < 3 || (descr[0] != '<' && descr[0] != '|' && descr[0] != '>') ||
            !ParseInt(std::string_view(descr).substr(2), &size) || size < 0) {
            FailType(descr);
        }
        kind_ = descr[1];
        const bool number = (kind_ == 'f' && (size == 2 || size == 4 || size == 8)) ||
                            ((kind_ == 'i' || kind_ == 'u') &&
                             (size == 1 || size == 2 || size == 4 || size == 8)) ||
                            (kind_ == 'b' && size == 1);
        big_ = descr[0] == '>';
        if (!number && ((kind_ != 'U' || big_) && kind_ != 'S')) {
            FailType(descr);
        }
        const uint64_t bytes = static_cast<uint64_t>(size) * (kind_ == 'U' ? 4 : 1);
        // Texts of no bytes could be as many as a header says.
        if (size == 0 || static_cast<uint64_t>(size) > kTextBytesMax || bytes > kTextBytesMax) {
            FailNpyHeader(*source, "texts of " + std::to_string(size) + " characters; " +
                                       std::to_string(kTextBytesMax) +
                                       " bytes are the limit, 1 the least");
        }
        bytes_.resize(static_cast<size_t>(bytes));
    }

    // False when the array ends.
    bool Read() {
        if (source_->Read(bytes_.data(), bytes_.size()) < bytes_.size()) {
            return false;
        }
        if (big_ && kind_ != 'S') {
            std::reverse(bytes_.begin(), bytes_.end());
        }
        return true;
    }
    uint64_t nans() const { return nans_; }
    // The value that was read; a problem with it, or empty.
    std::string Take(Value* value) {
        switch (kind_) {
            case 'f': return TakeReal(value);
            case 'U': return TakeText(value);
            case 'S': {
                const std::string_view all(reinterpret_cast<const char*>(bytes_.data()),
                                           bytes_.size());
                value->text = all.substr(0, all.find_last_not_of('\0') + 1);
                value->kind = Value::Kind::kText;
                return IsCleanUtf8(value->text) ? "" : "the text is not UTF-8 without NUL";
            }
            default: break;
        }
        const uint64_t bits = LittleInteger(bytes_.data(), bytes_.size());
        value->kind = kind_ == 'b' ? Value::Kind::kBool : Value::Kind::kInt;
        if (kind_ == 'u' && bits > static_cast<uint64_t>(INT64_MAX)) {
            return std::to_string(bits) + " is beyond 64 bits with a sign";
        }
        const size_t unused = 64 - 8 * bytes_.size();
        value->integer = kind_ == 'i'   ? static_cast<int64_t>(bits << unused) >> unused
                         : kind_ == 'b' ? (bits != 0 ? 1 : 0)
                                        : static_cast<int64_t>(bits);
        return {};
    }

private:
    [[noreturn]] void FailType(const std::string& descr) const {
        FailNpyHeader(*source_, "element type '" + descr.substr(0, 40) +
                                    "'; wanted one dimension of numbers, bools, '<U..' or '|S..', "
                                    "or two of numbers");
    }

    std::string TakeReal(Value* value) {
        const uint64_t bits = LittleInteger(bytes_.data(), bytes_.size());
        if (bytes_.size() == 2) {
            value->real = HalfToFloat(static_cast<uint16_t>(bits));
        } else if (bytes_.size() == 4) {
            const auto word = static_cast<uint32_t>(bits);
            float number;
            std::memcpy(&number, &word, sizeof(number));
            value->real = number;
        } else {
            std::memcpy(&value->real, &bits, sizeof(value->real));
        }
        const bool none = std::isnan(value->real);
        nans_ += none ? 1 : 0;
        value->kind = none ? Value::Kind::kNull : Value::Kind::kReal;
        return {};
    }

    // UTF-32, filled up with zeros.
    std::string TakeText(Value* value) const {
        value->kind = Value::Kind::kText;
        size_t count = bytes_.size() / 4;
        while (count > 0 && LittleInteger(bytes_.data() + 4 * (count - 1), 4) == 0) {
            count--;
        }
        for (size_t i = 0; i < count; i++) {
            const auto point = static_cast<uint32_t>(LittleInteger(bytes_.data() + 4 * i, 4));
            if (point == 0 || point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) {
                return "character " + std::to_string(i) + " of the text is no Unicode character";
            }
            AppendUtf8(point, &value->text);
        }
        return {};
    }

    ByteSource* source_;
    char kind_ = 0;
    bool big_ = false;  // the highest byte first
    uint64_t nans_ = 0;
    std::vector<unsigned char> bytes_;
};

class NpzReader : public RecordReader {
public:
    explicit NpzReader(std::unique_ptr<ByteSource> source)
        : RecordReader(std::move(source)),
          bytes_(source_.get()),
          archive_(&bytes_, source_->name()) {
        const auto& members = archive_.members();
        const auto has = [&](const char* name) {
            return std::any_of(members.begin(), members.end(),
                               [&](const ZipMember& member) { return member.name == name; });
        };
        if (has("indptr.npy") && has("indices.npy") && has("data.npy")) {
            throw FormatError(source_->name() +
                              ": a sparse matrix of scipy.sparse.save_npz, which is not read; "
                              "spmat (.csr) and JSON lines are");
        }
        for (const ZipMember& member : members) {
            OpenArray(member);
        }
        if (arrays_.empty()) {
            throw FormatError(source_->name() + ": there is no array in it");
        }
    }

    uint64_t rows_claimed() const override { return claimed_; }
    bool has_columns() const override { return true; }
    std::string only_matrix() const override {
        const Array* found = nullptr;
        for (const Array& array : arrays_) {
            if (array.vectors != nullptr) {
                if (found != nullptr) {
                    return {};
                }
                found = &array;
            }
        }
        return found != nullptr ? found->name : std::string();
    }
    std::vector<std::string> Notes() const override {
        std::vector<std::string> notes;
        for (const Array& array : arrays_) {
            if (const uint64_t nans = array.column != nullptr ? array.column->nans() : 0) {
                notes.push_back("array '" + array.name + "': " + std::to_string(nans) +
                                " NaN became null");
            }
        }
        return notes;
    }

    bool Next(Record* record) override {
        StartRow(record);
        if (record->row >= rows_total_) {
            return false;
        }
        std::string problem;
        for (Array& array : arrays_) {
            Value& value = record->Add(array.name);
            if (array.vectors != nullptr) {
                TakeVector(&array, *record, &value);
                continue;
            }
            if (!array.column->Read()) {
                FailShort(*record, array.name);
            }
            const std::string wrong = array.column->Take(&value);
            if (!wrong.empty() && problem.empty()) {
                problem = "array " + Quoted(array.name) + ": " + wrong;
            }
        }
        if (!problem.empty()) {
            Fail(*record, problem, true);  // every array stands behind the row
        }
        return true;
    }

private:
    struct Array {
        std::string name;
        std::unique_ptr<ByteSource> source;     // of a column
        std::unique_ptr<NpyColumn> column;      // of one dimension
        std::unique_ptr<RecordReader> vectors;  // of two; has a source of its own
    };

    void OpenArray(const ZipMember& member) {
        Array array;
        array.name = member.name;
        if (array.name.size() > 4 && array.name.compare(array.name.size() - 4, 4, ".npy") == 0) {
            array.name.resize(array.name.size() - 4);
        }
        for (const Array& other : arrays_) {
            if (other.name == array.name) {
                throw FormatError(source_->name() + ": the array " + Quoted(array.name) +
                                  " is there twice");
            }
        }
        array.source = archive_.OpenMember(member);
        const NpyHeader header = ReadNpyHeader(array.source.get());
        if (header.shape.size() == 2) {
            array.source.reset();
            array.vectors = NewNpyReader(archive_.OpenMember(member));
        } else if (header.shape.size() == 1) {
            array.column = std::make_unique<NpyColumn>(array.source.get(), header);
        } else {
            FailNpyHeader(*array.source,
                          "shape " + header.shape_text + "; wanted one dimension or two");
        }
        if (!arrays_.empty() && header.shape[0] != rows_total_) {
            throw FormatError(source_->name() + ": the array " + Quoted(array.name) + " has " +
                              std::to_string(header.shape[0]) + " rows, " +
                              Quoted(arrays_[0].name) + " has " + std::to_string(rows_total_));
        }
        rows_total_ = header.shape[0];
        claimed_ = rows_total_;
        arrays_.push_back(std::move(array));
    }

    void TakeVector(Array* array, const Record& record, Value* value) {
        bool there = false;
        try {
            there = array->vectors->Next(&vector_);
        } catch (const FormatError& error) {
            if (!error.recoverable()) {
                throw;
            }
        }
        if (!there) {
            FailShort(record, array->name);
        }
        value->kind = Value::Kind::kNumbers;
        value->numbers.swap(vector_.vector);
    }

    [[noreturn]] void FailShort(const Record& record, const std::string& array) {
        rows_total_ = record.row;  // no row is behind it
        Fail(record,
             "the array " + Quoted(array) + " ends here, its header says " +
                 std::to_string(claimed_) + " rows",
             true);
    }

    RandomBytes bytes_;
    ZipArchive archive_;
    std::vector<Array> arrays_;
    Record vector_;
    uint64_t rows_total_ = 0;
    uint64_t claimed_ = 0;
};

}  // namespace

std::unique_ptr<RecordReader> NewNpzReader(std::unique_ptr<ByteSource> source) {
    return std::make_unique<NpzReader>(std::move(source));
}

}  // namespace quern::shell
