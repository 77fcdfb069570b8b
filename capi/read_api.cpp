// Snapshots, get, scan, count, search.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "capi/handles.h"
#include "engine/db/kept_fusions.h"

using namespace quern;
using namespace quern::capi;

namespace {

constexpr size_t kLimitMax = 1048576;       // results of one query
constexpr size_t kCursorRowsMax = 1048576;  // rows of one step of a cursor
constexpr size_t kBucketWeightsMax = 65536;
constexpr int64_t kEffortMax = 1048576;  // pool of a walk, records to measure again

bool IsQuery(const quern_query* q) {
    return IsHandle(q, Magic::kQuery);
}

Status ParseRefine(const Option& option, SearchRequest* request) {
    if (option.value == "auto") {
        request->refine_how = Refine::kAuto;
    } else if (option.value == "exact") {
        request->refine_how = Refine::kExact;
    } else if (option.value == "none") {
        request->refine_how = Refine::kNone;
    } else if (option.value == "proof") {
        request->refine_how = Refine::kProof;
    } else {
        int64_t number = 0;
        if (!ParseInteger(option, 1, kEffortMax, &number).ok()) {
            return BadValue(option, "auto, exact, none, proof or a whole number from 1 to 1048576");
        }
        request->refine_how = Refine::kCount;
        request->refine = static_cast<size_t>(number);
    }
    return {};
}

// A number above 0 and up to 1, or exact, which is 1.
Status ParseShare(const Option& option, double* share) {
    if (option.value == "exact") {
        *share = 1.0;
        return {};
    }
    const char* end = option.value.data() + option.value.size();
    double number = 0;
    const auto parsed = std::from_chars(option.value.data(), end, number);
    if (parsed.ec != std::errc() || parsed.ptr != end || !(number > 0) || number > 1) {
        return BadValue(option, "a number above 0 and up to 1, or exact");
    }
    *share = number;
    return {};
}

// Numbers of at least 0 with commas between them.
Status ParseBucketWeights(const Option& option, std::vector<float>* weights) {
    weights->clear();
    const char* at = option.value.data();
    const char* const end = at + option.value.size();
    while (true) {
        float weight = 0;
        const auto [stop, error] = std::from_chars(at, end, weight);
        if (error != std::errc() || !(weight >= 0) || !std::isfinite(weight) ||
            (stop != end && *stop != ',')) {
            const std::string expected = "from 0 to 3.4e38 as number " +
                                         std::to_string(weights->size() + 1) +
                                         ", numbers with commas between them";
            return BadValue({option.key, std::string(at, std::find(at, end, ','))},
                            expected.c_str());
        }
        if (weights->size() == kBucketWeightsMax) {
            return BadValue(option, "up to 65536 numbers of at least 0, with commas between them");
        }
        weights->push_back(weight);
        if (stop == end) {
            return {};
        }
        at = stop + 1;
    }
}

void SetVectors(quern_query* q, const char* field, const void* matrix, bool is_f32, int32_t type,
                size_t n, size_t dim) {
    if (!IsQuery(q)) {
        return;
    }
    Remember(&q->error, [&]() -> Status {
        QUERN_TRY(NotNull(field, "field"));
        if (n > 0) {
            QUERN_TRY(NotNull(matrix, "matrix"));
        }
        if (type < QUERN_F32 || type > QUERN_BIT) {
            return Status::Error(Code::kInvalid, "field '%s': there is no element type number %d",
                                 field, static_cast<int>(type));
        }
        SearchRequest& request = q->request;
        ForgetTarget(q);
        request.field = field;
        request.vectors = matrix;
        request.is_f32 = is_f32;
        request.element = static_cast<Element>(type);
        request.count = n;
        request.dim = dim;
        q->has_target = true;
        return {};
    });
}

template <typename MakeKey>
void SetKeys(quern_query* q, const char* field, const void* keys, size_t n, MakeKey make_key) {
    if (!IsQuery(q)) {
        return;
    }
    Remember(&q->error, [&]() -> Status {
        QUERN_TRY(NotNull(field, "field"));
        if (n > 0) {
            QUERN_TRY(NotNull(keys, "keys"));
        }
        if (n > kLimitMax) {
            return Status::Error(Code::kLimit, "%zu keys in one search, the limit is %zu", n,
                                 kLimitMax);
        }
        SearchRequest& request = q->request;
        ForgetTarget(q);
        request.field = field;
        request.by_key = true;
        for (size_t i = 0; i < n; i++) {
            QUERN_ASSIGN(Key key, make_key(i));  // never: of numbers
            request.keys.push_back(std::move(key));
        }
        q->has_target = true;
        return {};
    });
}

// That there is something to look for, and one thing only.
Status CheckTarget(const quern_query& q) {
    const std::vector<SearchLeg>& legs = q.request.legs;
    const bool by_formula = q.request.formula.parsed != nullptr;
    if (legs.empty() && by_formula) {
        return Status::Error(Code::kInvalid, "the query has a formula and no legs to score");
    }
    if (legs.empty() && !q.request.kept_fusion.empty()) {
        return Status::Error(Code::kInvalid, "the query has a stored fusion and no legs to fuse");
    }
    if (legs.empty()) {
        return q.has_target
                   ? Status()
                   : Status::Error(Code::kInvalid,
                                   "the query has nothing to look for: set vectors or keys");
    }
    if (q.has_target) {
        return Status::Error(Code::kInvalid,
                             "the query has vectors or keys of its own beside its legs");
    }
    if (q.request.has_max_distance) {
        return Status::Error(Code::kInvalid, "fused scores have no distance: set a smallest score");
    }
    // A kept fusion is checked once its weights are known.
    return q.request.kept_fusion.empty() ? CheckFusion(q.request) : Status();
}

}  // namespace

namespace quern::capi {

void SetTexts(quern_query* q, const char* field, const char* const* texts, size_t n,
              bool SearchRequest::*kind) {
    if (!IsQuery(q)) {
        return;
    }
    Remember(&q->error, [&]() -> Status {
        QUERN_TRY(NotNull(field, "field"));
        if (n > 0) {
            QUERN_TRY(NotNull(texts, "texts"));
        }
        if (n > kLimitMax) {
            return Status::Error(Code::kLimit, "%zu queries in one search, the limit is %zu", n,
                                 kLimitMax);
        }
        SearchRequest& request = q->request;
        ForgetTarget(q);
        request.field = field;
        request.*kind = true;
        for (size_t i = 0; i < n; i++) {
            if (texts[i] == nullptr) {
                return Status::Error(Code::kMisuse, "query %zu is NULL", i);
            }
            request.texts.emplace_back(texts[i]);
        }
        q->has_target = true;
        return {};
    });
}

void ForgetTarget(quern_query* q) {
    SearchRequest& request = q->request;
    request.vectors = nullptr;
    request.is_sparse = false;
    request.is_text = false;
    request.is_sparse_text = false;
    request.texts.clear();
    request.by_key = false;
    request.keys.clear();
    request.is_composed = false;
    request.composed = ComposedQueries();
    q->has_target = false;
}

Status CheckComplete(const quern_query& q) {
    QUERN_TRY(CheckTarget(q));
    const HitShape& shape = q.request.shape;
    if (shape.lambda && !shape.group_by.empty()) {
        return Status::Error(Code::kInvalid,
                             "hits are grouped, or ordered by lambda: not both in one query");
    }
    if (!shape.order.empty() && !shape.group_by.empty()) {
        return Status::Error(Code::kInvalid,
                             "hits are grouped, or ordered by attributes: not both in one query");
    }
    if (!shape.after.empty() && (shape.offset > 0 || !shape.group_by.empty() ||
                                 !shape.similar_by.empty() || q.request.limit == 0)) {
        return Status::Error(Code::kInvalid,
                             "a search goes on behind a bookmark with a limit, and without an "
                             "offset, groups and diversity");
    }
    if (q.request.limit == 0 && !q.request.has_max_distance && !q.request.has_min_score &&
        q.request.candidates == nullptr) {
        return Status::Error(Code::kInvalid,
                             "limit 0 (everything) needs a largest distance or a smallest score");
    }
    return {};
}

}  // namespace quern::capi

namespace {

Status MoveCursor(quern_cursor* c, const Key& key) {
    QUERN_TRY(CheckHandle(c, Magic::kCursor, "c"));
    const Use use(c, "c");
    QUERN_TRY(use.status());
    const Entered entered(c->database);
    QUERN_TRY(entered.status());
    return c->cursor->After(key);
}

}  // namespace

int32_t quern_snapshot_new(quern_db* db, quern_snapshot** snap, quern_error* err) {
    if (snap != nullptr) {
        *snap = nullptr;
    }
    return Guard(err, [&]() -> Status {
        QUERN_TRY(CheckHandle(db, Magic::kDb, "db"));
        QUERN_TRY(NotNull(snap, "snap"));
        const Entered entered(db->database);
        QUERN_TRY(entered.status());
        auto handle = std::make_unique<quern_snapshot>();
        handle->database = db->database;
        QUERN_ASSIGN(handle->snapshot, db->database->NewSnapshot());
        *snap = handle.release();
        return {};
    });
}

void quern_snapshot_free(quern_snapshot* snap) {
    if (!IsHandle(snap, Magic::kSnapshot) || snap->database->forked()) {
        return;
    }
    const std::shared_ptr<Database> database = snap->database;
    const Entered entered(database);
    delete snap;
}

uint64_t quern_snapshot_generation(const quern_snapshot* snap) {
    return IsHandle(snap, Magic::kSnapshot) ? snap->snapshot->generation() : 0;
}

int32_t quern_count(quern_db* db, const char* collection, quern_snapshot* snap, uint64_t* count,
                    quern_error* err) {
    return Guard(err, [&]() -> Status {
        QUERN_TRY(CheckHandle(db, Magic::kDb, "db"));
        QUERN_TRY(NotNull(collection, "collection"));
        QUERN_TRY(NotNull(count, "count"));
        const Entered entered(db->database);
        QUERN_TRY(entered.status());
        QUERN_ASSIGN(const auto snapshot, SnapshotFor(db->database, snap));
        return Count(snapshot.get(), collection, count);
    });
}

int32_t quern_get(quern_batch* keys, quern_snapshot* snap, const char* columns, quern_result** r,
                  quern_error* err) {
    if (r != nullptr) {
        *r = nullptr;
    }
    return Guard(err, [&]() -> Status {
        QUERN_TRY(CheckHandle(keys, Magic::kBatch, "keys"));
        QUERN_TRY(NotNull(r, "r"));
        const Use use(keys, "keys");
        QUERN_TRY(use.status());
        QUERN_TRY(keys->error);
        const Entered entered(keys->database);
        QUERN_TRY(entered.status());
        QUERN_ASSIGN(const auto snapshot, SnapshotFor(keys->database, snap));
        auto result = std::make_unique<quern_result>();
        const Status status = Get(keys->database.get(), snapshot.get(), keys->batch,
                                  columns == nullptr ? "" : columns, &result->table);
        return Deliver(status, std::move(result), r);
    });
}

int32_t quern_scan(quern_db* db, const char* collection, quern_snapshot* snap, const char* columns,
                   quern_cursor** c, quern_error* err) {
    if (c != nullptr) {
        *c = nullptr;
    }
    return Guard(err, [&]() -> Status {
        QUERN_TRY(CheckHandle(db, Magic::kDb, "db"));
        QUERN_TRY(NotNull(collection, "collection"));
        QUERN_TRY(NotNull(c, "c"));
        const Entered entered(db->database);
        QUERN_TRY(entered.status());
        QUERN_ASSIGN(const auto snapshot, SnapshotFor(db->database, snap));
        auto handle = std::make_unique<quern_cursor>();
        handle->database = db->database;
        QUERN_ASSIGN(handle->cursor, Cursor::Open(db->database, snapshot, collection,
                                                  columns == nullptr ? "" : columns));
        *c = handle.release();
        return {};
    });
}

int32_t quern_cursor_after_int(quern_cursor* c, int64_t key, quern_error* err) {
    return Guard(err, [&] { return MoveCursor(c, Key::Int(key)); });
}

int32_t quern_cursor_after_text(quern_cursor* c, const char* key, quern_error* err) {
    return Guard(err, [&]() -> Status {
        QUERN_TRY(NotNull(key, "key"));
        return MoveCursor(c, Key::Text(key));
    });
}

int32_t quern_cursor_next(quern_cursor* c, size_t n, quern_result** r, quern_error* err) {
    if (r != nullptr) {
        *r = nullptr;
    }
    return Guard(err, [&]() -> Status {
        QUERN_TRY(CheckHandle(c, Magic::kCursor, "c"));
        QUERN_TRY(NotNull(r, "r"));
        if (n < 1 || n > kCursorRowsMax) {
            return Status::Error(Code::kInvalid, "n is %zu, not between 1 and %zu", n,
                                 kCursorRowsMax);
        }
        const Use use(c, "c");
        QUERN_TRY(use.status());
        const Entered entered(c->database);
        QUERN_TRY(entered.status());
        auto result = std::make_unique<quern_result>();
        const Status status = c->cursor->Next(n, &result->table);
        return Deliver(status, std::move(result), r);
    });
}

void quern_cursor_free(quern_cursor* c) {
    if (!IsHandle(c, Magic::kCursor) || c->database->forked()) {
        return;
    }
    const std::shared_ptr<Database> database = c->database;
    const Entered entered(database);
    delete c;
}

quern_query* quern_query_new(quern_db* db, const char* collection) {
    std::unique_ptr<quern_query> query = NewHandle<quern_query>();
    if (query == nullptr) {
        return nullptr;
    }
    Remember(&query->error, [&]() -> Status {
        QUERN_TRY(CheckHandle(db, Magic::kDb, "db"));
        query->database = db->database;
        QUERN_TRY(NotNull(collection, "collection"));
        query->request.collection = collection;
        return {};
    });
    return query.release();
}

void quern_query_free(quern_query* q) {
    if (!IsQuery(q) || (q->database != nullptr && q->database->forked())) {
        return;
    }
    const std::shared_ptr<Database> database = q->database;
    const Entered entered(database);
    delete q;
}

void quern_query_dense(quern_query* q, const char* field, const float* matrix, size_t n,
                       size_t dim) {
    SetVectors(q, field, matrix, true, QUERN_F32, n, dim);
}
void quern_query_dense_raw(quern_query* q, const char* field, const void* matrix, int32_t type,
                           size_t n, size_t dim) {
    SetVectors(q, field, matrix, false, type, n, dim);
}
void quern_query_sparse(quern_query* q, const char* field, const size_t* offsets,
                        const uint32_t* dims, const float* weights, size_t n) {
    if (!IsQuery(q)) {
        return;
    }
    Remember(&q->error, [&]() -> Status {
        QUERN_TRY(NotNull(field, "field"));
        if (n > 0) {
            QUERN_TRY(NotNull(offsets, "offsets"));
        }
        SearchRequest& request = q->request;
        ForgetTarget(q);
        request.field = field;
        request.is_sparse = true;
        request.sparse = {field, n, offsets, dims, weights, nullptr};
        q->has_target = true;
        return {};
    });
}
void quern_query_text(quern_query* q, const char* field, const char* const* texts, size_t n) {
    SetTexts(q, field, texts, n, &SearchRequest::is_text);
}
void quern_query_key_int(quern_query* q, const char* field, const int64_t* keys, size_t n) {
    SetKeys(q, field, keys, n, [&](size_t i) -> Result<Key> { return Key::Int(keys[i]); });
}
void quern_query_key_text(quern_query* q, const char* field, const char* const* keys, size_t n) {
    SetKeys(q, field, keys, n, [&](size_t i) -> Result<Key> {
        if (keys[i] == nullptr) {
            return Status::Error(Code::kMisuse, "key %zu is NULL", i);
        }
        return Key::Text(keys[i]);
    });
}

void quern_query_limit(quern_query* q, size_t k) {
    if (IsQuery(q)) {
        Remember(&q->error, [&]() -> Status {
            if (k > kLimitMax) {
                return Status::Error(Code::kLimit, "k is %zu, the limit is %zu", k, kLimitMax);
            }
            q->request.limit = k;
            q->request.has_limit = true;
            return {};
        });
    }
}

void quern_query_max_distance(quern_query* q, double d) {
    if (IsQuery(q)) {
        Remember(&q->error, [&]() -> Status {
            if (std::isnan(d)) {
                return Status::Error(Code::kNotFinite, "the largest distance is NaN");
            }
            q->request.has_max_distance = true;
            q->request.has_min_score = false;
            q->request.max_distance = d;
            return {};
        });
    }
}

void quern_query_min_score(quern_query* q, double s) {
    if (IsQuery(q)) {
        Remember(&q->error, [&]() -> Status {
            if (std::isnan(s)) {
                return Status::Error(Code::kNotFinite, "the smallest score is NaN");
            }
            q->request.has_min_score = true;
            q->request.has_max_distance = false;
            q->request.min_score = s;
            return {};
        });
    }
}

void quern_query_columns(quern_query* q, const char* columns) {
    if (IsQuery(q)) {
        Remember(&q->error, [&]() -> Status {
            q->request.columns = columns == nullptr ? "" : columns;
            return {};
        });
    }
}

void quern_query_snapshot(quern_query* q, quern_snapshot* snap) {
    if (IsQuery(q)) {
        Remember(&q->error, [&]() -> Status {
            if (snap == nullptr) {
                q->snapshot.reset();
                return {};
            }
            QUERN_TRY(CheckHandle(snap, Magic::kSnapshot, "snap"));
            if (snap->database != q->database) {
                return Status::Error(Code::kMisuse, "snap is a snapshot of another database");
            }
            q->snapshot = snap->snapshot;
            return {};
        });
    }
}

void quern_query_options(quern_query* q, const char* options) {
    if (IsQuery(q)) {
        Remember(&q->error, [&]() -> Status {
            std::vector<Option> list;
            QUERN_TRY(ParseOptions(
                options,
                {"threads", "self", "recall", "ef", "nprobe", "refine", "filter_ms", "bound",
                 "superblocks", "terms", "bucket_weights", "timeout_ms", "max_scored", "max_bytes"},
                &list));
            for (const Option& option : list) {
                if (option.key == "threads") {
                    int64_t threads = 0;
                    QUERN_TRY(ParseInteger(option, 1, 256, &threads));
                    q->request.threads = static_cast<int>(threads);
                } else if (option.key == "ef" || option.key == "nprobe") {
                    int64_t number = 0;
                    QUERN_TRY(ParseInteger(option, 1, kEffortMax, &number));
                    (option.key == "ef" ? q->request.ef : q->request.nprobe) =
                        static_cast<size_t>(number);
                } else if (option.key == "filter_ms") {
                    int64_t ms = 0;
                    QUERN_TRY(ParseInteger(option, 0, UINT32_MAX, &ms));
                    q->request.filter.ms_max = static_cast<uint32_t>(ms);
                } else if (option.key == "refine") {
                    QUERN_TRY(ParseRefine(option, &q->request));
                } else if (option.key == "recall") {
                    QUERN_TRY(ParseShare(option, &q->request.recall));
                    q->request.has_recall = true;
                } else if (option.key == "bound") {
                    QUERN_TRY(ParseShare(option, &q->request.bound));
                } else if (option.key == "superblocks") {
                    int64_t number = 0;
                    QUERN_TRY(ParseInteger(option, 1, kEffortMax, &number));
                    q->request.superblocks = static_cast<uint32_t>(number);
                } else if (option.key == "terms") {
                    int64_t number = 0;
                    QUERN_TRY(ParseInteger(option, 0, 65535, &number));
                    q->request.terms = static_cast<uint32_t>(number);
                } else if (option.key == "bucket_weights") {
                    QUERN_TRY(ParseBucketWeights(option, &q->request.bucket_weights));
                } else if (option.key == "timeout_ms") {
                    int64_t ms = 0;
                    QUERN_TRY(ParseInteger(option, 0, UINT32_MAX, &ms));
                    q->request.limits.timeout_ms = static_cast<uint32_t>(ms);
                } else if (option.key == "max_scored" || option.key == "max_bytes") {
                    int64_t most = 0;
                    QUERN_TRY(ParseInteger(option, 0, INT64_MAX, &most));
                    (option.key == "max_scored" ? q->request.limits.scored_max
                                                : q->request.limits.bytes_max) =
                        static_cast<uint64_t>(most);
                } else if (option.value == "include" || option.value == "exclude") {
                    q->request.include_self = option.value == "include";
                } else {
                    return BadValue(option, "include or exclude");
                }
            }
            const auto given = [&](const char* key) {
                return std::any_of(list.begin(), list.end(),
                                   [&](const Option& option) { return option.key == key; });
            };
            if (given("refine") && q->request.refine_how == Refine::kNone && given("recall") &&
                q->request.recall >= 1) {
                return Status::Error(Code::kInvalid,
                                     "refine=none goes not with recall=exact: distances of codes "
                                     "are not exact");
            }
            return {};
        });
    }
}

int32_t quern_search(quern_query* q, quern_result** r, quern_error* err) {
    if (r != nullptr) {
        *r = nullptr;
    }
    return Guard(err, [&]() -> Status {
        const OnQuery call(q);
        QUERN_TRY(call.status());
        QUERN_TRY(NotNull(r, "r"));
        QUERN_TRY(CheckComplete(*q));
        auto result = std::make_unique<quern_result>();
        const Status status =
            q->snapshot != nullptr
                ? Search(q->database.get(), q->snapshot.get(), q->request, &result->table)
                : SearchNewest(q->database.get(), q->request, &result->table);
        return Deliver(status, std::move(result), r);
    });
}
