// Formulas as anybody could write them. The text is the input, behind one byte that chooses what
// its variables and parameters are.
//
// Every text must end in a formula or a mistake, every formula in values for all kinds of numbers,
// and no value may lie outside the range that is told of it.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "engine/query/formula.h"

using namespace quern;
using namespace quern::query;

namespace {

constexpr uint32_t kVariables = 4;
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kValues[] = {-kInfinity, -1e300, -3, -1,  -0.5,  -1e-310,   0,        1e-310,
                              0.5,        1,      2,  1e9, 1e300, kInfinity, kInfinity};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0) {
        return 0;
    }
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    auto parsed = ParseFormula(text);
    if (!parsed.ok()) {
        return 0;
    }
    const auto resolve = [](const std::string& name, size_t) -> Result<uint32_t> {
        return static_cast<uint32_t>(name.size() % kVariables);
    };
    std::vector<double> parameters;
    for (size_t i = 0; i < parsed->parameters.size(); i++) {
        parameters.push_back(kValues[(data[0] + i) % std::size(kValues)]);
    }
    auto formula = Formula::Compile(*parsed, resolve, parameters);
    if (!formula.ok()) {
        return 0;
    }
    // A part of the values, in order; every fifth is null where it may be.
    constexpr size_t kRecords = 30;
    std::vector<std::vector<double>> columns(kVariables);
    std::vector<const double*> pointers;
    std::vector<ValueRange> ranges;
    for (uint32_t v = 0; v < kVariables; v++) {
        const size_t low = (data[0] * (v + 1)) % std::size(kValues);
        const size_t count = 1 + (data[0] / 16 + v * 3) % (std::size(kValues) - low);
        const bool nullable = ((data[0] >> v) & 1) != 0;
        ranges.push_back({kValues[low], kValues[low + count - 1], nullable});
        for (size_t i = 0; i < kRecords; i++) {
            const bool null = nullable && i % 5 == v;
            columns[v].push_back(null ? std::nan("") : kValues[low + (i * (v + 1)) % count]);
        }
        pointers.push_back(columns[v].data());
    }
    double values[kRecords];
    formula->Evaluate(pointers, kRecords, values);
    const ValueRange range = formula->RangeOf(ranges);
    for (const double value : values) {
        const bool within = std::isnan(value) ? range.nullable || range.empty()
                                              : range.low <= value && value <= range.high;
        if (!within) {
            std::abort();
        }
    }
    return 0;
}
