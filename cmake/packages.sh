# Sourced by test.sh and demo.sh: installs the Debian packages that are missing. An installed system needs no network.
quern_install_packages() {
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q "ok installed" || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  echo "installing: ${missing[*]}"
  local sudo=""
  [ "$(id -u)" -eq 0 ] || sudo=sudo
  $sudo apt-get update -qq
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}
QUERN_BUILD_PACKAGES=(g++ cmake ninja-build pkg-config libsqlite3-dev libzstd-dev libxxhash-dev libhwy-dev
                      zlib1g-dev libcli11-dev nlohmann-json3-dev libfaiss-dev libopenblas-dev)
QUERN_TEST_PACKAGES=(catch2 dpkg-dev file python3 python3-numpy zstd libhnswlib-dev)
# Tests that need these skip where they cannot be had.
QUERN_MORE_TEST_PACKAGES=(abigail-tools mypy qemu-user)
