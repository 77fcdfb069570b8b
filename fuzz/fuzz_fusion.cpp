// Kept fusions as they may stand in a hostile file: the input is the text.
//
// It must be refused, or say weights that are numbers, one for each leg, and be the same fusion
// again once it is written and read.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "engine/query/fusion_text.h"

using namespace quern::query;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const auto read = ReadFusionText({reinterpret_cast<const char*>(data), size});
    if (!read.ok()) {
        return 0;
    }
    bool good = read->legs.size() == read->options.weights.size() && read->legs.size() <= kLegsMax;
    for (const double weight : read->options.weights) {
        good = good && std::isfinite(weight) && weight >= 0;
    }
    const auto again = ReadFusionText(FusionText(*read));
    good = good && again.ok() && again->legs == read->legs &&
           again->options.weights == read->options.weights &&
           again->options.kind == read->options.kind;
    if (!good) {
        std::abort();
    }
    return 0;
}
