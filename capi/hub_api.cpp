// Numbers of records that correct for hubs and for gaps between kinds.
#include <charconv>
#include <cmath>

#include "capi/handles.h"
#include "engine/db/hub_measure.h"

using namespace quern;
using namespace quern::capi;

namespace {

Status ParseKind(const Option& option, HubOptions* hubs) {
    static constexpr std::pair<const char*, HubOptions::Kind> kKinds[] = {
        {"csls", HubOptions::Kind::kCsls},
        {"softmax", HubOptions::Kind::kSoftmax},
        {"scaling", HubOptions::Kind::kScaling},
        {"nicdm", HubOptions::Kind::kNicdm},
        {"zscore", HubOptions::Kind::kZScore}};
    for (const auto& [name, kind] : kKinds) {
        if (option.value == name) {
            hubs->kind = kind;
            return {};
        }
    }
    return BadValue(option, "csls, softmax, scaling, nicdm or zscore");
}

Status ParseHubs(const char* options, HubOptions* hubs) {
    std::vector<Option> list;
    QUERN_TRY(ParseOptions(
        options, {"kind", "k", "temperature", "sample", "deviation", "by", "threads"}, &list));
    for (const Option& option : list) {
        int64_t number = 0;
        if (option.key == "kind") {
            QUERN_TRY(ParseKind(option, hubs));
        } else if (option.key == "k") {
            QUERN_TRY(ParseInteger(option, 1, 1000, &number));
            hubs->k = static_cast<size_t>(number);
        } else if (option.key == "sample") {
            QUERN_TRY(ParseInteger(option, 1, 1000000, &number));
            hubs->sample = static_cast<size_t>(number);
        } else if (option.key == "threads") {
            QUERN_TRY(ParseInteger(option, 1, 256, &number));
            hubs->threads = static_cast<int>(number);
        } else if (option.key == "deviation") {
            hubs->deviation = option.value;
        } else if (option.key == "by") {
            hubs->by = option.value;
        } else {
            const char* const end = option.value.data() + option.value.size();
            const auto parsed = std::from_chars(option.value.data(), end, hubs->temperature);
            if (parsed.ec != std::errc() || parsed.ptr != end ||
                !(hubs->temperature >= 1e-6 && hubs->temperature <= 1e6)) {
                return BadValue(option, "a number from 0.000001 to 1000000");
            }
        }
    }
    if (hubs->kind != HubOptions::Kind::kZScore &&
        (!hubs->deviation.empty() || !hubs->by.empty())) {
        return Status::Error(Code::kInvalid, "deviation and by go with kind=zscore");
    }
    return {};
}

}  // namespace

int32_t quern_measure_hubs(quern_db* db, const char* collection, const char* field,
                           const char* attribute, const float* vectors, size_t n, size_t dim,
                           const char* options, quern_error* err) {
    return Guard(err, [&]() -> Status {
        QUERN_TRY(CheckHandle(db, Magic::kDb, "db"));
        QUERN_TRY(NotNull(collection, "collection"));
        QUERN_TRY(NotNull(field, "field"));
        QUERN_TRY(NotNull(attribute, "attribute"));
        if (n > 0) {
            QUERN_TRY(NotNull(vectors, "vectors"));
        }
        const Entered entered(db->database);
        QUERN_TRY(entered.status());
        HubOptions hubs;
        QUERN_TRY(ParseHubs(options, &hubs));
        return MeasureHubs(db->database, collection, field, attribute, {vectors, n, dim}, hubs);
    });
}
