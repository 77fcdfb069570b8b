// How a query would be answered, how it was, and what the scores of its hits are made of.
#include <algorithm>

#include "capi/handles.h"
#include "engine/db/hit_explain.h"
#include "engine/db/result_explain.h"
#include "engine/db/search_explain.h"

using namespace quern;
using namespace quern::capi;

namespace {

// Runs body on a query that is complete enough for it; *json gets the text that it makes.
template <typename Body>
Status Explain(quern_query* q, quern_text** json, Body body) {
    const OnQuery call(q);
    QUERN_TRY(call.status());
    QUERN_TRY(NotNull(json, "json"));
    QUERN_TRY(q->OneFilter());
    QUERN_ASSIGN(const std::shared_ptr<Snapshot> snapshot, SnapshotOf(*q));
    auto text = std::make_unique<quern_text>();
    QUERN_TRY(body(snapshot.get(), &text->text));
    *json = text.release();
    return {};
}

}  // namespace

int32_t quern_query_explain(quern_query* q, quern_text** json, quern_error* err) {
    if (json != nullptr) {
        *json = nullptr;
    }
    return Guard(err, [&]() -> Status {
        return Explain(q, json, [&](Snapshot* snapshot, std::string* text) -> Status {
            if (!q->request.legs.empty() || q->request.candidates != nullptr) {
                QUERN_TRY(CheckComplete(*q));
            }
            return ExplainSearch(q->database.get(), snapshot, q->request, text);
        });
    });
}

int32_t quern_result_explain(const quern_result* r, quern_text** json, quern_error* err) {
    if (json != nullptr) {
        *json = nullptr;
    }
    return Guard(err, [&]() -> Status {
        QUERN_TRY(CheckHandle(r, Magic::kResult, "r"));
        QUERN_TRY(NotNull(json, "json"));
        auto text = std::make_unique<quern_text>();
        QUERN_TRY(ExplainResult(r->table, &text->text));
        *json = text.release();  // NOLINT(clang-analyzer-core.NullDereference): NotNull
        return {};
    });
}

int32_t quern_explain_hits(quern_query* q, const quern_result* r, quern_text** json,
                           quern_error* err) {
    if (json != nullptr) {
        *json = nullptr;
    }
    return Guard(err, [&]() -> Status {
        QUERN_TRY(CheckHandle(q, Magic::kQuery, "q"));
        QUERN_TRY(CheckHandle(r, Magic::kResult, "r"));
        const ResultTable& table = r->table;
        if (table.scores.size() != table.row_count() ||
            std::max(table.int_keys.size(), table.text_keys.size()) != table.row_count()) {
            return Status::Error(Code::kInvalid, "r is no result of a search");
        }
        return Explain(q, json, [&](Snapshot* snapshot, std::string* text) -> Status {
            QUERN_TRY(CheckComplete(*q));
            return ExplainHits(q->database.get(), snapshot, q->request, table, text);
        });
    });
}
