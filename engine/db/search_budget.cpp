#include "engine/db/search_budget.h"

#include <algorithm>

namespace quern {

SearchBudget::SearchBudget(const BudgetLimits& limits, Clock::time_point begin)
    : scored_max_(limits.scored_max > 0 ? limits.scored_max : kNoBound),
      bytes_max_(limits.bytes_max > 0 ? limits.bytes_max : kNoBound) {
    if (limits.timeout_ms > 0) {
        deadline_ = begin + std::chrono::milliseconds(limits.timeout_ms);
    }
}

std::shared_ptr<SearchBudget> SearchBudget::Child(double share) {
    std::shared_ptr<SearchBudget> child(new SearchBudget());
    if (deadline_) {
        const Clock::time_point now = Clock::now();
        child->deadline_ =
            std::min(*deadline_, now + std::chrono::duration_cast<Clock::duration>(
                                           std::max(*deadline_ - now, Clock::duration(0)) * share));
    }
    if (bytes_max_ != kNoBound) {
        child->bytes_max_ = static_cast<uint64_t>(static_cast<double>(BytesLeft()) * share);
    }
    child->scored_max_ = scored_max_;
    child->after_others_ = shared_ || after_others_;
    shared_ = true;
    return child;
}

std::shared_ptr<SearchBudget> SearchBudget::Share(size_t parts) {
    std::shared_ptr<SearchBudget> child = Child(1.0 / static_cast<double>(parts));
    child->parent_ = this;
    if (has_scored_max()) {
        for (size_t q = 0; q < scored_.size(); q++) {
            // Rounded up, so that each may look at something as long as there is anything left.
            child->own_max_.push_back((ScoredLeft(q) + parts - 1) / parts);
        }
        child->scored_max_ = (scored_max_ + parts - 1) / parts;
    }
    child->Reserve(scored_.size());
    return child;
}

std::shared_ptr<SearchBudget> SearchBudget::OfQuery(size_t query) {
    std::shared_ptr<SearchBudget> child = Child(1);
    child->parent_ = this;
    child->after_others_ = true;  // what looks deeper for one query has looked before
    child->first_query_ = query;
    child->of_one_ = true;
    child->scored_max_ = ScoredLeft(query);
    return child;
}

std::shared_ptr<SearchBudget> SearchBudget::OfGroup(double share) {
    std::shared_ptr<SearchBudget> child = Child(share);
    child->parent_ = this;
    child->counts_up_ = false;
    return child;
}

void SearchBudget::Reserve(size_t queries) {
    scored_.resize(std::max(scored_.size(), queries), 0);
    cut_.resize(scored_.size(), 0);
    if (parent_ != nullptr && counts_up_) {
        parent_->Reserve(first_query_ + scored_.size());
    }
}

SearchBudget::Clock::duration SearchBudget::TimeLeft() const {
    return deadline_ ? std::max(*deadline_ - Clock::now(), Clock::duration(0))
                     : Clock::duration(std::chrono::hours(24 * 365));
}

void SearchBudget::Time(Work* work) const {
    if (deadline_) {
        work->StopAt(*deadline_);
    }
}

void SearchBudget::TimeQuery(size_t query, size_t queries, size_t threads, Work* work) const {
    if (deadline_) {
        const double share =
            std::min(1.0, static_cast<double>(threads) / static_cast<double>(queries - query));
        work->StopAt(Clock::now() +
                     std::chrono::duration_cast<Clock::duration>(TimeLeft() * share));
    }
}

uint64_t SearchBudget::ScoredLeft(size_t query) const {
    const uint64_t most = query < own_max_.size() ? own_max_[query] : scored_max_;
    const uint64_t spent = query < scored_.size() ? scored_[query] : 0;
    return most == kNoBound ? kNoBound : most - std::min(most, spent);
}

uint64_t SearchBudget::MostScoredLeft() const {
    if (!has_scored_max() && own_max_.empty()) {
        return kNoBound;
    }
    uint64_t most = scored_.empty() ? scored_max_ : 0;
    for (size_t q = 0; q < scored_.size(); q++) {
        most = std::max(most, ScoredLeft(q));
    }
    return most;
}

void SearchBudget::AddScored(size_t query, uint64_t count) {
    if (query < scored_.size()) {
        scored_[query] += count;
    }
    if (parent_ != nullptr && counts_up_) {
        parent_->AddScored(first_query_ + query, count);
    }
}

uint64_t SearchBudget::BytesLeft() const {
    return bytes_max_ == kNoBound ? kNoBound : bytes_max_ - std::min(bytes_max_, bytes_.load());
}

void SearchBudget::AddBytes(uint64_t bytes) {
    bytes_.fetch_add(bytes);
    if (parent_ != nullptr) {
        parent_->AddBytes(bytes);
    }
}

uint32_t SearchBudget::Spent() const {
    return (Late() ? kSpentTime : 0) | (MostScoredLeft() == 0 ? kSpentScored : 0) |
           (BytesSpent() ? kSpentBytes : 0);
}

uint32_t SearchBudget::SpentOf(size_t query) const {
    return (Late() ? kSpentTime : 0) | (ScoredLeft(query) == 0 ? kSpentScored : 0) |
           (BytesSpent() ? kSpentBytes : 0);
}

void SearchBudget::LeftOut(uint32_t spent, size_t query) {
    if (spent == 0) {
        return;
    }
    query = of_one_ ? 0 : query;
    left_out_.fetch_or(spent);
    news_.fetch_or(spent);
    if (query < cut_.size()) {
        cut_[query] = 1;
    } else {
        left_out_of_all_.fetch_or(spent);
    }
    if (parent_ != nullptr) {
        const bool known = query != kAllQueries && counts_up_;
        parent_->LeftOut(spent, known ? first_query_ + query : kAllQueries);
    }
}

}  // namespace quern
