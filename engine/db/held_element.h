// The element type in which the vectors of a segment are held in memory: narrower than the field's
// where all of them are numbers of that type, to the bit. Pixels and SIFT are whole numbers from 0
// to 255, models of today tell f16 or bf16, and programs hand all of these over as f32. Distances
// are the same to the bit, since rows are widened as they are read; a row is two or four times
// fewer bytes, which is what reading it costs.
//
// The file keeps the field's type. That a narrower one will do is found when a segment is written,
// and kept beside it: a derived part of one byte (FORMAT.md, 4.3). Each value is checked again as
// it is read.
#pragma once

#include <array>
#include <optional>

#include "storage/base/bytes.h"
#include "storage/base/schema.h"
#include "storage/base/work.h"
#include "storage/chunk_store.h"

namespace quern {

// Finds the narrowest type for vectors of a field of kF32. Confined.
class HeldChoice {
public:
    // A vector of f32[dim], at any address.
    void Look(const char* vector, size_t dim);
    // Nothing where only f32 will do.
    std::optional<Element> choice() const;

private:
    // The cheapest to read first.
    static constexpr std::array<Element, 4> kNarrow = {Element::kU8, Element::kI8, Element::kBF16,
                                                       Element::kF16};
    std::array<bool, kNarrow.size()> fits_ = {true, true, true, true};
    bool seen_ = false;
    Bytes space_;
};

// How rows of a field are held.
class HeldForm {
public:
    HeldForm(const DenseDef& def, Element held)
        : held_(held), dim_(def.dim), narrow_(held != def.element) {}
    bool narrow() const { return narrow_; }
    size_t row_bytes() const { return VectorBytes(held_, dim_); }
    // Stored rows to rows that are held. kCorrupt, naming the part, when they are not of the type.
    Status Hold(const storage::PartInfo& part, const char* stored, size_t count, char* out) const;

private:
    Element held_;
    size_t dim_;
    bool narrow_;
};

// What the file says; nothing when it says nothing, kCorrupt when it says something that cannot be.
Result<std::optional<Element>> ReadHeldElement(storage::Connection* connection,
                                               const storage::SegmentInfo& segment,
                                               const DenseDef& def);
// Reads all vectors: kCorrupt when they are not what the file says of them.
Status CheckHeldElement(storage::Connection* connection, const storage::SegmentInfo& segment,
                        const DenseDef& def, Work* work);
// Reads all vectors, and has the file say the right thing. Whether it said another.
Result<bool> RenewHeldElement(storage::Connection* connection, const storage::SegmentInfo& segment,
                              const DenseDef& def, int64_t generation, Work* work);
Status WriteHeldElement(storage::Connection* connection, int64_t segment, uint32_t field,
                        Element held, int64_t generation);

}  // namespace quern
