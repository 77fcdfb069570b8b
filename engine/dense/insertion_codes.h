// What walks of insertions go over: codes, where these are clearly smaller than the vectors and
// order them well, else the vectors. A build waits for memory as a search does, so codes of a
// quarter of the bytes are most of what makes it quick. What a walk has found is measured with the
// vectors before neighbours are chosen of it: choosing by codes as well was measured, and lost up
// to .01 of recall.
#pragma once

#include <memory>

#include "engine/dense/codes/codes.h"
#include "engine/dense/effort_measure.h"
#include "engine/dense/vector_rows.h"
#include "storage/base/buffer.h"
#include "storage/base/work.h"

namespace quern::dense {

// Borrowed.
struct InsertionCodes {
    const Codes* codes = nullptr;  // NULL: the vectors
    CodeRows rows;
};

// Codes and rows of them; nothing in it, or all.
struct CodedRows {
    std::unique_ptr<Codes> codes;
    Buffer rows;
    Buffer norms;  // if the codes have them

    static Result<CodedRows> Of(std::unique_ptr<Codes> codes, const VectorRows& vectors,
                                int threads, Work* work);
    CodeRows View() const {
        return {reinterpret_cast<const uint8_t*>(rows.data()),
                reinterpret_cast<const float*>(norms.data())};
    }
};

// own: codes that the index has in any case, may be NULL; taken where their kind is right. Others
// are made to *made, which is to live as long as what is given back: at most two thirds of the
// vectors' bytes. The measure has its truth.
Result<InsertionCodes> ChooseInsertionCodes(const VectorRows& vectors, const EffortMeasure& measure,
                                            const InsertionCodes& own, CodedRows* made, int threads,
                                            Work* work);

}  // namespace quern::dense
