#!/usr/bin/env bash
# Makes the Debian packages, unpacks them into an empty root, and does the main job from there: from C through pkg-config, from C++
# through find_package, by the shell, and from Python with the library of the package. The wheel has a test of its own
# (bindings/python/tests/wheel_test.py).
# Usage: package_test.sh BUILD_DIRECTORY PYTHON
set -euo pipefail
build="$(cd "${1:?usage: package_test.sh BUILD_DIRECTORY PYTHON}" && pwd)"
python="${2:?usage: package_test.sh BUILD_DIRECTORY PYTHON}"
here="$(cd "$(dirname "$0")" && pwd)"
for tool in cpack dpkg-deb dpkg-shlibdeps; do
  command -v "$tool" >/dev/null || { echo "SKIPPED: there is no $tool"; exit 77; }
done
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

fail() {
  echo "FAILED: $1"
  exit 1
}

(cd "$work" && cpack -G DEB --config "$build/CPackConfig.cmake" -B "$work/packages") >"$work/log" 2>&1 || { cat "$work/log"; fail "cpack"; }
field() { dpkg-deb -f "$work/packages/$1"_*.deb "$2"; }
contents() { dpkg-deb -c "$work/packages/$1"_*.deb | awk '{ print $6 }'; }
for package in libquern0 libquern-dev quern; do
  [ "$(field "$package" Package)" = "$package" ] || fail "there is no package $package"
done
echo "packages: $(cd "$work/packages" && ls -- *.deb | tr '\n' ' ')"

# What is in which package, and nothing in two.
contents libquern0 | grep -q '/libquern\.so\.0$' || fail "libquern0 lacks its soname"
contents libquern0 | grep -E '\.so$|\.h$|\.a$|/bin/' && fail "libquern0 holds what is for building"
for file in 'include/quern\.h' 'include/quern\.hpp' 'libquern\.so' 'libquern\.a' 'pkgconfig/quern\.pc' 'quern-config\.cmake'; do
  contents libquern-dev | grep -q "$file" || fail "libquern-dev lacks $file"
done
for file in bin/quern man1/quern.1.gz bash-completion/completions/quern; do
  contents quern | grep -q "$file" || fail "quern lacks $file"
done
for package in libquern0 libquern-dev quern; do
  contents "$package" | grep -q "/usr/share/doc/$package/copyright$" || fail "$package lacks its copyright"
done
if (contents libquern0; contents libquern-dev; contents quern) | grep -v '/$' | sort | uniq -d | grep .; then
  fail "these files are in two packages"
fi
field libquern0 Depends | grep -q libsqlite3-0 || fail "libquern0 does not depend on SQLite"
field libquern-dev Depends | grep -q "^libquern0 (= $(field libquern0 Version))" || fail "libquern-dev takes any libquern0"
dpkg-deb -I "$work/packages"/libquern0_*.deb shlibs | grep -q '^libquern 0 libquern0' || fail "libquern0 has no shlibs"

root="$work/root"
for package in libquern0 libquern-dev quern; do
  dpkg-deb -x "$work/packages/$package"_*.deb "$root"
done
if grep -rlI -e "$build" -e "$(cd "$here/../.." && pwd)" "$root"; then
  fail "these files name the build or source directory"
fi
libdir="$(dirname "$(find "$root" -name 'libquern.so.0' -print -quit)")"
readelf -d "$libdir/libquern.so.0" | grep -q 'SONAME.*\[libquern\.so\.0\]' || fail "the soname is not libquern.so.0"
if readelf -dW "$libdir/libquern.so.0" "$root/usr/bin/quern" | grep -E 'RPATH|RUNPATH|libfaiss'; then
  fail "a path, or FAISS, in what is installed"
fi
readelf -W --dyn-syms "$libdir/libquern.so.0" | awk '$7 != "UND" && $5 ~ /GLOBAL|WEAK/ && $4 ~ /FUNC|OBJECT/ { print $8 }' >"$work/symbols"
grep -v -E '^quern_[a-z0-9_]*@@QUERN_0$|^QUERN_0$' "$work/symbols" && fail "these symbols are not of quern.h or have no version"
grep -q '^quern_open@@QUERN_0$' "$work/symbols" || fail "quern_open has no version"

export LD_LIBRARY_PATH="$libdir"
cd "$work"
echo "C, pkg-config:"
export PKG_CONFIG_PATH="$libdir/pkgconfig"
# shellcheck disable=SC2046
cc -std=c99 -Wall -Wextra -pedantic -Werror "$here/consumer/consumer.c" -o "$work/consumer_c" $(pkg-config --cflags --libs quern)
"$work/consumer_c"

echo "C and C++, find_package:"
cmake -G Ninja -S "$here/consumer" -B "$work/consumer" -DCMAKE_PREFIX_PATH="$root/usr" -DCMAKE_BUILD_TYPE=Release >"$work/log" 2>&1 &&
  cmake --build "$work/consumer" >>"$work/log" 2>&1 || { cat "$work/log"; fail "the consumer does not build"; }
for program in consumer_cpp_quern consumer_cpp_static consumer_quern consumer_static; do
  "$work/consumer/$program"
done

echo "shell:"
printf '{"id":"a","emb":[0,0]}\n{"id":"b","emb":[1,1]}\n' >points.jsonl
"$root/usr/bin/quern" import points.quern points points.jsonl --field emb
"$root/usr/bin/quern" search points.quern points --vector '[1,1]' -k 1 --json | grep -q '"key":"b"' || fail "the shell finds another record"

echo "Python:"
QUERN_LIBRARY="$libdir/libquern.so.0" PYTHONPATH="$here/../../bindings/python" PYTHONDONTWRITEBYTECODE=1 "$python" -c '
import quern
with quern.open("points.quern", mode="ro") as db:
    print(quern.library_path.endswith("libquern.so.0"), db.collection("points").search([1, 1], k=1).ids)
' | grep -F "True ['b']" || fail "Python finds another record"
echo "packages installed and used"
