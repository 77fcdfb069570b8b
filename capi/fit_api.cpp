// Learning the fusion of a query's legs.
#include <charconv>
#include <cmath>

#include "capi/handles.h"
#include "engine/db/fusion_fitter.h"

using namespace quern;
using namespace quern::capi;

namespace {

Status ParseFit(const char* options, query::FitOptions* fit) {
    std::vector<Option> list;
    QUERN_TRY(ParseOptions(options, {"metric", "k"}, &list));
    for (const Option& option : list) {
        if (option.key == "k") {
            int64_t k = 0;
            QUERN_TRY(ParseInteger(option, 1, 1000000, &k));
            fit->k = static_cast<size_t>(k);
        } else if (option.value == "ndcg") {
            fit->measure = query::FitOptions::Measure::kNdcg;
        } else if (option.value == "mrr") {
            fit->measure = query::FitOptions::Measure::kReciprocalRank;
        } else {
            return BadValue(option, "ndcg or mrr");
        }
    }
    return {};
}

Status TakeJudgments(const RecordBatch& batch, const size_t* queries, const float* gains,
                     std::vector<Judgment>* judgments) {
    bool useful = false;
    for (size_t i = 0; i < batch.count; i++) {
        Judgment judgment;
        judgment.query = queries[i];
        judgment.gain = gains == nullptr ? 1 : static_cast<double>(gains[i]);
        if (!(judgment.gain >= 0) || !std::isfinite(judgment.gain)) {
            return Status::Error(Code::kInvalid, "gain %zu is %g, not a number from 0 on", i,
                                 judgment.gain);
        }
        if (batch.int_keys != nullptr) {
            judgment.key = Key::Int(batch.int_keys[i]);
        } else if (batch.text_keys != nullptr && batch.text_keys[i] != nullptr) {
            judgment.key = Key::Text(batch.text_keys[i]);
        } else {
            return Status::Error(Code::kInvalid, "the batch has no key %zu", i);
        }
        useful = useful || judgment.gain > 0;
        judgments->push_back(std::move(judgment));
    }
    return useful ? Status() : Status::Error(Code::kInvalid, "no record is judged to be of use");
}

Status CheckFit(const quern_query& q, const quern_batch& keys) {
    QUERN_TRY(CheckComplete(q));
    if (q.request.legs.empty()) {
        return Status::Error(Code::kInvalid, "the query has no legs: there is nothing to fit");
    }
    if (q.request.feedback || q.request.formula.parsed != nullptr ||
        q.request.fusion.kind != query::FusionKind::kSum) {
        return Status::Error(Code::kInvalid, "only sums without feedback are fitted");
    }
    if (keys.database != q.database || keys.batch.collection != q.request.collection) {
        return Status::Error(Code::kMisuse, "the keys are of another collection than the query");
    }
    return {};
}

std::string OptionsOf(const query::FittedFusion& fitted) {
    constexpr const char* kNames[] = {"none", "minmax", "zscore", "distribution"};
    std::string options = std::string("kind=sum normalize=") +
                          kNames[static_cast<size_t>(fitted.normalization)] + " weights=";
    for (size_t l = 0; l < fitted.weights.size(); l++) {
        char number[32];
        const auto end = std::to_chars(number, number + sizeof number, fitted.weights[l]);
        options += l == 0 ? "" : ",";
        options.append(number, end.ptr);
    }
    return options;
}

}  // namespace

int32_t quern_fit_fusion(quern_query* q, quern_batch* keys, const size_t* queries,
                         const float* gains, const char* options, quern_text** fusion,
                         double* quality, quern_error* err) {
    if (fusion != nullptr) {
        *fusion = nullptr;
    }
    return Guard(err, [&]() -> Status {
        QUERN_TRY(CheckHandle(q, Magic::kQuery, "q"));
        QUERN_TRY(CheckHandle(keys, Magic::kBatch, "keys"));
        QUERN_TRY(NotNull(fusion, "fusion"));
        const Use use(q, "q");
        QUERN_TRY(use.status());
        const Use use_keys(keys, "keys");
        QUERN_TRY(use_keys.status());
        QUERN_TRY(q->error);
        QUERN_TRY(keys->error);
        if (keys->batch.count > 0) {
            QUERN_TRY(NotNull(queries, "queries"));
        }
        const Entered entered(q->database);
        QUERN_TRY(entered.status());
        QUERN_TRY(CheckFit(*q, *keys));
        query::FitOptions fit;
        QUERN_TRY(ParseFit(options, &fit));
        std::vector<Judgment> judgments;
        QUERN_TRY(TakeJudgments(keys->batch, queries, gains, &judgments));
        std::shared_ptr<Snapshot> snapshot = q->snapshot;
        if (snapshot == nullptr) {
            QUERN_ASSIGN(snapshot, q->database->NewSnapshot());
        }
        query::FittedFusion fitted;
        QUERN_TRY(
            FitFusion(q->database.get(), snapshot.get(), q->request, judgments, fit, &fitted));
        auto text = std::make_unique<quern_text>();
        text->text = OptionsOf(fitted);
        if (quality != nullptr) {
            quality[0] = fitted.before;
            quality[1] = fitted.after;
        }
        *fusion = text.release();
        return {};
    });
}
