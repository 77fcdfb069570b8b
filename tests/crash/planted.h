// Plants an error of quern's own, where the library has them (storage/base/test_fault.h).
#pragma once

namespace quern::crash {

// 0: none. Any other number must be one of a fault.
void Plant(long fault);

}  // namespace quern::crash
