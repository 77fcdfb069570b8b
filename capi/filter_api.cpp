// Filters of queries: their parameters, and counting what they match.
#include "capi/handles.h"

using namespace quern;
using namespace quern::capi;

namespace {

constexpr size_t kQueriesMax = 1048576;  // of one search

// Binds what make gives, in the builder's way.
template <typename Make>
void BindArgument(quern_query* q, size_t parameter, Make make) {
    if (!IsHandle(q, Magic::kQuery)) {
        return;
    }
    Remember(&q->error, [&]() -> Status {
        std::vector<filter::Argument>& arguments = q->request.filter.arguments;
        if (parameter < 1 || parameter > arguments.size()) {
            return Status::Error(Code::kInvalid, "the filter has %zu parameters, there is no %zu",
                                 arguments.size(), parameter);
        }
        filter::Argument argument;
        argument.bound = true;
        QUERN_TRY(make(&argument));
        if (q->bind_for) {
            std::vector<filter::Argument>& own = q->request.filter.of_queries[*q->bind_for];
            own.resize(arguments.size());
            own[parameter - 1] = std::move(argument);
        } else {
            arguments[parameter - 1] = std::move(argument);
        }
        return {};
    });
}

void BindValue(quern_query* q, size_t parameter, const filter::Value& value) {
    BindArgument(q, parameter, [&](filter::Argument* argument) -> Status {
        argument->values.push_back(value);
        return {};
    });
}

Status Utf8(const char* text) {
    return IsValidUtf8(text) ? Status()
                             : Status::Error(Code::kMalformed, "filter: a text is not UTF-8");
}

}  // namespace

void quern_query_filter(quern_query* q, const char* filter) {
    if (!IsHandle(q, Magic::kQuery)) {
        return;
    }
    Remember(&q->error, [&]() -> Status {
        RecordFilter& wanted = q->request.filter;
        wanted.text.clear();
        wanted.arguments.clear();
        wanted.of_queries.clear();
        q->bind_for.reset();
        q->filter = {};
        q->set = {};
        if (filter == nullptr) {
            return {};
        }
        QUERN_ASSIGN(q->filter, filter::ReadTokens(filter));
        wanted.text = filter;
        wanted.arguments.resize(q->filter.parameters.size());
        return {};
    });
}

void quern_query_bind_for(quern_query* q, size_t query) {
    if (IsHandle(q, Magic::kQuery)) {
        Remember(&q->error, [&]() -> Status {
            q->bind_for.reset();
            if (query == QUERN_ALL_QUERIES) {
                return {};
            }
            if (query >= kQueriesMax) {
                return Status::Error(Code::kLimit, "query number %zu, the limit is %zu", query,
                                     kQueriesMax);
            }
            q->bind_for = query;
            return {};
        });
    }
}

size_t quern_query_parameter(const quern_query* q, const char* name) {
    return IsHandle(q, Magic::kQuery) && name != nullptr ? q->filter.ParameterNamed(name) : 0;
}

void quern_query_bind_null(quern_query* q, size_t parameter) {
    BindValue(q, parameter, {});
}
void quern_query_bind_int(quern_query* q, size_t parameter, int64_t value) {
    BindValue(q, parameter, filter::Value::Int(value));
}
void quern_query_bind_real(quern_query* q, size_t parameter, double value) {
    BindValue(q, parameter, filter::Value::Real(value));
}
void quern_query_bind_text(quern_query* q, size_t parameter, const char* value) {
    BindArgument(q, parameter, [&](filter::Argument* argument) -> Status {
        if (value != nullptr) {
            QUERN_TRY(Utf8(value));
        }
        argument->values.push_back(value == nullptr ? filter::Value() : filter::Value::Text(value));
        return {};
    });
}
void quern_query_bind_blob(quern_query* q, size_t parameter, const void* value, size_t size) {
    BindArgument(q, parameter, [&](filter::Argument* argument) -> Status {
        if (size > 0) {
            QUERN_TRY(NotNull(value, "value"));
        }
        argument->values.push_back(
            filter::Value::Blob(std::string(static_cast<const char*>(value), size)));
        return {};
    });
}
void quern_query_bind_ints(quern_query* q, size_t parameter, const int64_t* values, size_t n) {
    BindArgument(q, parameter, [&](filter::Argument* argument) -> Status {
        if (n > 0) {
            QUERN_TRY(NotNull(values, "values"));
        }
        argument->is_list = true;
        argument->values.reserve(n);
        for (size_t i = 0; i < n; i++) {
            argument->values.push_back(filter::Value::Int(values[i]));
        }
        return {};
    });
}
void quern_query_bind_texts(quern_query* q, size_t parameter, const char* const* values, size_t n) {
    BindArgument(q, parameter, [&](filter::Argument* argument) -> Status {
        if (n > 0) {
            QUERN_TRY(NotNull(values, "values"));
        }
        argument->is_list = true;
        argument->values.reserve(n);
        for (size_t i = 0; i < n; i++) {
            QUERN_TRY(NotNull(values[i], "a text of the list"));
            QUERN_TRY(Utf8(values[i]));
            argument->values.push_back(filter::Value::Text(values[i]));
        }
        return {};
    });
}

int32_t quern_query_count(quern_query* q, uint64_t* count, quern_error* err) {
    return Guard(err, [&]() -> Status {
        const OnQuery call(q);
        QUERN_TRY(call.status());
        QUERN_TRY(NotNull(count, "count"));
        QUERN_TRY(q->OneFilter());
        QUERN_ASSIGN(const std::shared_ptr<Snapshot> snapshot, SnapshotOf(*q));
        return CountMatches(q->database.get(), snapshot.get(), q->request.collection,
                            q->request.filter, count);
    });
}
