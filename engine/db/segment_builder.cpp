#include "engine/db/segment_builder.h"

#include "engine/db/index_options.h"
#include "engine/kernels/distance.h"

namespace quern {

using storage::PartKind;
using storage::PartWriter;

namespace {

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
    builder.fields_.resize(schema.dense.size());
    QUERN_ASSIGN(builder.id_, storage::CreateSegment(connection, collection, owner));
    QUERN_ASSIGN(builder.row_ids_, PartWriter::Create(connection, builder.id_, 0, PartKind::kRowIds,
                                                      8, 8, generation, storage::Effort::kBest));
    return builder;
}

Status SegmentBuilder::Add(int64_t rid, const std::vector<BytesView>& vectors) {
    QUERN_TRY(row_ids_->Append(&rid, 1));
    for (size_t f = 0; f < fields_.size(); f++) {
        Field& field = fields_[f];
        if (items_ % 8 == 0) {
            field.present.push_back('\0');
        }
        if (vectors[f].data() == nullptr) {
            continue;
        }
        const DenseDef& def = schema_->dense[f];
        if (!field.writer) {
            QUERN_ASSIGN(field.writer,
                         PartWriter::Create(connection_, id_, def.id, PartKind::kVectors,
                                            static_cast<uint32_t>(def.row_bytes()),
                                            ElementBytes(def.element), generation_, effort_));
            if (expected_records_ > 0 && IndexOptions::Of(def).index != IndexChoice::kNone) {
                field.writer->ShapeForLooks(expected_records_);
            }
        }
        field.present.back() =
            static_cast<char>(static_cast<uint8_t>(field.present.back()) | (1u << (items_ % 8)));
        field.count++;
        QUERN_TRY(field.writer->Append(vectors[f].data(), 1));
        if (def.metric == Metric::kCosine) {
            float norm = 0;
            kernels::InverseNorms(def.element, vectors[f].data(), 1, def.dim, &norm);
            field.inverse_norms.push_back(norm);
        }
    }
    items_++;
    return {};
}

Status SegmentBuilder::Finish() {
    QUERN_TRY(row_ids_->Finish());
    for (size_t f = 0; f < fields_.size(); f++) {
        Field& field = fields_[f];
        if (!field.writer) {
            continue;
        }
        const uint32_t id = schema_->dense[f].id;
        QUERN_TRY(field.writer->Finish());
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
