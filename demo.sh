#!/usr/bin/env bash
# Sets up a fresh Debian 12, builds, and runs the main jobs on real input: which words look like "accomodate", and which are
# defined as "fear of open spaces"?
#   ./demo.sh [WORD]...    asks about words of your own
set -euo pipefail
cd "$(dirname "$0")"
source cmake/packages.sh
quern_install_packages "${QUERN_BUILD_PACKAGES[@]}" wamerican wordnet-base
cmake --preset release -DQUERN_BUILD_TESTS=OFF -DQUERN_BUILD_BENCH=OFF -B build/demo >/dev/null
cmake --build build/demo --target quern_shared quern_cli quern_word_ngrams
bash bindings/cli/demo/words_demo.sh build/demo "$@"
bash bindings/cli/demo/glosses_demo.sh build/demo
cat <<'END'

The shell is build/demo/bindings/cli/quern, the library build/demo/capi/libquern.so. README.md goes on from here: C, Python, C++. In Python:
  QUERN_LIBRARY=build/demo/capi PYTHONPATH=bindings/python python3 -i -c 'import quern'
END
