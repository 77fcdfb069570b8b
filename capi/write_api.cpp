// Transactions and batches.
#include "capi/handles.h"

using namespace quern;
using namespace quern::capi;

namespace {

// More records than this in one batch would not fit any sensible memory.
constexpr size_t kBatchMax = 16777216;

bool IsBatch(const quern_batch* b) {
    return IsHandle(b, Magic::kBatch);
}

// Adds an attribute column to a batch.
void AddColumn(quern_batch* b, const char* attr, AttrType type, const void* values,
               const size_t* sizes, const uint8_t* valid) {
    if (!IsBatch(b)) {
        return;
    }
    Remember(&b->error, [&]() -> Status {
        QUERN_TRY(NotNull(attr, "attr"));
        if (values == nullptr) {
            return Status::Error(Code::kMisuse, "attribute '%s': values is NULL", attr);
        }
        AttrInput input;
        input.name = attr;
        input.type = type;
        input.values = values;
        input.sizes = sizes;
        input.valid = valid;
        b->batch.attrs.push_back(std::move(input));
        return {};
    });
}

void AddMatrix(quern_batch* b, const char* field, const void* matrix, bool is_f32, int32_t type,
               size_t dim, const uint8_t* valid) {
    if (!IsBatch(b)) {
        return;
    }
    Remember(&b->error, [&]() -> Status {
        QUERN_TRY(NotNull(field, "field"));
        if (matrix == nullptr) {
            return Status::Error(Code::kMisuse, "field '%s': matrix is NULL", field);
        }
        if (type < QUERN_F32 || type > QUERN_BIT) {
            return Status::Error(Code::kInvalid, "field '%s': there is no element type number %d",
                                 field, static_cast<int>(type));
        }
        VectorInput input;
        input.name = field;
        input.values = matrix;
        input.is_f32 = is_f32;
        input.element = static_cast<Element>(type);
        input.dim = dim;
        input.valid = valid;
        b->batch.vectors.push_back(std::move(input));
        return {};
    });
}

int32_t Write(WriteKind kind, quern_batch* b, quern_txn* txn, quern_error* err) {
    return Guard(err, [&]() -> Status {
        QUERN_TRY(CheckHandle(b, Magic::kBatch, "b"));
        const Use use(b, "b");
        QUERN_TRY(use.status());
        b->affected = 0;
        QUERN_TRY(b->error);
        const Entered entered(b->database);
        QUERN_TRY(entered.status());
        size_t affected = 0;
        if (txn != nullptr) {
            QUERN_TRY(CheckHandle(txn, Magic::kTxn, "txn"));
            const Use txn_use(txn, "txn");
            QUERN_TRY(txn_use.status());
            if (txn->database != b->database) {
                return Status::Error(Code::kMisuse, "txn and b belong to different databases");
            }
            QUERN_TRY(txn->transaction->Write(kind, b->batch, &affected));
        } else {
            QUERN_ASSIGN(const std::unique_ptr<Transaction> own, b->database->Begin());
            QUERN_TRY(own->Write(kind, b->batch, &affected));
            QUERN_TRY(own->Commit());
        }
        b->affected = affected;
        return {};
    });
}

}  // namespace

int32_t quern_begin(quern_db* db, quern_txn** txn, quern_error* err) {
    if (txn != nullptr) {
        *txn = nullptr;
    }
    return Guard(err, [&]() -> Status {
        QUERN_TRY(CheckHandle(db, Magic::kDb, "db"));
        QUERN_TRY(NotNull(txn, "txn"));
        const Entered entered(db->database);
        QUERN_TRY(entered.status());
        auto handle = std::make_unique<quern_txn>();
        handle->database = db->database;
        QUERN_ASSIGN(handle->transaction, db->database->Begin());
        *txn = handle.release();
        return {};
    });
}

int32_t quern_commit(quern_txn* txn, quern_error* err) {
    std::unique_ptr<quern_txn> owned;
    return Guard(err, [&]() -> Status {
        QUERN_TRY(CheckHandle(txn, Magic::kTxn, "txn"));
        QUERN_TRY(Use(txn, "txn").status());
        const Entered entered(txn->database);
        if (txn->database->in_callback()) {
            return entered.status();
        }
        if (!txn->database->forked()) {
            owned.reset(txn);
        }
        QUERN_TRY(entered.status());
        const Status status = txn->transaction->Commit();
        txn->transaction.reset();  // while entered
        return status;
    });
}

void quern_rollback(quern_txn* txn) {
    if (!IsHandle(txn, Magic::kTxn) || txn->database->forked() || txn->database->in_callback()) {
        return;
    }
    const std::shared_ptr<Database> database = txn->database;
    const Entered entered(database);
    delete txn;
}

quern_batch* quern_batch_new(quern_db* db, const char* collection, size_t n) {
    std::unique_ptr<quern_batch> batch = NewHandle<quern_batch>();
    if (batch == nullptr) {
        return nullptr;
    }
    Remember(&batch->error, [&]() -> Status {
        QUERN_TRY(CheckHandle(db, Magic::kDb, "db"));
        batch->database = db->database;
        QUERN_TRY(NotNull(collection, "collection"));
        batch->batch.collection = collection;
        if (n < 1 || n > kBatchMax) {
            return Status::Error(Code::kInvalid, "a batch has 1 to %zu records, not %zu", kBatchMax,
                                 n);
        }
        batch->batch.count = n;
        return {};
    });
    return batch.release();
}

void quern_batch_free(quern_batch* b) {
    if (IsBatch(b)) {
        delete b;
    }
}

void quern_batch_key_int(quern_batch* b, const int64_t* keys) {
    if (!IsBatch(b)) {
        return;
    }
    Remember(&b->error, [&]() -> Status {
        QUERN_TRY(NotNull(keys, "keys"));
        b->batch.int_keys = keys;
        b->batch.text_keys = nullptr;
        return {};
    });
}

void quern_batch_key_text(quern_batch* b, const char* const* keys) {
    if (!IsBatch(b)) {
        return;
    }
    Remember(&b->error, [&]() -> Status {
        QUERN_TRY(NotNull(keys, "keys"));
        b->batch.text_keys = keys;
        b->batch.int_keys = nullptr;
        return {};
    });
}

void quern_batch_int(quern_batch* b, const char* attr, const int64_t* values,
                     const uint8_t* valid) {
    AddColumn(b, attr, AttrType::kInt, values, nullptr, valid);
}
void quern_batch_real(quern_batch* b, const char* attr, const double* values,
                      const uint8_t* valid) {
    AddColumn(b, attr, AttrType::kReal, values, nullptr, valid);
}
void quern_batch_bool(quern_batch* b, const char* attr, const uint8_t* values,
                      const uint8_t* valid) {
    AddColumn(b, attr, AttrType::kBool, values, nullptr, valid);
}
void quern_batch_text(quern_batch* b, const char* attr, const char* const* values,
                      const uint8_t* valid) {
    AddColumn(b, attr, AttrType::kText, values, nullptr, valid);
}
void quern_batch_blob(quern_batch* b, const char* attr, const void* const* values,
                      const size_t* sizes, const uint8_t* valid) {
    if (IsBatch(b) && sizes == nullptr) {
        Remember(&b->error, [&] { return NotNull(sizes, "sizes"); });
        return;
    }
    AddColumn(b, attr, AttrType::kBlob, values, sizes, valid);
}
void quern_batch_tags(quern_batch* b, const char* attr, const size_t* offsets,
                      const char* const* tags, const uint8_t* valid) {
    static const char* const none[] = {nullptr};
    if (IsBatch(b) && offsets == nullptr) {
        Remember(&b->error, [&] { return NotNull(offsets, "offsets"); });
        return;
    }
    // Without any tags there need be no array.
    const bool empty = IsBatch(b) && tags == nullptr && offsets[b->batch.count] == 0;
    AddColumn(b, attr, AttrType::kTags, empty ? none : tags, offsets, valid);
}
void quern_batch_dense(quern_batch* b, const char* field, const float* matrix, size_t dim,
                       const uint8_t* valid) {
    AddMatrix(b, field, matrix, true, QUERN_F32, dim, valid);
}
void quern_batch_dense_raw(quern_batch* b, const char* field, const void* matrix, int32_t type,
                           size_t dim, const uint8_t* valid) {
    AddMatrix(b, field, matrix, false, type, dim, valid);
}

void quern_batch_sparse(quern_batch* b, const char* field, const size_t* offsets,
                        const uint32_t* dims, const float* weights, const uint8_t* valid) {
    if (!IsBatch(b)) {
        return;
    }
    Remember(&b->error, [&]() -> Status {
        QUERN_TRY(NotNull(field, "field"));
        QUERN_TRY(NotNull(offsets, "offsets"));
        b->batch.sparse.push_back({field, b->batch.count, offsets, dims, weights, valid});
        return {};
    });
}

int32_t quern_insert(quern_batch* b, quern_txn* txn, quern_error* err) {
    return Write(WriteKind::kInsert, b, txn, err);
}
int32_t quern_upsert(quern_batch* b, quern_txn* txn, quern_error* err) {
    return Write(WriteKind::kUpsert, b, txn, err);
}
int32_t quern_update(quern_batch* b, quern_txn* txn, quern_error* err) {
    return Write(WriteKind::kUpdate, b, txn, err);
}
int32_t quern_delete(quern_batch* b, quern_txn* txn, quern_error* err) {
    return Write(WriteKind::kDelete, b, txn, err);
}
size_t quern_batch_affected(const quern_batch* b) {
    return IsBatch(b) ? b->affected : 0;
}
