#!/usr/bin/env bash
# What the codecs pay on real embeddings: bytes of the whole file after import, optimize and vacuum, beside the raw bytes of the
# vectors and 8 bytes a key.
#   space_on_real_data.sh QUERN DATA      the shell's program, and the folder with the data sets
set -euo pipefail
quern="$1"
data="$2"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
printf '%-28s %9s %6s %5s %12s %12s %7s\n' set records dim type "raw bytes" "file bytes" ratio
measure() { # name, file, element type, bytes of an element
  local name="$1" file="$data/$2" type="$3" width="$4" database="$work/$1.quern" records dim raw size
  if [ ! -f "$file" ]; then
    echo "$name: skipped, there is no $file"
    return
  fi
  "$quern" import "$database" c "$file" --field emb --metric l2 --type "$type" >/dev/null
  "$quern" optimize "$database" >/dev/null
  "$quern" vacuum "$database" >/dev/null
  records=$("$quern" count "$database" c)
  dim=$("$quern" info "$database" --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["collections"][0]["fields"][0]["dim"])')
  raw=$((records * (dim * width + 8)))
  size=$(stat -c %s "$database")
  printf '%-28s %9d %6d %5s %12d %12d %7.3f\n' "$name" "$records" "$dim" "$type" "$raw" "$size" "$(python3 -c "print($size / $raw)")"
  rm -f "$database"
}
measure bge-queries bge-queries/bge-base-768.f32.npy.zst f32 4
measure scifact scifact/dense.docs.f32.npy.zst f32 4
measure acl-anthology acl-anthology/lsa256.docs.f16.npy.zst f16 2
measure words250k words250k/base.f16.npy.zst f16 2
measure goodreads goodreads/minilm.f32.npy.zst f32 4
measure sift500k-as-f32 sift500k/base.bvecs.zst f32 4
measure mnist784-as-f32 mnist784/images.u8.npy.zst f32 4
