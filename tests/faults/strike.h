// Between the parts of failing.h: whether this call is the one that fails.
#pragma once

#include "tests/faults/failing.h"

namespace quern::faults {

bool Strike(Kind kind);

// What the test itself does meanwhile, on this thread, is not counted.
class Exempt {
public:
    Exempt();
    ~Exempt();
    Exempt(const Exempt&) = delete;
    Exempt& operator=(const Exempt&) = delete;
};

}  // namespace quern::faults
