#!/usr/bin/env bash
# Installs a build into an empty place and uses it from there, as an application would: through find_package, through
# pkg-config with the shared and with the static library, and by the installed shell.
# Usage: install_test.sh BUILD_DIRECTORY
set -euo pipefail
build="$(cd "${1:?usage: install_test.sh BUILD_DIRECTORY}" && pwd)"
here="$(cd "$(dirname "$0")" && pwd)"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
prefix="$work/prefix"

fail() {
  echo "FAILED: $1"
  exit 1
}

cmake --install "$build" --prefix "$prefix" >"$work/install.log" || { cat "$work/install.log"; fail "cmake --install"; }
libdir="$(dirname "$(find "$prefix" -name 'libquern.so' -print -quit)")"
for file in include/quern.h include/quern.hpp include/quern_result.hpp bin/quern share/man/man1/quern.1.gz share/doc/quern/LICENSE share/bash-completion/completions/quern \
            share/zsh/site-functions/_quern share/fish/vendor_completions.d/quern.fish; do
  [ -s "$prefix/$file" ] || fail "$file is not installed"
done
for file in libquern.a pkgconfig/quern.pc cmake/quern/quern-config.cmake cmake/quern/quern-config-version.cmake; do
  [ -s "$libdir/$file" ] || fail "$file is not installed"
done
# Nothing installed may point back to where it was built.
if grep -rlI -e "$build" -e "$(cd "$here/../.." && pwd)" "$prefix"; then
  fail "these files name the build or source directory"
fi

echo "find_package:"
cmake -G Ninja -S "$here/consumer" -B "$work/consumer" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_BUILD_TYPE=Release >"$work/log" 2>&1 &&
  cmake --build "$work/consumer" >>"$work/log" 2>&1 || { cat "$work/log"; fail "the consumer does not build"; }
"$work/consumer/consumer_quern"
"$work/consumer/consumer_static"
(cd "$work" && LD_LIBRARY_PATH="$libdir" "$work/consumer/consumer_cpp_quern" && "$work/consumer/consumer_cpp_static")

echo "find_package, a project without C++:"
cmake -G Ninja -S "$here/consumer_c" -B "$work/consumer_c" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_BUILD_TYPE=Release >"$work/log" 2>&1 &&
  cmake --build "$work/consumer_c" >>"$work/log" 2>&1 || { cat "$work/log"; fail "the consumer without C++ does not build"; }
"$work/consumer_c/consumer_c_static"
if grep -n 'LINK_ONLY:>' "$libdir"/cmake/quern/*.cmake; then
  fail "an empty link library is exported"
fi

if grep -nE '"?/usr/lib|libfaiss|libgomp' "$libdir/cmake/quern/quern-static-targets.cmake"; then
  fail "the static library is told where the libraries of this machine are"
fi

echo "find_package, one library alone:"
for gone in so a; do
  rm -rf "$work/one" "$work/one_build"
  cp -a "$prefix" "$work/one"
  find "$work/one" -name "libquern.$gone*" -delete
  mkdir "$work/one_source"
  cat >"$work/one_source/CMakeLists.txt" <<END
cmake_minimum_required(VERSION 3.25)
project(one LANGUAGES C CXX)
find_package(quern 0.1 REQUIRED)
message("static: \${quern_static_FOUND}")
add_executable(one $here/consumer/consumer.c)
target_link_libraries(one PRIVATE quern::quern)
END
  cmake -G Ninja -S "$work/one_source" -B "$work/one_build" -DCMAKE_PREFIX_PATH="$work/one" >"$work/log" 2>&1 &&
    cmake --build "$work/one_build" >>"$work/log" 2>&1 || { cat "$work/log"; fail "nothing is found without libquern.$gone"; }
  "$work/one_build/one"
  rm -rf "$work/one_source" "$work/one"
done
cp -a "$prefix" "$work/one"
sed -i 's/QUERN_FAISS_LIBRARY faiss)/QUERN_FAISS_LIBRARY no_such_faiss)/' "$(find "$work/one" -name quern-config.cmake)"
if cmake -G Ninja -S "$here/consumer" -B "$work/lacking" -DCMAKE_PREFIX_PATH="$work/one" >"$work/log" 2>&1; then
  fail "the static library is offered without FAISS"
fi
grep -q 'needs what is not there:.*faiss' "$work/log" || { cat "$work/log"; fail "what the static library lacks is not named"; }

echo "pkg-config:"
export PKG_CONFIG_PATH="$libdir/pkgconfig"
[ "$(pkg-config --modversion quern)" = "$("$prefix/bin/quern" --version | awk 'NR == 1 { print $2 }')" ] ||
  fail "pkg-config and the shell tell different versions"
if pkg-config --cflags quern | grep -e -D; then
  fail "pkg-config gives definitions of other libraries"
fi
# shellcheck disable=SC2046
cc -std=c99 -Wall -Wextra -pedantic -Werror "$here/consumer/consumer.c" -o "$work/shared" $(pkg-config --cflags --libs quern)
LD_LIBRARY_PATH="$libdir" "$work/shared"
# The static library by its file, the others as pkg-config tells.
# shellcheck disable=SC2046
cc -std=c99 "$here/consumer/consumer.c" -o "$work/static" $(pkg-config --cflags quern) "$libdir/libquern.a" \
  $(pkg-config --libs --static quern | sed 's/-lquern\b//')
"$work/static"

echo "shell:"
printf 'one 0 1\ntwo 1 0\n' >"$work/words.txt"
"$prefix/bin/quern" import "$work/words.quern" words "$work/words.txt" --format words --field emb --metric l2
"$prefix/bin/quern" verify "$work/words.quern"
echo "installed and used"
