// One picture: recall against queries per second, a line for each engine.
//
// Both axes are logarithmic; that of recall in what is missing to 1, so that the end which matters
// is spread out. Written by hand: a picture of lines needs no library.
#pragma once

#include <string>
#include <vector>

#include "tests/bench/dense/sweep.h"

namespace bench {

struct CurveLine {
    std::string label;
    std::vector<const Point*> front;  // ascending recall
    bool strong = false;              // drawn thicker
};

struct CurvePicture {
    std::string title;
    std::string subtitle;
    std::vector<CurveLine> lines;
};

std::string DrawCurves(const CurvePicture& picture);

}  // namespace bench
