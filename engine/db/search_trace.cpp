#include "engine/db/search_trace.h"

#include <cmath>

#include "storage/base/at_end.h"

namespace quern {

void SegmentTrace::Plan(const PlanEstimate& estimate, uint64_t of_queries) {
    const auto all = static_cast<double>(of_queries);
    queries += of_queries;
    planned[static_cast<size_t>(estimate.way)] += of_queries;
    selectivity += estimate.selectivity * all;
    matches += estimate.matches * all;
    expected_scored += estimate.scored * all;
    expected_refined += estimate.refined * all;
    expected_ns += estimate.way_ns[static_cast<size_t>(estimate.way)] * all;
    for (size_t way = 0; way < kSearchWays; way++) {
        way_ns[way] += estimate.way_ns[way] * all;
    }
    least_recall = std::min(least_recall, estimate.recall);
}

void SegmentTrace::Add(const SegmentTrace& other) {
    records = other.records;
    queries += other.queries;
    matches += other.matches;
    for (size_t way = 0; way < kSearchWays; way++) {
        planned[way] += other.planned[way];
        done[way] += other.done[way];
        way_ns[way] += other.way_ns[way];
    }
    selectivity += other.selectivity;
    expected_scored += other.expected_scored;
    expected_refined += other.expected_refined;
    expected_ns += other.expected_ns;
    least_recall = std::min(least_recall, other.least_recall);
    counts += other.counts;
    priced_ns += other.priced_ns;
    passed_ns += other.passed_ns;
    left_out |= other.left_out;
}

void SearchTrace::Add(const SegmentTrace& segment) {
    const auto known =
        std::find_if(segments.begin(), segments.end(),
                     [&](const SegmentTrace& other) { return other.segment == segment.segment; });
    if (known == segments.end()) {
        segments.push_back(segment);
    } else {
        known->Add(segment);
    }
}

void SearchTrace::LeaveOut(int64_t segment, uint64_t records, uint32_t spent) {
    SegmentTrace trace;
    trace.segment = segment;
    trace.records = records;
    trace.left_out = spent;
    Add(trace);
}

void SearchTrace::TakeCosts(const SearchTally& tally) {
    counts = tally;
    left_out |= tally.left_out;
    search_ns = tally.search_ns;
    refine_ns = tally.refine_ns;
    lookup_ns = tally.lookup_ns;
}

void SearchTrace::Add(const SearchTrace& other) {
    name = other.name.empty() ? name : other.name;
    field = other.field.empty() ? field : other.field;
    kind = other.kind.empty() ? kind : other.kind;
    for (const SegmentTrace& segment : other.segments) {
        Add(segment);
    }
    legs.resize(std::max(legs.size(), other.legs.size()));
    for (size_t l = 0; l < other.legs.size(); l++) {
        legs[l].Add(other.legs[l]);
    }
    if (!other.candidates.empty()) {
        Candidates()->Add(other.candidates[0]);
    }
    if (!other.feedback.empty()) {
        Feedback()->Add(other.feedback[0]);
    }
    counts += other.counts;
    search_ns += other.search_ns;
    refine_ns += other.refine_ns;
    lookup_ns += other.lookup_ns;
    lists += other.lists;
    hits += other.hits;
    looked_up += other.looked_up;
    measured += other.measured;
    left_out |= other.left_out;
    limits = other.limits.any() ? other.limits : limits;
}

SearchTrace* SearchTrace::Candidates() {
    candidates.resize(1);
    return &candidates[0];
}

SearchTrace* SearchTrace::Feedback() {
    feedback.resize(1);
    return &feedback[0];
}

SegmentWatch::~SegmentWatch() {
    told.counts = *counts_;
    told.counts -= before_;
    TakeNews();
    told.priced_ns = estimate_.Price(told.counts, told.queries);
    told.passed_ns = static_cast<uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - begin_).count());
    Try([this] { trace_->Add(told); });
}

}  // namespace quern
