// What recall has to be asked of an index's curve so that a field's own queries get the recall that
// is wanted. Curves are measured on records; queries may be unlike these (questions and answers,
// texts and images) and get less, or more, from the same effort.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/status.h"

namespace quern::dense {

class RecallCorrection {
public:
    // What is asked of the curve at first to find out what it delivers: the lowest effort first.
    static constexpr std::array<double, 16> kAsked = {0.3,   0.6,   0.8,   0.85,  0.9,  0.93,
                                                      0.95,  0.965, 0.98,  0.985, 0.99, 0.993,
                                                      0.995, 0.997, 0.998, 0.999};

    struct Step {
        double asked = 0;
        double delivered = 0;
    };
    RecallCorrection() = default;  // the curve is taken at its word
    // Asked for more, no curve delivers less: what says so was noise, and counts as the least of
    // all above. asked ascends.
    explicit RecallCorrection(std::vector<Step> steps);
    // "0.9:0.861,0.95:0.921": asked:delivered. kOption.
    static Result<RecallCorrection> Parse(const std::string& text);
    // Of the options of a field; what cannot be read there counts as nothing. Cost: about a
    // microsecond, or nothing without such an option.
    static RecallCorrection Of(const std::string& options);
    std::string Text() const;

    bool empty() const { return steps_.empty(); }
    // What the curve is to be asked for: the least of the steps that delivers so much. What lies
    // between two steps nobody has measured, and where it is another way to search (a walk, a scan
    // over codes) it may deliver no more than the step below. 1: no step delivers so much.
    double AskFor(double wanted) const;
    // What else should be asked of the curve, so that nobody who wants what lies between two steps
    // gets much more: between those that deliver what is farthest apart. 0: they are close enough,
    // or as many as can be kept.
    double AskBetween() const;

private:
    std::vector<Step> steps_;
};

}  // namespace quern::dense
