#include "engine/dense/insertion_codes.h"

namespace quern::dense {

namespace {

// Of the true ten of held-out records, the share among the first twenty by codes.
constexpr double kWellOrdered = 0.98;
// Vectors that are less than so many times as long as their codes are walked over themselves.
constexpr double kMuchLonger = 1.5;

bool IsOfKind(const Codes* codes, CodeChoice kind) {
    return codes != nullptr && (codes->kind() == kind || (codes->kind() == CodeChoice::kPacked &&
                                                          kind == CodeChoice::k4Bit));
}

}  // namespace

Result<CodedRows> CodedRows::Of(std::unique_ptr<Codes> codes, const VectorRows& vectors,
                                int threads, Work* work) {
    CodedRows coded;
    coded.rows = Buffer(vectors.count * codes->row_bytes(), nullptr);
    coded.norms = codes->has_norms() ? Buffer(vectors.count * sizeof(float), nullptr) : Buffer();
    QUERN_TRY(codes->EncodeAll(vectors, reinterpret_cast<uint8_t*>(coded.rows.data()),
                               reinterpret_cast<float*>(coded.norms.data()), threads, work));
    coded.codes = std::move(codes);
    return Result<CodedRows>(std::move(coded));
}

Result<InsertionCodes> ChooseInsertionCodes(const VectorRows& vectors, const EffortMeasure& measure,
                                            const InsertionCodes& own, CodedRows* made, int threads,
                                            Work* work) {
    if (vectors.element == Element::kBit || measure.queries() == 0) {
        return InsertionCodes();
    }
    for (const CodeChoice kind : {CodeChoice::k4Bit, CodeChoice::k8Bit, CodeChoice::kLvq8}) {
        InsertionCodes codes = own;
        std::unique_ptr<Codes> trained;
        if (!IsOfKind(own.codes, kind)) {
            QUERN_ASSIGN(trained, Codes::Train(kind, vectors, threads, work));
            codes = {trained.get(), {}};
        }
        if (kMuchLonger * static_cast<double>(codes.codes->row_bytes()) >
            static_cast<double>(vectors.row_bytes())) {
            continue;
        }
        if (trained) {
            QUERN_ASSIGN(*made, CodedRows::Of(std::move(trained), vectors, threads, work));
            codes = {made->codes.get(), made->View()};
        }
        QUERN_ASSIGN(const double recall,
                     measure.CodeRecall(*codes.codes, codes.rows, threads, work));
        if (recall >= kWellOrdered) {
            return codes;
        }
        *made = {};
    }
    return InsertionCodes();
}

}  // namespace quern::dense
