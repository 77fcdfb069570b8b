#!/usr/bin/env bash
# Sets up a fresh Debian 12, builds, and runs all tests.
#   ./test.sh            release build
#   ./test.sh asan       AddressSanitizer and UndefinedBehaviorSanitizer; also: debug, tsan, coverage
#   ./test.sh release -R unit    further arguments go to ctest
set -euo pipefail
cd "$(dirname "$0")"
source cmake/packages.sh
quern_install_packages "${QUERN_BUILD_PACKAGES[@]}" "${QUERN_TEST_PACKAGES[@]}"
quern_install_packages "${QUERN_MORE_TEST_PACKAGES[@]}" || echo "without them: their tests skip"
preset="${1:-release}"
[ $# -gt 0 ] && shift
cmake --preset "$preset" >/dev/null
target=all
[ "$*" = "-L quick" ] && target=quern_quick
cmake --build --preset "$preset" --target "$target"
ctest --preset "$preset" -j "$(nproc)" "$@"
