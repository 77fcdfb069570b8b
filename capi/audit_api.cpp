// Measuring the recall that queries get.

#include "capi/handles.h"
#include "engine/db/recall_audit.h"
#include "storage/base/json.h"

using namespace quern;
using namespace quern::capi;

namespace {

Status ParseAudit(const char* options, AuditOptions* audit) {
    std::vector<Option> list;
    QUERN_TRY(ParseOptions(options, {"keep", "sample"}, &list));
    for (const Option& option : list) {
        if (option.key == "sample") {
            int64_t sample = 0;
            QUERN_TRY(ParseInteger(option, 1, INT32_MAX, &sample));
            audit->sample = static_cast<size_t>(sample);
        } else if (option.value == "yes") {
            audit->keep = AuditOptions::Keep::kYes;
        } else if (option.value == "no") {
            audit->keep = AuditOptions::Keep::kNo;
        } else if (option.value == "forget") {
            audit->keep = AuditOptions::Keep::kForget;
        } else {
            return BadValue(option, "yes, no or forget");
        }
    }
    return {};
}

Json JsonOf(const AuditedSearch& audited) {
    Json json = {{"part", audited.part}};
    if (!audited.field.empty()) {
        json["field"] = audited.field;
    }
    json["k"] = audited.limit;
    json["recall"] = audited.recall;
    json["error"] = audited.error;
    if (audited.told > 0) {
        json["told"] = audited.told;
    } else {
        json["told"] = nullptr;
    }
    return json;
}

std::string AuditText(const RecallAudit& audit) {
    Json json = {{"queries", audit.queries}};
    if (audit.queries > 0) {
        json.Merge(JsonOf(audit.whole));
        json["parts"] = Json::Array();
        for (const AuditedSearch& part : audit.parts) {
            json["parts"].push_back(JsonOf(part));
        }
        json["loses"] = nullptr;
        if (audit.loses < audit.parts.size()) {
            json["loses"] = audit.parts[audit.loses].part;
        }
    }
    json["kept"] = Json::Array();
    for (const KeptRecall& kept : audit.kept) {
        json["kept"].push_back({{"field", kept.field}, {"delivers", kept.delivers}});
    }
    return json.Text();
}

}  // namespace

int32_t quern_recall_audit(quern_query* q, const char* options, quern_text** json,
                           quern_error* err) {
    if (json != nullptr) {
        *json = nullptr;
    }
    return Guard(err, [&]() -> Status {
        const OnQuery call(q);
        QUERN_TRY(call.status());
        QUERN_TRY(NotNull(json, "json"));
        QUERN_TRY(CheckComplete(*q));
        AuditOptions wanted;
        QUERN_TRY(ParseAudit(options, &wanted));
        QUERN_ASSIGN(const std::shared_ptr<Snapshot> snapshot, SnapshotOf(*q));
        RecallAudit audit;
        QUERN_TRY(AuditRecall(q->database.get(), snapshot.get(), q->request, wanted, &audit));
        auto text = std::make_unique<quern_text>();
        text->text = AuditText(audit);
        *json = text.release();
        return {};
    });
}
