#include "engine/dense/codes/code_choice.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace quern::dense {

namespace {

constexpr size_t kTen = 10;
constexpr double kRecalls[] = {0.95, 0.99};

// Nanoseconds: for a scored row with all that a walk does about it, and for each byte of it; the
// same for a candidate's vector in memory, with all that happens to a candidate until it is in the
// result or not; for one that is read from the file system's cache.
constexpr double kRowNs = 24;
constexpr double kRowByteNs = 0.045;
constexpr double kTermsNs = 8;  // kinds with numbers in front of a row: one line more
constexpr double kVectorNs = 130;
constexpr double kVectorByteNs = 0.08;
constexpr double kFileNs = 3000;

double RowNs(const CodeTrial& trial) {
    const bool terms = trial.kind == CodeChoice::kLvq4 || trial.kind == CodeChoice::kLvq8;
    return kRowNs + (terms ? kTermsNs : 0) + kRowByteNs * static_cast<double>(trial.row_bytes);
}

}  // namespace

std::vector<CodeChoice> CodesToTry(const VectorRows& rows, const CodeRoom& room) {
    const auto bytes = [&](CodeChoice kind) {
        return Codes::RowBytes(kind, rows.metric, rows.dim) * rows.count;
    };
    std::vector<CodeChoice> kinds;
    for (const CodeChoice kind :
         {CodeChoice::k4Bit, CodeChoice::kLvq4, CodeChoice::k8Bit, CodeChoice::kLvq8}) {
        if (bytes(kind) > room.code_bytes) {
            continue;
        }
        // Short rows are as long with 4 bits as with 8.
        const bool four = kind == CodeChoice::k4Bit || kind == CodeChoice::kLvq4;
        if (four && bytes(CodeChoice::k8Bit) == bytes(CodeChoice::k4Bit)) {
            continue;
        }
        kinds.push_back(kind);
    }
    if (kinds.empty()) {
        kinds.push_back(bytes(CodeChoice::kProduct) <= room.code_bytes ? CodeChoice::kProduct
                                                                       : CodeChoice::k1Bit);
    }
    return kinds;
}

double TrialCost(const CodeTrial& trial, double recall, const VectorRows& rows,
                 const CodeRoom& room) {
    const double measured = room.vectors_in_memory
                                ? kVectorNs + kVectorByteNs * static_cast<double>(rows.row_bytes())
                                : kFileNs;
    const double row = RowNs(trial);
    Effort effort;
    if (!trial.curve.Find(kTen, recall, measured / row, &effort)) {
        return std::numeric_limits<double>::infinity();
    }
    return effort.scored * row +
           std::min(effort.scored, static_cast<double>(effort.refine)) * measured;
}

size_t BestTrial(const std::vector<CodeTrial>& trials, const VectorRows& rows,
                 const CodeRoom& room) {
    // The highest of these that any kind reaches; below that, who comes nearest.
    for (size_t reached = std::size(kRecalls); reached > 0; reached--) {
        size_t best = trials.size();
        double best_cost = std::numeric_limits<double>::infinity();
        for (size_t t = 0; t < trials.size(); t++) {
            double cost = 0;
            for (size_t i = 0; i < reached; i++) {
                cost += TrialCost(trials[t], kRecalls[i], rows, room);
            }
            if (cost < best_cost) {
                best = t;
                best_cost = cost;
            }
        }
        if (best < trials.size()) {
            return best;
        }
    }
    size_t best = 0;
    const auto most = [](const CodeTrial& trial) {
        float recall = 0;
        for (size_t e = 0; e < EffortCurve::kSteps; e++) {
            recall = std::max(recall, trial.curve.At(1, e, EffortCurve::kRefine.size()));
        }
        return recall;
    };
    for (size_t t = 1; t < trials.size(); t++) {
        best = most(trials[t]) >= most(trials[best]) ? t : best;
    }
    return best;
}

}  // namespace quern::dense
