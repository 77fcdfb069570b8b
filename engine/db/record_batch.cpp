#include "engine/db/record_batch.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <unordered_set>

#include "engine/db/text_column.h"
#include "engine/kernels/distance.h"

namespace quern {

namespace {

constexpr int kJsonDepthMax = 64;

const char* InputTypeName(AttrType type) {
    static const char* const names[] = {"?", "int", "real", "text", "bool", "blob", "json", "tags"};
    return names[static_cast<size_t>(type)];
}

// A recursive-descent reader of JSON that keeps nothing.
class JsonChecker {
public:
    explicit JsonChecker(std::string_view text) : text_(text) {}
    bool Check() {
        Space();
        return Value(0) && (Space(), at_ == text_.size());
    }
    // Is there an escaped U+0000 in what was read?
    bool has_nul() const { return has_nul_; }

private:
    char Peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
    void Space() {
        while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' ||
                                      text_[at_] == '\r' || text_[at_] == '\t')) {
            at_++;
        }
    }
    bool Word(std::string_view word) {
        if (text_.substr(at_, word.size()) != word) {
            return false;
        }
        at_ += word.size();
        return true;
    }
    bool Digits() {
        const size_t start = at_;
        while (Peek() >= '0' && Peek() <= '9') {
            at_++;
        }
        return at_ > start;
    }
    bool Number() {
        if (Peek() == '-') {
            at_++;
        }
        if (Peek() == '0') {
            at_++;
        } else if (!Digits()) {
            return false;
        }
        if (Peek() == '.') {
            at_++;
            if (!Digits()) {
                return false;
            }
        }
        if (Peek() == 'e' || Peek() == 'E') {
            at_++;
            if (Peek() == '+' || Peek() == '-') {
                at_++;
            }
            return Digits();
        }
        return true;
    }
    bool String() {
        at_++;
        while (at_ < text_.size()) {
            const auto c = static_cast<unsigned char>(text_[at_++]);
            if (c == '"') {
                return true;
            }
            if (c < 0x20) {
                return false;
            }
            if (c == '\\') {
                const char escaped = Peek();
                at_++;
                if (escaped == 'u') {
                    has_nul_ = has_nul_ || text_.substr(at_, 4) == "0000";
                    for (int i = 0; i < 4; i++, at_++) {
                        if (!std::isxdigit(static_cast<unsigned char>(Peek()))) {
                            return false;
                        }
                    }
                } else if (escaped == '\0' || std::strchr("\"\\/bfnrt", escaped) == nullptr) {
                    return false;
                }
            }
        }
        return false;
    }
    bool List(char close, bool object, int depth) {
        at_++;
        Space();
        if (Peek() == close) {
            at_++;
            return true;
        }
        while (true) {
            Space();
            if (object) {
                if (Peek() != '"' || !String()) {
                    return false;
                }
                Space();
                if (Peek() != ':') {
                    return false;
                }
                at_++;
                Space();
            }
            if (!Value(depth + 1)) {
                return false;
            }
            Space();
            const char next = Peek();
            at_++;
            if (next == close) {
                return true;
            }
            if (next != ',') {
                return false;
            }
        }
    }
    bool Value(int depth) {
        if (depth > kJsonDepthMax || at_ >= text_.size()) {
            return false;
        }
        switch (Peek()) {
            case '{': return List('}', true, depth);
            case '[': return List(']', false, depth);
            case '"': return String();
            case 't': return Word("true");
            case 'f': return Word("false");
            case 'n': return Word("null");
            default: return Number();
        }
    }
    std::string_view text_;
    size_t at_ = 0;
    bool has_nul_ = false;
};

// The number of the field that a column of values is for.
Result<size_t> FieldOfKind(const Schema& schema, const RecordBatch& batch, const std::string& name,
                           const char* kind) {
    const int found = schema.FindField(name);
    if (found < 0) {
        return Status::Error(Code::kUnknownField, "collection '%s' has no field '%s'",
                             batch.collection.c_str(), name.c_str());
    }
    const auto field = static_cast<size_t>(found);
    if (schema.field_kind(field) != std::string_view(kind)) {
        return Status::Error(Code::kType, "field '%s' is %s, the batch has %s vectors",
                             name.c_str(), schema.field_kind(field), kind);
    }
    return field;
}

}  // namespace

static_assert(sparse::kEntriesMax == kSparseEntriesMax);

bool IsValidJson(std::string_view text, bool* has_nul) {
    JsonChecker checker(text);
    const bool valid = IsValidUtf8(text) && checker.Check();
    *has_nul = checker.has_nul();
    return valid;
}

std::string TagsToJson(std::vector<std::string_view> tags) {
    std::sort(tags.begin(), tags.end());
    tags.erase(std::unique(tags.begin(), tags.end()), tags.end());
    std::string json = "[";
    for (size_t i = 0; i < tags.size(); i++) {
        json += i == 0 ? "\"" : ",\"";
        for (const char c : tags[i]) {
            if (c == '"' || c == '\\') {
                json += '\\';
                json += c;
            } else if (static_cast<unsigned char>(c) < 0x20) {
                char hex[8];
                std::snprintf(hex, sizeof hex, "\\u%04x",
                              static_cast<unsigned>(static_cast<unsigned char>(c)));
                json += hex;
            } else {
                json += c;
            }
        }
        json += '"';
    }
    return json + "]";
}

Status CheckedBatch::TakeKeys(const RecordBatch& batch, const Schema& schema) {
    const bool is_int = schema.key_type == KeyType::kInt;
    if (batch.int_keys == nullptr && batch.text_keys == nullptr) {
        return Status::Error(Code::kMisuse, "the batch has no keys");
    }
    if ((batch.int_keys != nullptr) != is_int) {
        return Status::Error(Code::kType,
                             "key '%s' of collection '%s' is %s, the batch has %s keys",
                             schema.key_name.c_str(), batch.collection.c_str(),
                             is_int ? "int" : "text", is_int ? "text" : "int");
    }
    keys_.resize(batch.count);
    bool ascending = true;
    for (size_t i = 0; i < batch.count; i++) {
        if (is_int) {
            keys_[i] = Key::Int(batch.int_keys[i]);
        } else {
            const char* text = batch.text_keys[i];
            if (text == nullptr || text[0] == '\0') {
                return Status::Error(Code::kInvalid, "record %zu: the key is %s", i,
                                     text ? "empty" : "NULL");
            }
            const size_t size = ::strnlen(text, kKeyBytesMax + 1);
            if (size > kKeyBytesMax) {
                return Status::Error(Code::kLimit, "record %zu: the key is longer than %zu bytes",
                                     i, kKeyBytesMax);
            }
            keys_[i] = Key::Text({text, size});
            if (!IsValidUtf8(keys_[i].text)) {
                return Status::Error(Code::kMalformed, "record %zu: the key is not valid UTF-8", i);
            }
        }
        ascending = ascending && (i == 0 || keys_[i - 1] < keys_[i]);
    }
    if (!ascending) {
        std::unordered_set<Key, KeyHash> seen;
        seen.reserve(keys_.size());
        for (size_t i = 0; i < keys_.size(); i++) {
            if (!seen.insert(keys_[i]).second) {
                return Status::Error(Code::kDuplicateKey,
                                     "record %zu: key %s is twice in the batch", i,
                                     keys_[i].ToString().c_str());
            }
        }
    }
    return {};
}

Status CheckedBatch::TakeVectors(const VectorInput& input, const DenseDef& def, Field* field) {
    if (input.dim != def.dim) {
        return Status::Error(Code::kDimension, "field '%s' has dimension %u, the vectors have %zu",
                             def.name.c_str(), def.dim, input.dim);
    }
    if (!input.is_f32 && input.element != def.element) {
        return Status::Error(Code::kType,
                             "field '%s' has another element type than the raw vectors",
                             def.name.c_str());
    }
    const size_t count = keys_.size();
    field->empty_column = false;
    field->row_bytes = def.row_bytes();
    field->valid = input.valid;
    const char* in = static_cast<const char*>(input.values);
    const size_t in_bytes = input.is_f32 ? size_t{def.dim} * 4 : field->row_bytes;
    const bool convert = input.is_f32 && def.element != Element::kF32;
    const bool mask_bits = def.element == Element::kBit && !input.is_f32 && def.dim % 8 != 0;
    if (convert || mask_bits) {
        field->converted.resize(count * field->row_bytes);
        field->rows = field->converted.data();
    } else {
        field->rows = in;
    }
    for (size_t i = 0; i < count; i++) {
        if (input.valid && !input.valid[i]) {
            continue;
        }
        vector_bytes_ += field->row_bytes;
        size_t bad = 0;
        const char* row = in + i * in_bytes;
        if (!kernels::AllFinite(input.is_f32 ? Element::kF32 : def.element, row, 1, def.dim,
                                &bad)) {
            return Status::Error(Code::kNotFinite,
                                 "%s: field '%s' has NaN or infinity at element %zu",
                                 RecordName(i).c_str(), def.name.c_str(), bad);
        }
        char* out = field->converted.data() + i * field->row_bytes;
        if (convert) {
            // Alignment of the caller's array is its own business: copy through an aligned row.
            thread_local std::vector<float> aligned;
            aligned.resize(def.dim);
            std::memcpy(aligned.data(), row, in_bytes);
            if (!kernels::FromF32(def.element, aligned.data(), 1, def.dim, out, &bad)) {
                return Status::Error(Code::kInvalid, "%s: field '%s' cannot hold %g (element %zu)",
                                     RecordName(i).c_str(), def.name.c_str(),
                                     static_cast<double>(aligned[bad]), bad);
            }
        } else if (mask_bits) {
            std::memcpy(out, row, field->row_bytes);
            out[field->row_bytes - 1] =
                static_cast<char>(out[field->row_bytes - 1] & ((1 << (def.dim % 8)) - 1));
        }
    }
    return {};
}

Status TakeSparseVector(const SparseInput& input, size_t i, uint64_t dimensions,
                        sparse::SparseVector* out) {
    const size_t first = input.offsets[i];
    const size_t end = input.offsets[i + 1];
    if (end < first) {
        return Status::Error(Code::kInvalid, "offsets go down, from %zu to %zu", first, end);
    }
    if (end > first && input.dimensions == nullptr) {
        return Status::Error(Code::kMisuse, "there are entries, but dims is NULL");
    }
    sparse::SparseLimits limits;
    limits.dimensions = dimensions;
    return sparse::MakeSparseVector(
        end > first ? input.dimensions + first : nullptr,
        end > first && input.weights != nullptr ? input.weights + first : nullptr, end - first,
        limits, out);
}

// Values of a binary field have no weights; those that were read from one are 1.
Status CheckedBatch::CheckBinary(const SparseInput& input, size_t i, const SparseDef& def) const {
    for (size_t at = input.offsets[i]; input.weights != nullptr && at < input.offsets[i + 1];
         at++) {
        if (input.weights[at] != 1.0f) {
            return Status::Error(Code::kInvalid,
                                 "%s: field '%s' is binary: its weights are NULL, or all 1",
                                 RecordName(i).c_str(), def.name.c_str());
        }
    }
    return {};
}

Status CheckedBatch::TakeSparse(const SparseInput& input, const SparseDef& def, Field* field) {
    field->empty_column = false;
    field->valid = input.valid;
    field->starts.assign(1, 0);
    sparse::SparseVector vector;
    for (size_t i = 0; i < keys_.size(); i++) {
        if (!input.valid || input.valid[i]) {
            const Status taken = TakeSparseVector(input, i, def.dimensions, &vector);
            if (!taken.ok()) {
                return Status(taken).WithContext(RecordName(i) + ": field '" + def.name + "'");
            }
            QUERN_TRY(def.binary ? CheckBinary(input, i, def) : Status());
            for (const sparse::SparseEntry& entry : vector) {
                field->converted.append(reinterpret_cast<const char*>(&entry.dimension), 4);
            }
            for (const sparse::SparseEntry& entry : vector) {
                field->converted.append(reinterpret_cast<const char*>(&entry.weight), 4);
            }
        }
        field->starts.push_back(field->converted.size());
    }
    vector_bytes_ += field->converted.size();
    return {};
}

Status CheckedBatch::TakeTexts(const AttrInput& input, const TextDef& def, Field* field) {
    if (input.type != AttrType::kText) {
        return Status::Error(Code::kType, "field '%s' is text, the batch has %s values",
                             def.name.c_str(), InputTypeName(input.type));
    }
    field->empty_column = false;
    field->valid = input.valid;
    field->texts.assign(keys_.size(), BytesView());
    for (size_t i = 0; i < keys_.size(); i++) {
        const char* const text = static_cast<const char* const*>(input.values)[i];
        if (text == nullptr || (input.valid && !input.valid[i])) {
            continue;
        }
        field->texts[i] = BytesView(text);
        const Status checked = CheckText(field->texts[i], def);
        if (!checked.ok()) {
            return Status(checked).WithContext(RecordName(i) + ": field '" + def.name + "'");
        }
        vector_bytes_ += field->texts[i].size();
    }
    return {};
}

Status CheckedBatch::Make(const RecordBatch& batch, const Schema& schema, size_t attr_bytes_max,
                          Columns columns, CheckedBatch* out) {
    out->schema_ = &schema;
    out->attr_bytes_max_ = attr_bytes_max;
    out->attr_input_.assign(schema.attrs.size(), -1);
    out->fields_.resize(schema.field_count());
    out->scratch_.resize(schema.attrs.size());
    QUERN_TRY(out->TakeKeys(batch, schema));
    if (columns == Columns::kKeysOnly) {
        return {};
    }
    out->attrs_ = batch.attrs;
    for (size_t i = 0; i < batch.attrs.size(); i++) {
        const AttrInput& input = batch.attrs[i];
        const int attr = schema.FindAttr(input.name);
        const int field = attr < 0 ? schema.FindField(input.name) : -1;
        if (field >= 0 && schema.is_text(static_cast<size_t>(field))) {
            const auto number = static_cast<size_t>(field);
            QUERN_TRY(out->TakeTexts(input, schema.text_field(number), &out->fields_[number]));
            continue;
        }
        if (attr < 0) {
            return Status::Error(Code::kUnknownField, "collection '%s' has no attribute '%s'",
                                 batch.collection.c_str(), input.name.c_str());
        }
        const AttrType type = schema.attrs[static_cast<size_t>(attr)].type;
        if (type != input.type && !(type == AttrType::kJson && input.type == AttrType::kText)) {
            return Status::Error(Code::kType, "attribute '%s' is %s, the batch has %s values",
                                 input.name.c_str(), InputTypeName(type),
                                 InputTypeName(input.type));
        }
        out->attr_input_[static_cast<size_t>(attr)] = static_cast<int>(i);
    }
    for (const VectorInput& input : batch.vectors) {
        QUERN_ASSIGN(const size_t field, FieldOfKind(schema, batch, input.name, "dense"));
        QUERN_TRY(out->TakeVectors(input, schema.dense[field], &out->fields_[field]));
    }
    for (const SparseInput& input : batch.sparse) {
        QUERN_ASSIGN(const size_t field, FieldOfKind(schema, batch, input.name, "sparse"));
        QUERN_TRY(out->TakeSparse(input, schema.sparse_field(field), &out->fields_[field]));
    }
    return {};
}

Result<Cell> CheckedBatch::cell(size_t i, size_t attr) {
    Cell cell;
    if (attr_input_[attr] < 0) {
        return cell;
    }
    const AttrInput& input = attrs_[static_cast<size_t>(attr_input_[attr])];
    const AttrDef& def = schema_->attrs[attr];
    if (input.valid && !input.valid[i]) {
        return cell;
    }
    switch (def.type) {
        case AttrType::kInt:
            cell.kind = Cell::Kind::kInt;
            cell.number = static_cast<const int64_t*>(input.values)[i];
            return cell;
        case AttrType::kBool: {
            const uint8_t value = static_cast<const uint8_t*>(input.values)[i];
            if (value > 1) {
                return Status::Error(Code::kInvalid, "%s: attribute '%s': %u is not 0 or 1",
                                     RecordName(i).c_str(), def.name.c_str(),
                                     static_cast<unsigned>(value));
            }
            cell.kind = Cell::Kind::kInt;
            cell.number = value;
            return cell;
        }
        case AttrType::kReal:
            cell.kind = Cell::Kind::kReal;
            cell.real = static_cast<const double*>(input.values)[i];
            if (cell.real == 0) {
                cell.real = 0;  // SQLite keeps no minus zero, and the hash is of what it keeps
            }
            if (!std::isfinite(cell.real)) {
                return Status::Error(Code::kNotFinite, "%s: attribute '%s' is NaN or infinite",
                                     RecordName(i).c_str(), def.name.c_str());
            }
            return cell;
        case AttrType::kText:
        case AttrType::kJson: {
            const char* text = static_cast<const char* const*>(input.values)[i];
            if (text == nullptr) {
                return cell;
            }
            cell.kind = Cell::Kind::kText;
            cell.text = text;
            break;
        }
        case AttrType::kBlob: {
            const void* data = static_cast<const void* const*>(input.values)[i];
            if (data == nullptr) {
                return cell;
            }
            cell.kind = Cell::Kind::kBlob;
            cell.text = {static_cast<const char*>(data), input.sizes[i]};
            break;
        }
        case AttrType::kTags: {
            if (input.sizes[i + 1] < input.sizes[i]) {
                return Status::Error(Code::kInvalid, "%s: attribute '%s': offsets go down",
                                     RecordName(i).c_str(), def.name.c_str());
            }
            std::vector<std::string_view> tags;
            for (size_t j = input.sizes[i]; j < input.sizes[i + 1]; j++) {
                const char* tag = static_cast<const char* const*>(input.values)[j];
                if (tag == nullptr || !IsValidUtf8(tag)) {
                    return Status::Error(Code::kMalformed,
                                         "%s: attribute '%s': a tag is NULL or not valid UTF-8",
                                         RecordName(i).c_str(), def.name.c_str());
                }
                tags.emplace_back(tag);
            }
            scratch_[attr] = TagsToJson(std::move(tags));
            cell.kind = Cell::Kind::kText;
            cell.text = scratch_[attr];
            break;
        }
    }
    if (cell.text.size() > attr_bytes_max_) {
        return Status::Error(Code::kLimit, "%s: attribute '%s' has %zu bytes, the limit is %zu",
                             RecordName(i).c_str(), def.name.c_str(), cell.text.size(),
                             attr_bytes_max_);
    }
    if (def.type == AttrType::kText && !IsValidUtf8(cell.text)) {
        return Status::Error(Code::kMalformed, "%s: attribute '%s' is not valid UTF-8",
                             RecordName(i).c_str(), def.name.c_str());
    }
    bool has_nul = false;
    if (def.type == AttrType::kJson && !IsValidJson(cell.text, &has_nul)) {
        return Status::Error(Code::kMalformed,
                             "%s: attribute '%s' is not valid JSON (or nested deeper than %d)",
                             RecordName(i).c_str(), def.name.c_str(), kJsonDepthMax);
    }
    if (has_nul) {
        return Status::Error(Code::kInvalid,
                             "%s: attribute '%s' holds \\u0000, where filters would end the text",
                             RecordName(i).c_str(), def.name.c_str());
    }
    return cell;
}

BytesView CheckedBatch::vector(size_t i, size_t field) const {
    const Field& column = fields_[field];
    if (column.empty_column || (column.valid && !column.valid[i])) {
        return {};
    }
    if (!column.texts.empty()) {
        return column.texts[i];
    }
    if (!column.starts.empty()) {
        return BytesView(column.converted)
            .substr(column.starts[i], column.starts[i + 1] - column.starts[i]);
    }
    return {column.rows + i * column.row_bytes, column.row_bytes};
}

std::vector<uint32_t> CheckedBatch::KeyOrder() const {
    std::vector<uint32_t> order(keys_.size());
    std::iota(order.begin(), order.end(), 0u);
    std::sort(order.begin(), order.end(),
              [&](uint32_t a, uint32_t b) { return keys_[a] < keys_[b]; });
    return order;
}

}  // namespace quern
