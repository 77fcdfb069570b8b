#include "tests/crash/planted.h"

#include "storage/base/test_fault.h"

namespace quern::crash {

void Plant(long fault) {
#ifdef QUERN_TEST_FAULTS
    planted_fault = static_cast<Fault>(fault);
#else
    static_cast<void>(fault);
#endif
}

}  // namespace quern::crash
