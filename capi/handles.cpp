#include "capi/handles.h"

#include <cstring>

#include "storage/base/test_fault.h"

#ifndef NDEBUG
#include <mutex>
#include <unordered_set>
#endif

namespace quern::capi {

// The codes below the C border are those of quern.h.
static_assert(static_cast<int32_t>(Code::kMisuse) == QUERN_ERR_MISUSE &&
              static_cast<int32_t>(Code::kInvalid) == QUERN_ERR_INVALID &&
              static_cast<int32_t>(Code::kClosed) == QUERN_ERR_CLOSED &&
              static_cast<int32_t>(Code::kNotFound) == QUERN_ERR_NOT_FOUND &&
              static_cast<int32_t>(Code::kUnknownField) == QUERN_ERR_UNKNOWN_FIELD &&
              static_cast<int32_t>(Code::kExists) == QUERN_ERR_EXISTS &&
              static_cast<int32_t>(Code::kKeyExists) == QUERN_ERR_KEY_EXISTS &&
              static_cast<int32_t>(Code::kDuplicateKey) == QUERN_ERR_DUPLICATE_KEY &&
              static_cast<int32_t>(Code::kDimension) == QUERN_ERR_DIMENSION &&
              static_cast<int32_t>(Code::kType) == QUERN_ERR_TYPE &&
              static_cast<int32_t>(Code::kNotFinite) == QUERN_ERR_NOT_FINITE &&
              static_cast<int32_t>(Code::kReadOnly) == QUERN_ERR_READ_ONLY &&
              static_cast<int32_t>(Code::kTxn) == QUERN_ERR_TXN &&
              static_cast<int32_t>(Code::kSql) == QUERN_ERR_SQL &&
              static_cast<int32_t>(Code::kOption) == QUERN_ERR_OPTION &&
              static_cast<int32_t>(Code::kMalformed) == QUERN_ERR_MALFORMED);
static_assert(static_cast<int32_t>(Code::kLimit) == QUERN_ERR_LIMIT &&
              static_cast<int32_t>(Code::kNoMem) == QUERN_ERR_NOMEM &&
              static_cast<int32_t>(Code::kBusy) == QUERN_ERR_BUSY &&
              static_cast<int32_t>(Code::kIo) == QUERN_ERR_IO &&
              static_cast<int32_t>(Code::kFull) == QUERN_ERR_FULL &&
              static_cast<int32_t>(Code::kCantOpen) == QUERN_ERR_CANT_OPEN &&
              static_cast<int32_t>(Code::kOutcomeUnknown) == QUERN_ERR_OUTCOME_UNKNOWN &&
              static_cast<int32_t>(Code::kPoisoned) == QUERN_ERR_POISONED &&
              static_cast<int32_t>(Code::kCorrupt) == QUERN_ERR_CORRUPT &&
              static_cast<int32_t>(Code::kTruncated) == QUERN_ERR_TRUNCATED &&
              static_cast<int32_t>(Code::kNotADatabase) == QUERN_ERR_NOT_A_DATABASE &&
              static_cast<int32_t>(Code::kNewer) == QUERN_ERR_NEWER &&
              static_cast<int32_t>(Code::kInterrupted) == QUERN_ERR_INTERRUPTED &&
              static_cast<int32_t>(Code::kInternal) == QUERN_ERR_INTERNAL);

namespace {

#ifndef NDEBUG
struct Registry {
    std::mutex mutex;
    std::unordered_set<const Handle*> live;
};
Registry& TheRegistry() {
    static Registry* registry = new Registry();  // handles may be freed by static destructors
    return *registry;
}
#endif

const char* KindName(Magic kind) {
    switch (kind) {  // never: freed, or another kind
        case Magic::kDb: return "quern_db";
        case Magic::kSchema: return "quern_schema";
        case Magic::kTxn: return "quern_txn";
        case Magic::kBatch: return "quern_batch";
        case Magic::kSnapshot: return "quern_snapshot";
        case Magic::kQuery: return "quern_query";
        case Magic::kCursor: return "quern_cursor";
        case Magic::kResult: return "quern_result";
        case Magic::kText: return "quern_text";
        case Magic::kKeys: return "quern_keys";
        case Magic::kFreed: break;
    }
    return "handle";
}

// So much of a text that the rest of a message has room beside it; not the half of a character.
std::string Shown(const std::string& text) {
    constexpr size_t kShownMax = 80;
    size_t size = kShownMax;
    if (text.size() <= size) {
        return text;
    }
    while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) {
        size--;
    }
    return text.substr(0, size) + "...";
}

}  // namespace

Handle::Handle(Magic kind) : magic(kind) {
#ifndef NDEBUG
    Registry& registry = TheRegistry();
    std::lock_guard<std::mutex> lock(registry.mutex);
    registry.live.insert(this);
#endif
}

Handle::~Handle() {
    magic = Magic::kFreed;
#ifndef NDEBUG
    Registry& registry = TheRegistry();
    std::lock_guard<std::mutex> lock(registry.mutex);
    registry.live.erase(this);
#endif
}

Status CheckHandle(const Handle* handle, Magic kind, const char* name) {
    if (handle == nullptr) {
        return Status::Error(Code::kMisuse, "%s is NULL", name);
    }
#ifndef NDEBUG
    {
        Registry& registry = TheRegistry();
        std::lock_guard<std::mutex> lock(registry.mutex);
        if (registry.live.count(handle) == 0) {
            return Status::Error(Code::kMisuse, "%s is not a live handle (freed already?)", name);
        }
    }
#endif
    if (handle->magic != kind) {
        const bool freed = handle->magic == Magic::kFreed;
        return Status::Error(Code::kMisuse, "%s is not a %s%s", name, KindName(kind),
                             freed ? " (freed already?)" : "");  // never: the registry knows before
    }
    return {};
}

bool IsHandle(const Handle* handle, Magic kind) {
    return CheckHandle(handle, kind, "handle").ok();
}

int32_t Report(quern_error* err, const Status& status) noexcept {
    const auto code = static_cast<int32_t>(status.code());
    if (err == nullptr || err->struct_size < sizeof(quern_error)) {
        return code;
    }
    err->status = code;
    err->detail = status.detail();
    err->os_errno = status.os_errno();
    const std::string& message = status.message();
    const size_t room = sizeof err->message - (TestFault(Fault::kMessageTooLong) ? 0 : 1);
    size_t size = std::min(message.size(), room);
    // Not in the middle of a character.
    while (size < message.size() && size > 0 &&
           (static_cast<unsigned char>(message[size]) & 0xC0) == 0x80) {
        size--;
    }
    std::memcpy(err->message, message.data(), size);
    err->message[size] = '\0';
    return code;
}

namespace {

// The value that begins with a quote at *at, which gets to behind it.
Status ParseQuoted(const std::string& text, const std::string& key, size_t* at,
                   std::string* value) {
    for (++*at;; ++*at) {
        if (*at == text.size()) {
            return Status::Error(Code::kOption, "option '%s': the quote does not end", key.c_str());
        }
        if (text[*at] == '\'') {
            ++*at;
            if (*at == text.size() || text[*at] == ' ') {
                return {};
            }
            if (text[*at] != '\'') {
                return Status::Error(
                    Code::kOption, "option '%s': the value goes on behind its quote; in it ' is ''",
                    key.c_str());
            }
        }
        value->push_back(text[*at]);
    }
}

}  // namespace

Status ParseOptions(const char* options, const std::vector<const char*>& known,
                    std::vector<Option>* out, bool quotes) {
    const std::string text = options == nullptr ? "" : options;
    size_t at = 0;
    while (at < text.size()) {
        if (text[at] == ' ') {
            at++;
            continue;
        }
        const size_t start = at;
        const size_t end = std::min(text.find(' ', at), text.size());
        const std::string pair = text.substr(at, end - at);
        at = end;
        const size_t equals = pair.find('=');
        const std::string key = pair.substr(0, equals);
        bool fits = false;
        std::string list;
        for (const char* name : known) {
            fits = fits || key == name;
            list += list.empty() ? name : std::string(", ") + name;
        }
        if (!fits) {
            return Status::Error(Code::kOption, "unknown option '%s'; there %s", Shown(key).c_str(),
                                 list.empty() ? "are none here" : ("are: " + list).c_str());
        }
        if (equals == std::string::npos) {
            return Status::Error(Code::kOption, "option '%s' has no value", key.c_str());
        }
        for (const Option& earlier : *out) {
            if (earlier.key == key) {
                return Status::Error(Code::kOption, "option '%s' is given twice", key.c_str());
            }
        }
        std::string value = pair.substr(equals + 1);
        if (quotes && !value.empty() && value[0] == '\'') {
            at = start + equals + 1;
            value.clear();
            QUERN_TRY(ParseQuoted(text, key, &at, &value));
        }
        out->push_back({key, std::move(value)});
    }
    return {};
}

Status BadValue(const Option& option, const char* expected) {
    return Status::Error(Code::kOption, "option %s=%s: expected %s", option.key.c_str(),
                         Shown(option.value).c_str(), expected);
}

Status ParseInteger(const Option& option, int64_t min, int64_t max, int64_t* out) {
    const std::string range =
        "a whole number from " + std::to_string(min) + " to " + std::to_string(max);
    int64_t value = 0;
    if (option.value.empty() || option.value.size() > 18) {
        return BadValue(option, range.c_str());
    }
    for (const char c : option.value) {
        if (c < '0' || c > '9') {
            return BadValue(option, range.c_str());
        }
        value = value * 10 + (c - '0');
    }
    if (value < min || (value > max && !TestFault(Fault::kOptionBeyond))) {
        return BadValue(option, range.c_str());
    }
    *out = value;
    return {};
}

Status NotNull(const void* pointer, const char* name) {
    return pointer != nullptr ? Status() : Status::Error(Code::kMisuse, "%s is NULL", name);
}

void HandOut(std::unique_ptr<quern_result> result, quern_result** out) {
    result->text_keys.reserve(result->table.text_keys.size());
    for (const std::string& key : result->table.text_keys) {
        result->text_keys.push_back(key.c_str());
    }
    *out = result.release();
}
Status Deliver(const Status& status, std::unique_ptr<quern_result> result, quern_result** out) {
    QUERN_TRY(status);
    HandOut(std::move(result), out);
    return {};
}

Result<std::shared_ptr<Snapshot>> SnapshotOf(const quern_query& q) {
    return q.snapshot != nullptr ? q.snapshot : q.database->NewSnapshot();
}

Result<std::shared_ptr<Snapshot>> SnapshotFor(const std::shared_ptr<Database>& database,
                                              const quern_snapshot* snap) {
    if (snap == nullptr) {
        return database->NewSnapshot();
    }
    QUERN_TRY(CheckHandle(snap, Magic::kSnapshot, "snap"));
    if (snap->database != database && !TestFault(Fault::kSnapshotOfOther)) {
        return Status::Error(Code::kMisuse, "snap is a snapshot of another database");
    }
    return snap->snapshot;
}

}  // namespace quern::capi
