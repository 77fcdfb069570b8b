#!/usr/bin/env bash
# Text on real input: the definitions of a dictionary in one file, searched by words, sentences and phrases.
# Usage: glosses_demo.sh BUILD_DIRECTORY [SENTENCE]...
set -euo pipefail
build="$(cd "${1:?usage: glosses_demo.sh BUILD_DIRECTORY [SENTENCE]...}" && pwd)"
shift
quern="$build/bindings/cli/quern"
wordnet="${QUERN_DEMO_WORDNET:-/usr/share/wordnet}"
sentences=("$@")
[ ${#sentences[@]} -gt 0 ] || sentences=("fear of open spaces" "a small dog with long ears" '+"musical instrument" string* -bow')

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
db="$work/glosses.quern"

bold=""; dim=""; plain=""
if [ -t 1 ] && [ "${TERM:-dumb}" != dumb ]; then
  bold=$'\e[1m'; dim=$'\e[2m'; plain=$'\e[0m'
fi
headline() { printf '\n%s%s%s\n' "$bold" "$1" "$plain"; }
command_line() { printf '%s  $ %s%s\n' "$dim" "$1" "$plain"; }
indent() { sed 's/^/  /'; }

# A line of WordNet: offset, file, kind, how many words (hexadecimal), then word and number for each of them; behind a bar the gloss.
definitions() {
  cat "$wordnet"/data.{noun,verb,adj,adv} | awk '
    /^  / { next }
    {
      gloss = substr($0, index($0, "|") + 2); sub(/ +$/, "", gloss)
      gsub(/\\/, "\\\\", gloss); gsub(/"/, "\\\"", gloss)
      count = (index("0123456789abcdef", substr($4, 1, 1)) - 1) * 16 + index("0123456789abcdef", substr($4, 2, 1)) - 1
      words = $5
      for (i = 1; i < count; i++) words = words ", " $(5 + 2 * i)
      gsub(/_/, " ", words)
      printf "{\"id\":\"%s%s\",\"words\":\"%s\",\"gloss\":\"%s\"}\n", $3, $1, words, gloss
    }'
}

headline "1. The definitions of WordNet become one file with a text field"
printf '  Words are cut and stemmed by the tokenizers of SQLite, the commonest left out.\n'
command_line "quern import glosses.quern glosses glosses.jsonl --key id --text 'gloss:porter stop=english'"
definitions >"$work/glosses.jsonl"
"$quern" import "$db" glosses "$work/glosses.jsonl" --key id --text 'gloss:porter stop=english' | indent
command_line "quern optimize glosses.quern"
"$quern" optimize "$db" | indent

headline "2. Which words are defined so?"
for sentence in "${sentences[@]}"; do
  command_line "quern search glosses.quern glosses --text '$sentence' -c words --snippets -k 3"
  "$quern" search "$db" glosses --text "$sentence" -c words --snippets -k 3 | indent
done
printf '\n  %sThe distance is minus the BM25 score, over all definitions; the best are exactly the best.%s\n' "$dim" "$plain"

headline "3. How fast, how large, and is every byte of it right?"
asked=()
for word in bird river machine music painting ship king stone leaf "small dog" "feeling of joy" "part of a plant" "someone who sells" "to move quickly"; do
  asked+=(--text "$word")
done
"$quern" search "$db" glosses "${asked[@]}" --timing | indent
awk -v texts="$(stat -c %s "$work/glosses.jsonl")" -v file="$(stat -c %s "$db")" 'BEGIN {
  printf "  definitions      %6.1f MB\n  glosses.quern    %6.1f MB, index and all\n", texts / 1e6, file / 1e6 }'
"$quern" verify "$db" | indent
