#include "engine/db/result_explain.h"

#include <cmath>

#include "engine/db/result_table.h"
#include "engine/db/search_budget.h"
#include "storage/base/json.h"

namespace quern {

namespace {

constexpr std::array<const char*, kSearchWays> kWayNames = {"scan",  "graph", "codes",
                                                            "lists", "index", "made"};

// Counted things as whole numbers, where they are; JSON has no NaN.
Json Number(double number) {
    if (!std::isfinite(number)) {
        return nullptr;
    }
    constexpr double kWholeMost = 9e15;
    return number == std::floor(number) && std::abs(number) < kWholeMost
               ? Json(static_cast<int64_t>(number))
               : Json(number);
}

Json Rounded(double number) {
    return Number(std::round(number));
}

Json ReadsJson(const FileReads& reads) {
    return {{"bytes", reads.bytes}, {"chunks", reads.chunks}, {"pages_cached", reads.pages_cached}};
}

// All of it, or what there is of it.
Json CountsJson(const SearchCounts& counts, bool all) {
    Json json;
    const auto add = [&](const char* name, uint64_t count) {
        if (all || count > 0) {
            json[name] = count;
        }
    };
    json["vectors_scored"] = counts.scored;
    add("scored_by_walks", counts.walked);
    add("scored_by_codes", counts.coded);
    add("scored_in_cells", counts.in_cells);
    json["vectors_refined"] = counts.refined;
    add("vectors_read", counts.fetched);
    add("vectors_cached", counts.cached);
    add("postings", counts.postings);
    add("blocks", counts.blocks);
    add("blocks_opened", counts.blocks_opened);
    add("cells_opened", counts.cells_opened);
    add("cells_passed", counts.cells_passed);
    add("cells_guided", counts.cells_guided);
    add("far_queries", counts.far_queries);
    json["read"] = ReadsJson(counts.reads);
    return json;
}

// What has run out, as the options are called.
Json LeftOutJson(uint32_t left_out) {
    Json json = Json::Array();
    if ((left_out & kSpentTime) != 0) {
        json.push_back("timeout_ms");
    }
    if ((left_out & kSpentScored) != 0) {
        json.push_back("max_scored");
    }
    if ((left_out & kSpentBytes) != 0) {
        json.push_back("max_bytes");
    }
    return json;
}

const char* PlannedWay(const SegmentTrace& segment) {
    const auto most = std::max_element(segment.planned.begin(), segment.planned.end());
    return kWayNames[static_cast<size_t>(most - segment.planned.begin())];
}

// Estimates and counts are sums over the queries; shares are means.
Json TracedJson(const SegmentTrace& segment) {
    const double queries = static_cast<double>(std::max<uint64_t>(1, segment.queries));
    Json json;
    json["segment"] = segment.segment == 0 ? Json("log") : Json(segment.segment);
    json["records"] = segment.records;
    if (segment.left_out != 0) {
        json["left_out"] = LeftOutJson(segment.left_out);
    }
    if (segment.queries == 0 && segment.left_out != 0) {
        json["queries"] = 0;  // the search has not come to it
        return json;
    }
    json["matches"] = Number(segment.matches / queries);
    json["queries"] = segment.queries;
    json["way"] = PlannedWay(segment);
    Json ways;
    for (size_t way = 0; way < kSearchWays; way++) {
        if (segment.way_ns[way] != 0) {
            ways[kWayNames[way]] = Rounded(segment.way_ns[way]);
        }
    }
    Json estimate = {{"selectivity", Number(segment.selectivity / queries)},
                     {"vectors_scored", Rounded(segment.expected_scored)},
                     {"vectors_refined", Rounded(segment.expected_refined)}};
    estimate["cost_ns"] = ways.is_null() ? Json(nullptr) : Rounded(segment.expected_ns);
    if (!ways.is_null()) {
        estimate["ways_ns"] = std::move(ways);
    }
    estimate["recall"] = segment.least_recall > 0 ? Json(segment.least_recall) : Json(nullptr);
    json["estimate"] = std::move(estimate);

    const SearchCounts& counts = segment.counts;
    Json done;
    for (size_t way = 0; way < kSearchWays; way++) {
        if (segment.done[way] > 0) {
            done[kWayNames[way]] = segment.done[way];
        }
    }
    Json truth = {{"ways", done.is_null() ? Json::Object() : std::move(done)}};
    // Where a walk has been: else all that may be found was counted, and that is that.
    truth["selectivity"] = Number(counts.wanted_of > 0 ? static_cast<double>(counts.wanted_met) /
                                                             static_cast<double>(counts.wanted_of)
                                                       : segment.selectivity / queries);
    truth.Merge(CountsJson(counts, false));
    truth["cost_ns"] = segment.priced_ns > 0 ? Rounded(segment.priced_ns) : Json(nullptr);
    truth["time_ns"] = segment.passed_ns;
    json["truth"] = std::move(truth);
    return json;
}

void AddParts(const SearchTrace& trace, Json* json);

Json PartJson(const SearchTrace& trace) {
    Json json;
    if (!trace.field.empty()) {
        json["field"] = trace.field;
        json["kind"] = trace.kind;
    }
    if (trace.left_out != 0) {
        json["left_out"] = LeftOutJson(trace.left_out);
    }
    json["counts"] = CountsJson(trace.counts, false);
    json["time_ns"] = {
        {"search", trace.search_ns}, {"refine", trace.refine_ns}, {"lookup", trace.lookup_ns}};
    AddParts(trace, &json);
    return json;
}

void AddParts(const SearchTrace& trace, Json* json) {
    if (trace.measured > 0) {
        (*json)["candidates_scored"] = trace.measured;
    }
    if (!trace.segments.empty()) {
        for (const SegmentTrace& segment : trace.segments) {
            (*json)["segments"].push_back(TracedJson(segment));
        }
    }
    for (size_t l = 0; l < trace.legs.size(); l++) {
        const SearchTrace& leg = trace.legs[l];
        Json one = {{"leg", l}};
        if (!leg.name.empty()) {
            one["name"] = leg.name;
        }
        one.Merge(PartJson(leg));
        one["lists"] = leg.lists;
        one["hits"] = leg.hits;
        one["looked_up"] = leg.looked_up;
        (*json)["legs"].push_back(std::move(one));
    }
    if (!trace.candidates.empty()) {
        (*json)["candidates"] = PartJson(trace.candidates[0]);
    }
    if (!trace.feedback.empty()) {
        (*json)["feedback"] = PartJson(trace.feedback[0]);
    }
}

}  // namespace

Status ExplainResult(const ResultTable& table, std::string* json) {
    const SearchTally& tally = table.tally;
    const size_t rows = table.row_count();
    const bool searched = !table.trace.segments.empty() || !table.trace.legs.empty() ||
                          !table.trace.candidates.empty() || tally.total_ns > 0;
    if (!searched || table.scores.size() != rows) {
        return Status::Error(Code::kInvalid, "r is no result of a search");
    }
    constexpr uint32_t kExact = 1;
    Json all = {{"queries", table.offsets.size() - 1},
                {"hits", rows},
                {"exact", (table.flags & kExact) != 0},
                {"partial", (table.flags & kPartialFlag) != 0}};
    const BudgetLimits& limits = table.trace.limits;
    if (limits.any()) {
        all["budget"] = {{"timeout_ms", limits.timeout_ms},
                         {"max_scored", limits.scored_max},
                         {"max_bytes", limits.bytes_max},
                         {"left_out", LeftOutJson(tally.left_out)}};
    }
    all["recall"] = tally.expected_recall > 0 ? Json(tally.expected_recall) : Json(nullptr);
    if (!table.trace.field.empty()) {
        all["field"] = table.trace.field;
        all["kind"] = table.trace.kind;
    }
    all["counts"] = CountsJson(tally, true);
    all["time_ns"] = {{"total", tally.total_ns},   {"filter", tally.filter_ns},
                      {"search", tally.search_ns}, {"refine", tally.refine_ns},
                      {"lookup", tally.lookup_ns}, {"fuse", tally.fuse_ns},
                      {"fetch", tally.fetch_ns}};
    AddParts(table.trace, &all);
    *json = all.Text();
    return {};
}

}  // namespace quern
