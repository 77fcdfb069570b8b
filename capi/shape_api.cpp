// The shape of results: pages, groups, diversity.
#include <charconv>
#include <cmath>

#include "capi/handles.h"

using namespace quern;
using namespace quern::capi;

namespace {

constexpr size_t kOffsetMax = 1048576;
constexpr size_t kPerGroupMax = 10000;
constexpr int64_t kPoolMax = 65536;

Status ParseRange(const Option& option, double low, double high, const char* form, double* number) {
    const char* const end = option.value.data() + option.value.size();
    const auto parsed = std::from_chars(option.value.data(), end, *number);
    if (parsed.ec != std::errc() || parsed.ptr != end || !(*number >= low && *number <= high)) {
        return BadValue(option, form);
    }
    return {};
}

Status ParseDiversity(const char* field, const char* options, HitShape* shape) {
    shape->similar_by.clear();
    shape->duplicates.reset();
    shape->lambda.reset();
    shape->pool = 0;
    shape->scaled = true;
    if (field == nullptr) {
        return {};
    }
    std::vector<Option> list;
    QUERN_TRY(ParseOptions(options, {"lambda", "pool", "scale", "duplicates"}, &list));
    for (const Option& option : list) {
        double number = 0;
        if (option.key == "lambda") {
            QUERN_TRY(ParseRange(option, 0, 1, "a number from 0 to 1", &number));
            shape->lambda = number;
        } else if (option.key == "duplicates") {
            QUERN_TRY(ParseRange(option, -1, 1, "a cosine from -1 to 1", &number));
            shape->duplicates = number;
        } else if (option.key == "pool") {
            int64_t pool = 0;
            QUERN_TRY(ParseInteger(option, 1, kPoolMax, &pool));
            shape->pool = static_cast<size_t>(pool);
        } else if (option.value == "minmax" || option.value == "none") {
            shape->scaled = option.value == "minmax";
        } else {
            return BadValue(option, "minmax or none");
        }
    }
    if (!shape->lambda && !shape->duplicates) {
        return Status::Error(Code::kInvalid, "diversity needs lambda, duplicates or both");
    }
    shape->similar_by = field;
    return {};
}

}  // namespace

void quern_query_offset(quern_query* q, size_t n) {
    if (IsHandle(q, Magic::kQuery)) {
        Remember(&q->error, [&]() -> Status {
            if (n > kOffsetMax) {
                return Status::Error(Code::kLimit, "the offset is %zu, the limit is %zu", n,
                                     kOffsetMax);
            }
            q->request.shape.offset = n;
            return {};
        });
    }
}

void quern_query_group(quern_query* q, const char* attribute, size_t per_group) {
    if (IsHandle(q, Magic::kQuery)) {
        Remember(&q->error, [&]() -> Status {
            if (attribute == nullptr) {
                q->request.shape.group_by.clear();
                return {};
            }
            if (*attribute == '\0') {
                return Status::Error(Code::kInvalid, "the attribute to group by has no name");
            }
            if (per_group < 1 || per_group > kPerGroupMax) {
                return Status::Error(Code::kInvalid, "%zu hits of each group: from 1 to %zu",
                                     per_group, kPerGroupMax);
            }
            q->request.shape.group_by = attribute;
            q->request.shape.per_group = per_group;
            return {};
        });
    }
}

void quern_query_diversify(quern_query* q, const char* field, const char* options) {
    if (IsHandle(q, Magic::kQuery)) {
        Remember(&q->error, [&] { return ParseDiversity(field, options, &q->request.shape); });
    }
}

int64_t quern_result_group(const quern_result* r, size_t row) {
    return IsHandle(r, Magic::kResult) && row < r->table.groups.size()
               ? static_cast<int64_t>(r->table.groups[row])
               : -1;
}
