#!/usr/bin/env bash
# Runs a slice of the sessions on an emulated processor without AVX: the library must find that out by itself, and give right answers.
# Usage: old_processor_test.sh QUERN_SESSIONS      exit code 77: qemu-x86_64 (package qemu-user) is not installed, or this is not x86-64
set -euo pipefail
program="$1"
if ! command -v qemu-x86_64 >/dev/null || [ "$(uname -m)" != x86_64 ]; then
  echo "skipped: there is no qemu-x86_64"
  exit 77
fi
# Westmere has SSE4; qemu64 is the least there is: SSE2, for which the kernels are plain loops.
export OPENBLAS_NUM_THREADS=1
for processor in Westmere qemu64; do
  for world in graphs lists; do
    echo "$processor, $world:"
    output=$(qemu-x86_64 -cpu "$processor" "$program" model --world "$world" --count 1 --steps 120) || { echo "$output"; exit 1; }
    echo "$output"
    ! grep -q AVX <<<"$output" || { echo "kernels of a level that this processor does not have"; exit 1; }
  done
done
