// Learning the fusion of a query's legs, and keeping fusions with collections.
#include <cmath>

#include "capi/handles.h"
#include "engine/db/fusion_fitter.h"
#include "engine/db/kept_fusions.h"

using namespace quern;
using namespace quern::capi;

namespace {

// store: gets the name under which the result is to be kept; empty: under none.
Status ParseFit(const char* options, query::FitOptions* fit, std::string* store) {
    std::vector<Option> list;
    QUERN_TRY(ParseOptions(options, {"metric", "k", "store"}, &list));
    for (const Option& option : list) {
        if (option.key == "store") {
            if (option.value.empty()) {
                return BadValue(option, "the name of a fusion");
            }
            *store = option.value;
        } else if (option.key == "k") {
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
    std::string options = "kind=sum normalize=";
    options.append(query::NormalizationName(fitted.normalization)).append(" weights=");
    for (size_t l = 0; l < fitted.weights.size(); l++) {
        options.append(l == 0 ? "" : ",").append(query::NumberText(fitted.weights[l]));
    }
    return options;
}

// The query's request, fused as it has been learned.
SearchRequest Learned(const SearchRequest& request, const query::FittedFusion& fitted) {
    SearchRequest learned = request;
    learned.kept_fusion.clear();
    learned.fusion = {};
    learned.fusion.normalization = fitted.normalization;
    learned.fusion.weights = fitted.weights;
    return learned;
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
        std::string store;
        QUERN_TRY(ParseFit(options, &fit, &store));
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
        if (!store.empty()) {
            QUERN_TRY(q->database->KeepFusion(store, Learned(q->request, fitted)));
        }
        if (quality != nullptr) {
            quality[0] = fitted.before;
            quality[1] = fitted.after;
        }
        *fusion = text.release();
        return {};
    });
}

int32_t quern_store_fusion(quern_query* q, const char* name, quern_error* err) {
    return Guard(err, [&]() -> Status {
        const OnQuery call(q);
        QUERN_TRY(call.status());
        QUERN_TRY(NotNull(name, "name"));
        QUERN_TRY(CheckComplete(*q));
        if (q->request.legs.empty() || q->request.formula.parsed != nullptr) {
            return Status::Error(Code::kInvalid,
                                 "the query has %s: there is no fusion of legs to store",
                                 q->request.legs.empty() ? "no legs" : "a formula");
        }
        return q->database->KeepFusion(name, q->request);
    });
}

int32_t quern_drop_fusion(quern_db* db, const char* collection, const char* name,
                          quern_error* err) {
    return Guard(err, [&]() -> Status {
        QUERN_TRY(CheckHandle(db, Magic::kDb, "db"));
        QUERN_TRY(NotNull(collection, "collection"));
        QUERN_TRY(NotNull(name, "name"));
        const Entered entered(db->database);
        QUERN_TRY(entered.status());
        return db->database->DropFusion(collection, name);
    });
}
