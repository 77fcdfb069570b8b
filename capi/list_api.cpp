// What a filter does without a search: lists, facets, and changes of the records that match.
#include "capi/handles.h"
#include "engine/db/record_facet.h"
#include "engine/db/record_list.h"

using namespace quern;
using namespace quern::capi;

namespace {

constexpr size_t kValuesMax = 1048576;  // of a facet

// Runs body(snapshot, table) for a query and gives the caller what it made.
template <typename Body>
int32_t MakeTable(quern_query* q, quern_result** r, quern_error* err, Body body) {
    if (r != nullptr) {
        *r = nullptr;
    }
    return Guard(err, [&]() -> Status {
        const OnQuery call(q);
        QUERN_TRY(call.status());
        QUERN_TRY(NotNull(r, "r"));
        QUERN_TRY(q->OneFilter());
        QUERN_ASSIGN(const std::shared_ptr<Snapshot> snapshot, SnapshotOf(*q));
        auto result = std::make_unique<quern_result>();
        QUERN_TRY(body(snapshot, &result->table));
        HandOut(std::move(result), r);
        return {};
    });
}

// Runs change(transaction, &affected) in the caller's transaction or one of its own. what: is
// asked where there is no filter.
template <typename Change>
int32_t ChangeMatches(quern_query* q, quern_txn* txn, uint64_t* count, quern_error* err,
                      const char* what, Change change) {
    return Guard(err, [&]() -> Status {
        const OnQuery call(q);
        QUERN_TRY(call.status());
        QUERN_TRY(q->OneFilter());
        if (q->request.filter.empty()) {
            return Status::Error(Code::kInvalid, "the query has no filter: what is to be %s?",
                                 what);
        }
        size_t affected = 0;
        if (txn != nullptr) {
            QUERN_TRY(CheckHandle(txn, Magic::kTxn, "txn"));
            const Use txn_use(txn, "txn");
            QUERN_TRY(txn_use.status());
            if (txn->database != q->database) {
                return Status::Error(Code::kMisuse, "txn and q belong to different databases");
            }
            QUERN_TRY(change(txn->transaction.get(), &affected));
        } else {
            QUERN_ASSIGN(const std::unique_ptr<Transaction> own, q->database->Begin());
            QUERN_TRY(change(own.get(), &affected));
            QUERN_TRY(own->Commit());
        }
        if (count != nullptr) {
            *count = affected;
        }
        return {};
    });
}

}  // namespace

void quern_query_order(quern_query* q, const char* order) {
    if (IsHandle(q, Magic::kQuery)) {
        Remember(&q->error, [&]() -> Status {
            q->request.shape.order = order == nullptr ? "" : order;
            return {};
        });
    }
}

void quern_query_after(quern_query* q, const char* bookmark) {
    if (IsHandle(q, Magic::kQuery)) {
        Remember(&q->error, [&]() -> Status {
            q->request.shape.after = bookmark == nullptr ? "" : bookmark;
            return {};
        });
    }
}

int32_t quern_query_list(quern_query* q, quern_result** r, quern_error* err) {
    return MakeTable(q, r, err, [&](const std::shared_ptr<Snapshot>& snapshot, ResultTable* table) {
        const SearchRequest& request = q->request;
        return ListRecords(q->database.get(), snapshot,
                           {request.collection, request.filter, request.shape.order,
                            request.shape.after, request.columns, request.limit},
                           table);
    });
}

int32_t quern_query_facet(quern_query* q, const char* attr, size_t n, quern_result** r,
                          quern_error* err) {
    const auto facet = [&](const std::shared_ptr<Snapshot>& snapshot,
                           ResultTable* table) -> Status {
        QUERN_TRY(NotNull(attr, "attr"));
        if (n < 1 || n > kValuesMax) {
            return Status::Error(Code::kInvalid, "n is %zu, not between 1 and %zu", n, kValuesMax);
        }
        return CountFacet(q->database.get(), snapshot,
                          {q->request.collection, q->request.filter, attr, n}, table);
    };
    return MakeTable(q, r, err, facet);
}

int32_t quern_query_delete(quern_query* q, quern_txn* txn, uint64_t* deleted, quern_error* err) {
    return ChangeMatches(
        q, txn, deleted, err, "deleted", [&](Transaction* transaction, size_t* affected) {
            return transaction->DeleteMatches(q->request.collection, q->request.filter, affected);
        });
}

void quern_query_set(quern_query* q, const char* assignments) {
    if (!IsHandle(q, Magic::kQuery)) {
        return;
    }
    Remember(&q->error, [&]() -> Status {
        q->set = {};
        if (assignments == nullptr) {
            return {};
        }
        QUERN_ASSIGN(q->set,
                     filter::ReadTokens(assignments, filter::kSetSubject, q->filter.parameters));
        q->filter.parameters = q->set.parameters;
        q->request.filter.arguments.resize(q->filter.parameters.size());
        return {};
    });
}

int32_t quern_query_update(quern_query* q, quern_txn* txn, uint64_t* updated, quern_error* err) {
    return ChangeMatches(
        q, txn, updated, err, "changed", [&](Transaction* transaction, size_t* affected) {
            return q->set.list.empty()
                       ? Status::Error(Code::kInvalid,
                                       "the query sets nothing: see quern_query_set")
                       : transaction->UpdateMatches(q->request.collection, q->request.filter,
                                                    q->set, affected);
        });
}
