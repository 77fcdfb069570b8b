#include "engine/dense/recall_correction.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "engine/curves/curve_scale.h"

namespace quern::dense {

using curves::LogOfMiss;

namespace {

constexpr size_t kStepsMost = 32;
constexpr std::string_view kKey = "delivers=";

// Takes a share from the front of *text.
bool TakeShare(std::string_view* text, double* share) {
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), *share,
                                              std::chars_format::fixed);
    if (error != std::errc() || !(*share >= 0 && *share <= 1)) {
        return false;
    }
    text->remove_prefix(static_cast<size_t>(end - text->data()));
    return true;
}

bool TakeMark(std::string_view* text, char mark) {
    if (text->empty() || text->front() != mark) {
        return false;
    }
    text->remove_prefix(1);
    return true;
}

bool ReadSteps(std::string_view text, std::vector<RecallCorrection::Step>* steps) {
    do {
        RecallCorrection::Step step;
        if (!TakeShare(&text, &step.asked) || !TakeMark(&text, ':') ||
            !TakeShare(&text, &step.delivered) || steps->size() == kStepsMost ||
            !(step.asked > 0 && step.asked < 1) ||
            (!steps->empty() && steps->back().asked >= step.asked)) {
            return false;
        }
        steps->push_back(step);
    } while (TakeMark(&text, ','));
    return text.empty();
}

// As it is written.
double Rounded(double share) {
    return std::round(share * 1e5) / 1e5;
}

void AddShare(double share, std::string* text) {
    char number[32];
    const auto end =
        std::to_chars(number, number + sizeof number, Rounded(share), std::chars_format::fixed);
    text->append(number, end.ptr);
}

}  // namespace

RecallCorrection::RecallCorrection(std::vector<Step> steps) : steps_(std::move(steps)) {
    for (size_t i = steps_.size(); i-- > 1;) {
        steps_[i - 1].delivered = std::min(steps_[i - 1].delivered, steps_[i].delivered);
    }
}

Result<RecallCorrection> RecallCorrection::Parse(const std::string& text) {
    std::vector<Step> steps;
    if (!ReadSteps(text, &steps)) {
        return Status::Error(Code::kOption,
                             "option delivers=%s: expected pairs of shares asked:delivered with "
                             "commas between, each asked one more than the one before, as "
                             "0.9:0.86,0.95:0.92",
                             text.c_str());
    }
    return RecallCorrection(std::move(steps));
}

RecallCorrection RecallCorrection::Of(const std::string& options) {
    size_t at = options.find(kKey);
    while (at != std::string::npos && at > 0 && options[at - 1] != ' ') {
        at = options.find(kKey, at + 1);
    }
    std::vector<Step> steps;
    if (at == std::string::npos) {
        return {};
    }
    at += kKey.size();
    const size_t size = options.find(' ', at);
    const std::string_view value =
        std::string_view(options).substr(at, size == std::string::npos ? size : size - at);
    return ReadSteps(value, &steps) ? RecallCorrection(std::move(steps)) : RecallCorrection();
}

std::string RecallCorrection::Text() const {
    std::string text;
    for (const Step& step : steps_) {
        text += text.empty() ? "" : ",";
        AddShare(step.asked, &text);
        text += ":";
        AddShare(step.delivered, &text);
    }
    return text;
}

double RecallCorrection::AskFor(double wanted) const {
    if (empty()) {
        return wanted;
    }
    const auto enough = std::find_if(steps_.begin(), steps_.end(),
                                     [&](const Step& step) { return step.delivered >= wanted; });
    return enough == steps_.end() ? 1 : enough->asked;
}

double RecallCorrection::AskBetween() const {
    // Both in the logarithms of what is missed, as curves are.
    constexpr double kClose = 0.2;     // what two steps deliver
    constexpr double kNarrow = 0.1;    // what they ask for: nothing is to be found between
    constexpr double kNoise = 0.0005;  // of what is missed: so little no sample tells
    const auto log_of_miss = [](double recall) { return LogOfMiss(recall - kNoise); };
    double between = 0;
    double widest = kClose;
    for (size_t i = 1; i < steps_.size() && steps_.size() < kStepsMost; i++) {
        const Step& below = steps_[i - 1];
        const Step& above = steps_[i];
        const double asked = LogOfMiss(below.asked) - LogOfMiss(above.asked);
        const double delivered = log_of_miss(below.delivered) - log_of_miss(above.delivered);
        if (asked > kNarrow && delivered > widest) {
            widest = delivered;
            between = 1 - std::exp((LogOfMiss(below.asked) + LogOfMiss(above.asked)) / 2);
        }
    }
    return Rounded(between);
}

}  // namespace quern::dense
