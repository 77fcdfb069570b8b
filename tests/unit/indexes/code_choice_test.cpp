// codes=auto: which kinds are tried, and which of them is taken.
#include "engine/dense/codes/code_choice.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <random>

#include "engine/dense/graph_index.h"

using namespace quern;
using namespace quern::dense;

namespace {

VectorRows RowsOf(size_t dim, size_t count) {
    VectorRows rows;
    rows.metric = Metric::kIp;
    rows.dim = dim;
    rows.count = count;
    return rows;
}

// A kind that reaches `recall` with that much reach and that many candidates measured again.
CodeTrial Reaches(CodeChoice kind, size_t reach_number, size_t refine_number, float recall) {
    CodeTrial trial;
    trial.kind = kind;
    trial.curve.SetQueries(100);
    for (size_t e = 0; e < EffortCurve::kSteps; e++) {
        for (size_t k = 0; k < EffortCurve::kK.size(); k++) {
            trial.curve.Scored(k, e) = static_cast<float>(200 * (1 + e % EffortCurve::kEf.size()));
            for (size_t r = 0; r <= EffortCurve::kRefine.size(); r++) {
                trial.curve.At(k, e, r) =
                    e % EffortCurve::kEf.size() >= reach_number && r >= refine_number ? recall
                                                                                      : 0.5f;
            }
        }
    }
    return trial;
}

}  // namespace

TEST_CASE("codes=auto tries what fits the memory and differs in size", "[codes]") {
    const VectorRows rows = RowsOf(256, 1000);
    using Kinds = std::vector<CodeChoice>;
    CodeRoom room;
    CHECK(CodesToTry(rows, room) ==
          Kinds{CodeChoice::k4Bit, CodeChoice::kLvq4, CodeChoice::k8Bit, CodeChoice::kLvq8});
    room.code_bytes = 200 * 1000;
    CHECK(CodesToTry(rows, room) == Kinds{CodeChoice::k4Bit, CodeChoice::kLvq4});
    room.code_bytes = 100 * 1000;
    CHECK(CodesToTry(rows, room) == Kinds{CodeChoice::kProduct});
    room.code_bytes = 0;
    CHECK(CodesToTry(rows, room) == Kinds{CodeChoice::k1Bit});
    // 32 bytes a row either way.
    CHECK(CodesToTry(RowsOf(20, 1000), CodeRoom()) == Kinds{CodeChoice::k8Bit, CodeChoice::kLvq8});
}

TEST_CASE("codes=auto takes the cheapest that reaches the recall", "[codes]") {
    const VectorRows rows = RowsOf(256, 1000);
    const CodeRoom room;
    // Equal effort: fewer bytes.
    CHECK(
        BestTrial({Reaches(CodeChoice::k4Bit, 4, 3, 1.0f), Reaches(CodeChoice::k8Bit, 4, 3, 1.0f)},
                  rows, room) == 0);
    // A larger pool costs more than longer rows.
    CHECK(
        BestTrial({Reaches(CodeChoice::k4Bit, 8, 3, 1.0f), Reaches(CodeChoice::k8Bit, 4, 3, 1.0f)},
                  rows, room) == 1);
    // Whoever reaches 0.99 is better than whoever does not, unless it takes several times as long.
    CHECK(
        BestTrial({Reaches(CodeChoice::k4Bit, 2, 1, 0.97f), Reaches(CodeChoice::k8Bit, 5, 2, 1.0f)},
                  rows, room) == 1);
    CHECK(BestTrial(
              {Reaches(CodeChoice::k4Bit, 2, 1, 0.97f), Reaches(CodeChoice::k8Bit, 14, 8, 1.0f)},
              rows, room) == 0);
    CHECK(BestTrial(
              {Reaches(CodeChoice::k4Bit, 2, 1, 0.95f), Reaches(CodeChoice::k8Bit, 14, 8, 1.0f)},
              rows, room) == 1);
    // But a trial cannot tell 0.99 from a little less: the one that has just not reached it is not
    // passed over for one that takes ten times as long.
    CHECK(BestTrial(
              {Reaches(CodeChoice::k4Bit, 14, 8, 1.0f), Reaches(CodeChoice::k8Bit, 2, 1, 0.99f)},
              rows, room) == 1);
    CHECK(
        BestTrial({Reaches(CodeChoice::k4Bit, 3, 1, 1.0f), Reaches(CodeChoice::k8Bit, 3, 1, 0.99f)},
                  rows, room) == 0);
    // None does: by the lower recall; none does that either: whoever comes nearest.
    CHECK(BestTrial(
              {Reaches(CodeChoice::k4Bit, 2, 1, 0.97f), Reaches(CodeChoice::k8Bit, 3, 1, 0.97f)},
              rows, room) == 0);
    CHECK(
        BestTrial({Reaches(CodeChoice::k4Bit, 2, 1, 0.7f), Reaches(CodeChoice::k8Bit, 3, 1, 0.8f)},
                  rows, room) == 1);
    // Candidates from the file cost more than rows scored.
    CodeRoom file;
    file.vectors_in_memory = false;
    const std::vector<CodeTrial> trials = {Reaches(CodeChoice::k4Bit, 5, 6, 1.0f),
                                           Reaches(CodeChoice::k8Bit, 5, 1, 1.0f)};
    CHECK(BestTrial(trials, rows, file) == 1);
    CHECK(std::isinf(TrialCost(Reaches(CodeChoice::k4Bit, 2, 1, 0.7f), 0.9, rows, room)));
}

TEST_CASE("an index with codes=auto has some kind, the same each time, or what fits", "[codes]") {
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    constexpr size_t kDim = 80;
    std::vector<float> values(2000 * kDim);
    for (float& value : values) {
        value = normal(random);
    }
    VectorRows rows = RowsOf(kDim, 2000);
    rows.rows = reinterpret_cast<const char*>(values.data());
    GraphIndexOptions options;
    options.codes = CodeChoice::kAuto;
    options.ef_build = 60;
    Work work;
    const auto first = GraphIndex::Build(rows, options, &work);
    const auto second = GraphIndex::Build(rows, options, &work);
    REQUIRE(first.ok());
    REQUIRE(second.ok());
    CHECK((*first)->codes() == (*second)->codes());
    CHECK((*first)->codes() != CodeChoice::kNone);
    CHECK((*first)->curve().queries() > 0);
    options.index_bytes = 2000 * (32 * 4 + 24);
    const auto tight = GraphIndex::Build(rows, options, &work);
    REQUIRE(tight.ok());
    CHECK((*tight)->codes() == CodeChoice::kProduct);
    options.index_bytes = 0;
    const auto tightest = GraphIndex::Build(rows, options, &work);
    REQUIRE(tightest.ok());
    CHECK((*tightest)->codes() == CodeChoice::k1Bit);
    // Too few to hold any out.
    rows.count = 5;
    const auto few = GraphIndex::Build(rows, options, &work);
    REQUIRE(few.ok());
    CHECK((*few)->codes() == CodeChoice::k8Bit);
}
