#include "engine/db/stored_distances.h"

#include <algorithm>
#include <limits>

namespace quern {

namespace {

// Numbers of the places, ordered by where they are.
std::vector<size_t> InOrder(const std::vector<RecordPlace>& places) {
    std::vector<size_t> order(places.size());
    for (size_t i = 0; i < order.size(); i++) {
        order[i] = i;
    }
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
        return places[a].source != places[b].source ? places[a].source < places[b].source
                                                    : places[a].position < places[b].position;
    });
    return order;
}

class DenseLook {
public:
    DenseLook(Snapshot* snapshot, const CollectionView& view, size_t field,
              const kernels::Query& query, std::vector<double>* distances, SearchTally* tally,
              Work* work)
        : snapshot_(snapshot),
          view_(view),
          field_number_(field),
          def_(view.info->schema.dense[field]),
          query_(query),
          distances_(distances),
          tally_(tally),
          work_(work) {}

    Status Segment(size_t number, const std::vector<RecordPlace>& places,
                   const std::vector<size_t>& which) {
        const SegmentField* field = nullptr;
        QUERN_TRY(snapshot_->With(
            [&](storage::Connection* connection) -> Status {
                QUERN_ASSIGN(field, view_.segments[number]->FieldForLooks(connection, def_, work_));
                return {};
            },
            &tally_->reads));
        std::vector<uint32_t> vectors;
        std::vector<size_t> owners;
        for (const size_t i : which) {
            if (field->vectors == nullptr) {
                break;
            }
            if (const std::optional<size_t> vector = field->VectorOf(places[i].position)) {
                vectors.push_back(static_cast<uint32_t>(*vector));
                owners.push_back(i);
            }
        }
        if (vectors.empty()) {
            return {};
        }
        std::vector<float> found(vectors.size());
        QUERN_TRY(Measure(*field, vectors, found.data()));
        for (size_t i = 0; i < owners.size(); i++) {
            (*distances_)[owners[i]] = static_cast<double>(found[i]);
        }
        tally_->refined += vectors.size();
        return {};
    }

    void Log(const RecordPlace& place, double* distance) const {
        const LogView& log = *view_.log;
        const LogBlock::Field& field =
            log.blocks[place.position / log.block_items]->fields[field_number_];
        const size_t at = place.position % log.block_items;
        if (field.present[at]) {
            const float* const norms =
                field.inverse_norms.empty() ? nullptr : field.inverse_norms.data() + at;
            float found = 0;
            kernels::Distances(def_.element, def_.metric, query_,
                               field.rows.data() + at * field.row_bytes, 1, norms, &found);
            *distance = static_cast<double>(found);
        }
    }

private:
    Status Measure(const SegmentField& field, const std::vector<uint32_t>& vectors, float* found) {
        const float* const norms =
            field.inverse_norms.empty() ? nullptr : field.inverse_norms.data();
        if (field.resident) {
            tally_->cached += vectors.size();
            kernels::DistancesPicked(field.held, def_.metric, query_, field.rows.data(),
                                     vectors.data(), vectors.size(), norms, found);
            return {};
        }
        FineSpace fine;
        if (!field.fine->Find(vectors.data(), vectors.size(), &fine)) {
            QUERN_TRY(snapshot_->With(
                [&](storage::Connection* connection) {
                    return field.fine->Read(connection, vectors.data(), &fine);
                },
                &tally_->reads));
            tally_->fetched += fine.read_count;
        }
        tally_->cached += vectors.size() - fine.read_count;
        std::vector<float> copied_norms;
        if (norms != nullptr && fine.copied) {
            for (const uint32_t vector : vectors) {
                copied_norms.push_back(norms[vector]);
            }
        }
        kernels::DistancesPicked(field.held, def_.metric, query_, fine.rows, fine.picked,
                                 vectors.size(), copied_norms.empty() ? norms : copied_norms.data(),
                                 found);
        return {};
    }

    Snapshot* snapshot_;
    const CollectionView& view_;
    size_t field_number_;
    const DenseDef& def_;
    const kernels::Query& query_;
    std::vector<double>* distances_;
    SearchTally* tally_;
    Work* work_;
};

}  // namespace

Status StoredDistances(Snapshot* snapshot, const CollectionView& view, size_t field,
                       const kernels::Query& query, const std::vector<RecordPlace>& places,
                       std::vector<double>* distances, SearchTally* tally, Work* work) {
    distances->assign(places.size(), std::numeric_limits<double>::quiet_NaN());
    DenseLook look(snapshot, view, field, query, distances, tally, work);
    const std::vector<size_t> order = InOrder(places);
    for (size_t first = 0; first < order.size();) {
        const uint32_t source = places[order[first]].source;
        size_t end = first;
        std::vector<size_t> which;
        for (; end < order.size() && places[order[end]].source == source; end++) {
            which.push_back(order[end]);
        }
        if (source < view.segments.size()) {
            QUERN_TRY(look.Segment(source, places, which));
        } else {
            for (const size_t i : which) {
                look.Log(places[i], &(*distances)[i]);
            }
        }
        QUERN_TRY(work->Check("search", end, order.size()));
        first = end;
    }
    return {};
}

Status ReadStoredValues(Snapshot* snapshot, const CollectionView& view, size_t field,
                        const std::vector<RecordPlace>& places,
                        const std::function<Status(size_t i, BytesView value)>& take,
                        FileReads* reads) {
    ChunkCache chunks;
    const auto read = [&](storage::Connection* connection) -> Status {
        for (const size_t i : InOrder(places)) {
            const auto [source, position] = places[i];
            BytesView value;
            if (source == view.segments.size()) {
                value = view.log->value(position, field);
            } else {
                QUERN_ASSIGN(value, view.segments[source]->Value(connection, view.info->schema,
                                                                 field, position, &chunks));
            }
            QUERN_TRY(take(i, value));
        }
        return {};
    };
    return reads == nullptr ? snapshot->With(read) : snapshot->With(read, reads);
}

}  // namespace quern
