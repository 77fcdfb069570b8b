#include "engine/db/held_element.h"

#include <algorithm>
#include <cstring>
#include <functional>

#include "engine/kernels/distance.h"

namespace quern {

using storage::PartKind;

void HeldChoice::Look(const char* vector, size_t dim) {
    seen_ = true;
    if (std::none_of(fits_.begin(), fits_.end(), [](bool fits) { return fits; })) {
        return;
    }
    // Both sides in a row: the vector may stand anywhere.
    space_.resize(2 * dim * sizeof(float));
    std::memcpy(space_.data(), vector, dim * sizeof(float));
    const auto* values = reinterpret_cast<const float*>(space_.data());
    for (size_t i = 0; i < kNarrow.size(); i++) {
        fits_[i] = fits_[i] && kernels::NarrowExactly(kNarrow[i], values, dim,
                                                      space_.data() + dim * sizeof(float));
    }
}

std::optional<Element> HeldChoice::choice() const {
    const auto found = std::find(fits_.begin(), fits_.end(), true);
    if (!seen_ || found == fits_.end()) {
        return std::nullopt;
    }
    return kNarrow[static_cast<size_t>(found - fits_.begin())];
}

Status HeldForm::Hold(const storage::PartInfo& part, const char* stored, size_t count,
                      char* out) const {
    if (!narrow_) {
        std::memcpy(out, stored, count * row_bytes());
        return {};
    }
    if (!kernels::NarrowExactly(held_, reinterpret_cast<const float*>(stored), count * dim_, out)) {
        return Status::Error(Code::kCorrupt,
                             "%s: not what the segment says of them; rebuild mends that",
                             part.Name().c_str());
    }
    return {};
}

Result<std::optional<Element>> ReadHeldElement(storage::Connection* connection,
                                               const storage::SegmentInfo& segment,
                                               const DenseDef& def) {
    const storage::PartInfo* part = segment.Find(PartKind::kHeldElement, def.id);
    if (part == nullptr) {
        return std::optional<Element>();
    }
    char code = 0;
    if (part->raw_bytes() == 1) {
        QUERN_TRY(storage::ReadChunk(connection, *part, 0, &code));
    }
    const auto held = static_cast<Element>(code);
    if (def.element != Element::kF32 || (held != Element::kU8 && held != Element::kI8 &&
                                         held != Element::kBF16 && held != Element::kF16)) {
        return Status::Error(Code::kCorrupt, "%s: no narrower type", part->Name().c_str());
    }
    return std::optional<Element>(held);
}

namespace {

using RowsSink = std::function<Status(const char* rows, size_t count)>;

Status ForRows(storage::Connection* connection, const storage::PartInfo& vectors, Work* work,
               const RowsSink& sink) {
    Bytes chunk;
    uint64_t done = 0;
    for (size_t c = 0; c < vectors.chunks.size(); c++) {
        chunk.resize(vectors.chunks[c].raw_bytes);
        QUERN_TRY(storage::ReadChunk(connection, vectors, c, chunk.data()));
        const size_t count = chunk.size() / vectors.item_bytes;
        QUERN_TRY(sink(chunk.data(), count));
        done += count;
        QUERN_TRY(work->Check("vectors", done, vectors.items));
    }
    return {};
}

}  // namespace

Status CheckHeldElement(storage::Connection* connection, const storage::SegmentInfo& segment,
                        const DenseDef& def, Work* work) {
    QUERN_ASSIGN(const std::optional<Element> held, ReadHeldElement(connection, segment, def));
    const storage::PartInfo* vectors = segment.Find(PartKind::kVectors, def.id);
    if (!held || vectors == nullptr || vectors->item_bytes != def.row_bytes()) {
        return {};
    }
    const HeldForm form(def, *held);
    Bytes rows;
    return ForRows(connection, *vectors, work, [&](const char* stored, size_t count) {
        rows.resize(count * form.row_bytes());
        return form.Hold(*vectors, stored, count, rows.data());
    });
}

Result<bool> RenewHeldElement(storage::Connection* connection, const storage::SegmentInfo& segment,
                              const DenseDef& def, int64_t generation, Work* work) {
    const storage::PartInfo* vectors = segment.Find(PartKind::kVectors, def.id);
    std::optional<Element> right;
    if (def.element == Element::kF32 && vectors != nullptr &&
        vectors->item_bytes == def.row_bytes()) {
        HeldChoice choice;
        QUERN_TRY(ForRows(connection, *vectors, work, [&](const char* rows, size_t count) {
            for (size_t i = 0; i < count; i++) {
                choice.Look(rows + i * def.row_bytes(), def.dim);
            }
            return Status();
        }));
        right = choice.choice();
    }
    const storage::PartInfo* part = segment.Find(PartKind::kHeldElement, def.id);
    const Result<std::optional<Element>> held = ReadHeldElement(connection, segment, def);
    if (held.ok() && *held == right) {
        return false;
    }
    if (!held.ok() && held.status().code() != Code::kCorrupt) {
        return held.status();
    }
    if (part != nullptr) {
        QUERN_TRY(storage::RemovePart(connection, *part));
    }
    if (right) {
        QUERN_TRY(WriteHeldElement(connection, segment.id, def.id, *right, generation));
    }
    return true;
}

Status WriteHeldElement(storage::Connection* connection, int64_t segment, uint32_t field,
                        Element held, int64_t generation) {
    QUERN_ASSIGN(storage::PartWriter writer,
                 storage::PartWriter::Create(connection, segment, field, PartKind::kHeldElement, 1,
                                             1, generation, storage::Effort::kBest));
    const auto code = static_cast<char>(held);
    QUERN_TRY(writer.Append(&code, 1));
    return writer.Finish();
}

}  // namespace quern
