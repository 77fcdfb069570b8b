// For programs that know nothing of planted faults: the number in QUERN_FAULT is planted before
// they begin. (The library itself never reads the environment.)
#include <cstdlib>

#include "storage/base/test_fault.h"

namespace {

const bool planted = [] {
    const char* const fault = std::getenv("QUERN_FAULT");
    quern::planted_fault = static_cast<quern::Fault>(fault == nullptr ? 0 : std::atoi(fault));
    return true;
}();

}  // namespace
