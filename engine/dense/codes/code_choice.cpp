#include "engine/dense/codes/code_choice.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace quern::dense {

namespace {

constexpr size_t kTen = 10;
constexpr double kRecalls[] = {0.95, 0.99};
// A trial has few queries and a pool has a largest size: who misses a recall by so little may reach
// it as well as who has just reached it, and the last steps of a curve are mostly chance. To halve
// what is missed takes a little more than twice as long on all sets that were measured.
constexpr double kTrialDoubt = 0.03;
constexpr double kDoubtStep = 0.0025;
constexpr double kMissPower = 1.25;

// For each row, and for each byte of it; the latter once more where the codes are too large for the
// caches near a core.
constexpr double kRowNs = 14;
constexpr double kRowByteNs = 0.05;
constexpr double kNearBytes = 8 << 20;
constexpr double kTermsNs = 8;  // kinds with numbers in front of a row: one line more
// For a vector in memory, and for each byte of it; for one that is read from the file, or rather
// from the system's cache of it, where some of them are cached by the database.
constexpr double kVectorNs = 50;
constexpr double kVectorByteNs = 0.065;
constexpr double kFileNs = 1000;

}  // namespace

CodePrices::CodePrices(CodeChoice kind, size_t row_bytes, size_t count) {
    const bool terms = kind == CodeChoice::kLvq4 || kind == CodeChoice::kLvq8;
    const auto bytes = static_cast<double>(row_bytes);
    const bool near = bytes * static_cast<double>(count) <= kNearBytes;
    row_ns = kRowNs + (terms ? kTermsNs : 0) + kRowByteNs * (near ? 1 : 2) * bytes;
}

double CodePrices::VectorNs(size_t vector_bytes, bool in_memory) const {
    return in_memory ? kVectorNs + kVectorByteNs * static_cast<double>(vector_bytes) : kFileNs;
}

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
    const CodePrices prices(trial.kind, trial.row_bytes, rows.count);
    const double row = prices.row_ns;
    const double measured = prices.VectorNs(rows.row_bytes(), room.vectors_in_memory);
    Effort effort;
    if (!trial.curve.Find(kTen, recall, measured / row, &effort)) {
        return std::numeric_limits<double>::infinity();
    }
    return effort.scored * row +
           std::min(effort.scored, static_cast<double>(effort.refine)) * measured;
}

namespace {

double LikelyCost(const CodeTrial& trial, double recall, const VectorRows& rows,
                  const CodeRoom& room) {
    double least = TrialCost(trial, recall, rows, room);
    for (double less = kDoubtStep; less <= kTrialDoubt; less += kDoubtStep) {
        const double cost = TrialCost(trial, recall - less, rows, room);
        least = std::min(least, cost * std::pow((1 - recall + less) / (1 - recall), kMissPower));
    }
    return least;
}

}  // namespace

size_t BestTrial(const std::vector<CodeTrial>& trials, const VectorRows& rows,
                 const CodeRoom& room) {
    // The highest of these that any kind reaches; below that, who comes nearest.
    for (size_t reached = std::size(kRecalls); reached > 0; reached--) {
        size_t best = trials.size();
        double best_cost = std::numeric_limits<double>::infinity();
        for (size_t t = 0; t < trials.size(); t++) {
            double cost = 0;
            for (size_t i = 0; i < reached; i++) {
                cost += LikelyCost(trials[t], kRecalls[i], rows, room);
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
