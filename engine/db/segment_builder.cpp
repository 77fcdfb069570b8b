#include "engine/db/segment_builder.h"

#include "engine/db/index_options.h"
#include "engine/kernels/distance.h"
#include "storage/sparse_value.h"

namespace quern {

using storage::PartKind;
using storage::PartWriter;

namespace {

// Of a sparse vector: only for how many chunks there will be.
constexpr uint64_t kEntriesGuess = 256;

uint32_t ElementBytes(Element element) {
    switch (element) {
        case Element::kF32: return 4;
        case Element::kF16:
        case Element::kBF16: return 2;
        default: return 1;
    }
}

}  // namespace

Result<SegmentBuilder> SegmentBuilder::Create(storage::Connection* connection, int64_t collection,
                                              const Schema& schema, int64_t generation,
                                              const std::string& owner, storage::Effort effort) {
    SegmentBuilder builder;
    builder.connection_ = connection;
    builder.schema_ = &schema;
    builder.generation_ = generation;
    builder.effort_ = effort;
    builder.fields_.resize(schema.field_count());
    QUERN_ASSIGN(builder.id_, storage::CreateSegment(connection, collection, owner));
    QUERN_ASSIGN(builder.row_ids_, PartWriter::Create(connection, builder.id_, 0, PartKind::kRowIds,
                                                      8, 8, generation, storage::Effort::kBest));
    return builder;
}

Status SegmentBuilder::AddVector(const DenseDef& def, BytesView vector, Field* field) {
    if (!field->writer) {
        QUERN_ASSIGN(field->writer,
                     PartWriter::Create(connection_, id_, def.id, PartKind::kVectors,
                                        static_cast<uint32_t>(def.row_bytes()),
                                        ElementBytes(def.element), generation_, effort_));
        if (expected_records_ > 0 && IndexOptions::Of(def).index != IndexChoice::kNone) {
            field->writer->ShapeForLooks(expected_records_);
        }
    }
    QUERN_TRY(field->writer->Append(vector.data(), 1));
    if (def.element == Element::kF32) {
        field->held.Look(vector.data(), def.dim);
    }
    if (def.metric == Metric::kCosine) {
        float norm = 0;
        kernels::InverseNorms(def.element, vector.data(), 1, def.dim, &norm);
        field->inverse_norms.push_back(norm);
    }
    return {};
}

Status SegmentBuilder::AddSparse(const SparseDef& def, BytesView value, Field* field) {
    if (!field->sparse) {
        const auto create = [&](PartKind kind) {
            return PartWriter::Create(connection_, id_, def.id, kind, 4, 4, generation_, effort_);
        };
        SparseParts parts;
        QUERN_ASSIGN(parts.lengths, create(PartKind::kSparseLengths));
        QUERN_ASSIGN(parts.gaps, create(PartKind::kSparseGaps));
        if (!def.binary) {
            QUERN_ASSIGN(parts.weights, create(PartKind::kSparseWeights));
            if (expected_records_ > 0 && SparseIndexOptions::Of(def).impacts) {
                // Searches look at those of single records.
                parts.weights->ShapeForLooks(expected_records_ * kEntriesGuess);
            }
        }
        field->sparse = std::move(parts);
    }
    const auto count = static_cast<uint32_t>(storage::SparseEntries(value));
    // The value may stand anywhere.
    std::vector<uint32_t> dimensions(count);
    std::vector<uint32_t> gaps(count);
    if (count > 0) {
        std::memcpy(dimensions.data(), value.data(), size_t{count} * 4);
    }
    storage::SparseGaps(dimensions.data(), count, gaps.data());
    QUERN_TRY(field->sparse->lengths.Append(&count, 1));
    QUERN_TRY(field->sparse->gaps.Append(gaps.data(), count));
    return def.binary ? Status()
                      : field->sparse->weights->Append(value.data() + size_t{count} * 4, count);
}

Status SegmentBuilder::AddText(const TextDef& def, BytesView value, Field* field) {
    if (!field->text) {
        TextParts parts;
        QUERN_ASSIGN(parts.lengths,
                     PartWriter::Create(connection_, id_, def.id, PartKind::kTextLengths, 4, 4,
                                        generation_, effort_));
        QUERN_ASSIGN(parts.bytes, PartWriter::Create(connection_, id_, def.id, PartKind::kTextBytes,
                                                     1, 1, generation_, effort_));
        field->text = std::move(parts);
    }
    const auto length = static_cast<uint32_t>(value.size());
    QUERN_TRY(field->text->lengths.Append(&length, 1));
    return field->text->bytes.Append(value.data(), value.size());
}

Status SegmentBuilder::Add(int64_t rid, const std::vector<BytesView>& values) {
    QUERN_TRY(row_ids_->Append(&rid, 1));
    for (size_t f = 0; f < fields_.size(); f++) {
        Field& field = fields_[f];
        if (items_ % 8 == 0) {
            field.present.push_back('\0');
        }
        if (values[f].data() == nullptr) {
            continue;
        }
        field.present.back() =
            static_cast<char>(static_cast<uint8_t>(field.present.back()) | (1u << (items_ % 8)));
        field.count++;
        QUERN_TRY(schema_->is_dense(f)  ? AddVector(schema_->dense[f], values[f], &field)
                  : schema_->is_text(f) ? AddText(schema_->text_field(f), values[f], &field)
                                        : AddSparse(schema_->sparse_field(f), values[f], &field));
    }
    items_++;
    return {};
}

Status SegmentBuilder::Finish() {
    QUERN_TRY(row_ids_->Finish());
    for (size_t f = 0; f < fields_.size(); f++) {
        Field& field = fields_[f];
        if (field.count == 0) {
            continue;
        }
        const uint32_t id = schema_->field_id(f);
        if (field.writer) {
            QUERN_TRY(field.writer->Finish());
            if (const std::optional<Element> held = field.held.choice()) {
                QUERN_TRY(WriteHeldElement(connection_, id_, id, *held, generation_));
            }
        } else if (field.text) {
            QUERN_TRY(field.text->lengths.Finish());
            QUERN_TRY(field.text->bytes.Finish());
        } else {
            QUERN_TRY(field.sparse->lengths.Finish());
            QUERN_TRY(field.sparse->gaps.Finish());
            if (field.sparse->weights) {
                QUERN_TRY(field.sparse->weights->Finish());
            }
        }
        if (field.count < items_) {
            QUERN_ASSIGN(PartWriter presence,
                         PartWriter::Create(connection_, id_, id, PartKind::kPresence, 1, 1,
                                            generation_, storage::Effort::kBest));
            QUERN_TRY(presence.Append(field.present.data(), field.present.size()));
            QUERN_TRY(presence.Finish());
        }
        if (!field.inverse_norms.empty()) {
            QUERN_TRY(WriteNorms(connection_, id_, id, field.inverse_norms, generation_));
        }
    }
    return {};
}

Status SegmentBuilder::Publish(const char* mark) {
    return storage::PublishSegment(connection_, id_, items_, generation_, mark);
}

uint64_t SegmentBuilder::bytes_written() const {
    uint64_t sum = row_ids_->bytes_written();
    for (const Field& field : fields_) {
        sum += field.writer ? field.writer->bytes_written() : 0;
        sum += field.text ? field.text->bytes.bytes_written() : 0;
        sum += field.sparse
                   ? field.sparse->gaps.bytes_written() +
                         (field.sparse->weights ? field.sparse->weights->bytes_written() : 0)
                   : 0;
    }
    return sum;
}

Status WriteNorms(storage::Connection* connection, int64_t segment, uint32_t field,
                  const std::vector<float>& norms, int64_t generation) {
    QUERN_ASSIGN(PartWriter writer, PartWriter::Create(connection, segment, field, PartKind::kNorms,
                                                       4, 4, generation, storage::Effort::kBest));
    QUERN_TRY(writer.Append(norms.data(), norms.size()));
    return writer.Finish();
}

}  // namespace quern
