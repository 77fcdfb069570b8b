#include "engine/db/segment_buffer.h"

#include <algorithm>

#include "engine/db/builder_mark.h"
#include "engine/db/segment_builder.h"

namespace quern {

void SegmentBuffer::Add(int64_t rid, const Key& key, const std::vector<BytesView>& vectors) {
    present_.clear();
    for (size_t f = 0; f < vectors.size(); f++) {
        if (vectors[f].data() != nullptr) {
            present_.push_back({f, vectors[f]});
        }
    }
    storage::EncodeVectors(info_->schema, present_, &blob_);
    items_.push_back({rid, key, blobs_.size(), blob_.size()});
    blobs_ += blob_;
}

Status SegmentBuffer::Decode(const Item& item, std::vector<BytesView>* vectors) const {
    std::vector<storage::VectorRef> present;
    QUERN_TRY(storage::DecodeVectors(info_->schema,
                                     BytesView(blobs_).substr(item.start, item.bytes), &present));
    vectors->assign(info_->schema.field_count(), BytesView());
    for (const storage::VectorRef& vector : present) {
        (*vectors)[vector.field] = vector.bytes;
    }
    return {};
}

Result<bool> SegmentBuffer::Find(int64_t rid, std::vector<BytesView>* vectors) const {
    const auto found =
        std::lower_bound(items_.begin(), items_.end(), rid,
                         [](const Item& item, int64_t value) { return item.rid < value; });
    if (found == items_.end() || found->rid != rid) {
        return false;
    }
    QUERN_TRY(Decode(*found, vectors));
    return true;
}

Result<uint64_t> SegmentBuffer::Write(storage::Connection* connection, int64_t generation) {
    const BuilderMark mark;
    QUERN_ASSIGN(SegmentBuilder builder,
                 SegmentBuilder::Create(connection, info_->id, info_->schema, generation,
                                        mark.text(), storage::Effort::kFast));
    std::vector<const Item*> order;
    for (const Item& item : items_) {
        order.push_back(&item);
    }
    // Two versions of one key may be here, the older one dead.
    std::sort(order.begin(), order.end(), [](const Item* a, const Item* b) {
        return a->key < b->key || (a->key == b->key && a->rid < b->rid);
    });
    std::vector<BytesView> vectors;
    for (const Item* item : order) {
        QUERN_TRY(Decode(*item, &vectors));
        QUERN_TRY(builder.Add(item->rid, vectors));
    }
    QUERN_TRY(builder.Finish());
    QUERN_TRY(builder.Publish("fast"));
    items_.clear();
    blobs_.clear();
    return storage::ReadLayoutHash(connection, info_->id, builder.id());
}

}  // namespace quern
