// Sets of keys for filters.
#include <algorithm>

#include "capi/handles.h"

using namespace quern;
using namespace quern::capi;

namespace {

// Runs make(), which gives a set, and hands it out.
template <typename Make>
int32_t MakeKeys(quern_keys** k, quern_error* err, Make make) {
    if (k != nullptr) {
        *k = nullptr;
    }
    return Guard(err, [&]() -> Status {
        QUERN_TRY(NotNull(k, "k"));
        auto keys = std::make_unique<quern_keys>();
        QUERN_ASSIGN(keys->set, make());
        *k = keys.release();
        return {};
    });
}

using MadeSet = Result<std::shared_ptr<const filter::KeySet>>;

void Choose(quern_query* q, const quern_keys* k, bool except) {
    if (!IsHandle(q, Magic::kQuery)) {
        return;
    }
    Remember(&q->error, [&]() -> Status {
        std::vector<KeyChoice>& chosen = q->request.filter.keys;
        if (k == nullptr) {
            std::erase_if(chosen, [&](const KeyChoice& c) { return c.except == except; });
            return {};
        }
        QUERN_TRY(CheckHandle(k, Magic::kKeys, "k"));
        chosen.push_back({k->set, except});
        return {};
    });
}

}  // namespace

int32_t quern_keys_int(const int64_t* keys, size_t n, quern_keys** k, quern_error* err) {
    return MakeKeys(k, err, [&]() -> MadeSet {
        if (n > 0) {
            QUERN_TRY(NotNull(keys, "keys"));
        }
        return filter::KeySet::OfInts(std::vector<int64_t>(keys, keys + n));
    });
}

int32_t quern_keys_text(const char* const* keys, size_t n, quern_keys** k, quern_error* err) {
    return MakeKeys(k, err, [&]() -> MadeSet {
        if (n > 0) {
            QUERN_TRY(NotNull(keys, "keys"));
        }
        std::vector<std::string> texts;
        for (size_t i = 0; i < n; i++) {
            if (keys[i] == nullptr) {
                return Status::Error(Code::kMisuse, "key %zu is NULL", i);
            }
            texts.emplace_back(keys[i]);
        }
        return filter::KeySet::OfTexts(std::move(texts));
    });
}

int32_t quern_keys_roaring(const void* bitmap, size_t bytes, int32_t bits, quern_keys** k,
                           quern_error* err) {
    return MakeKeys(k, err, [&]() -> MadeSet {
        QUERN_TRY(NotNull(bitmap, "bitmap"));
        if (bits != 32 && bits != 64) {
            return Status::Error(Code::kInvalid, "bits is %d, not 32 or 64",
                                 static_cast<int>(bits));
        }
        return filter::KeySet::OfRoaring({static_cast<const char*>(bitmap), bytes}, bits);
    });
}

uint64_t quern_keys_count(const quern_keys* k) {
    return IsHandle(k, Magic::kKeys) ? k->set->count() : 0;
}

void quern_keys_free(quern_keys* k) {
    if (IsHandle(k, Magic::kKeys)) {
        delete k;
    }
}

void quern_query_only_keys(quern_query* q, const quern_keys* k) {
    Choose(q, k, false);
}

void quern_query_except_keys(quern_query* q, const quern_keys* k) {
    Choose(q, k, true);
}
