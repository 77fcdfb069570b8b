#!/usr/bin/env bash
# What clang-tidy says of the sources and their headers; .clang-tidy has the rules. Nothing has to be built for it.
#   ./tests/tidy.sh                                all: storage, capi, engine, bindings/cli
#   ./tests/tidy.sh engine/db capi/handles.cpp     these folders and files
# QUERN_TIDY_JOBS=N: so many sources at a time (1). Exit code 1: it has found something; 77: clang-tidy 14 is missing (each version
# has other checks).
set -euo pipefail
cd "$(dirname "$0")/.."
tidy=clang-tidy-14
command -v $tidy >/dev/null || { echo "$tidy is missing" >&2; exit 77; }
[ $# -gt 0 ] || set -- storage capi engine bindings/cli
# The commands of single sources, which builds in batches do not have.
build=build/tidy
cmake -S . -B $build -G Ninja -DCMAKE_BUILD_TYPE=Debug -DQUERN_UNITY=OFF -DQUERN_BUILD_TESTS=OFF -DQUERN_BUILD_BENCH=OFF >/dev/null
out=$(mktemp)
trap 'rm -f "$out"' EXIT
find "$@" -name '*.cpp' -print0 | sort -z | xargs -0 -r -n 1 -P "${QUERN_TIDY_JOBS:-1}" $tidy --quiet -p $build >"$out" 2>/dev/null || true
# Once what several sources say of one header.
found=$(grep -aE '^/.*: (warning|error): ' "$out" | sed "s|^$PWD/||" | sort -u -t: -k1,1 -k2n,2 -k3n,3 -k5 || true)
[ -z "$found" ] || { echo "$found"; exit 1; }
