#!/usr/bin/env bash
# Lines and branches that tests reach, by folder, with gcov alone. Builds the preset "coverage" and runs tests there.
#   ./tests/coverage.sh                      the quick tests, and those of sessions
#   ./tests/coverage.sh -R 'unit|contract'   further arguments go to ctest
#   ./tests/coverage.sh --report [FOLDER]    figures of what has run already; of one folder: also the branches that nobody took
# Of branches, those that only an exception takes are left out: each call has one. QUERN_COVERAGE_TARGETS="A B": builds these alone.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ "${1:-}" != --report ]; then
  cmake --preset coverage >/dev/null
  find build/coverage -name '*.gcda' -delete
  # shellcheck disable=SC2086
  cmake --build --preset coverage ${QUERN_COVERAGE_TARGETS:+--target $QUERN_COVERAGE_TARGETS}
  [ $# -gt 0 ] || set -- -L 'quick|sessions'
  umask 0  # tests that give up their rights add to the counts, too
  ctest --preset coverage -j "$(nproc)" "$@" || echo "some tests failed; the figures are of those as well" >&2
  set --
fi
exec python3 -B tests/coverage_report.py build/coverage "${2:-}"
