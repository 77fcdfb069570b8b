#!/usr/bin/env bash
# The main job on real input: all words of a dictionary as vectors of their spelling, in one file; then "which words look like
# this one?". Usage: words_demo.sh BUILD_DIRECTORY [WORD]...
set -euo pipefail
build="$(cd "${1:?usage: words_demo.sh BUILD_DIRECTORY [WORD]...}" && pwd)"
shift
quern="$build/bindings/cli/quern"
ngrams="$build/bindings/cli/demo/quern_word_ngrams"
dictionary="${QUERN_DEMO_WORDS:-/usr/share/dict/words}"
misspelt=("$@")
[ ${#misspelt[@]} -gt 0 ] || misspelt=(accomodate recieve seperate definately occurence embarass tommorow mispell rythm)

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
db="$work/words.quern"

bold=""; dim=""; plain=""
if [ -t 1 ] && [ "${TERM:-dumb}" != dumb ]; then
  bold=$'\e[1m'; dim=$'\e[2m'; plain=$'\e[0m'
fi
headline() { printf '\n%s%s%s\n' "$bold" "$1" "$plain"; }
command_line() { printf '%s  $ %s%s\n' "$dim" "$1" "$plain"; }
indent() { sed 's/^/  /'; }

printf '%squern %s: one library, one file, no server%s\n' "$bold" "$("$quern" --version | awk 'NR == 1 { print $2 }')" "$plain"

headline "1. A dictionary becomes one file of vectors"
printf '  Each word is cut into pieces of 2 to 4 letters; hashing them gives 256 numbers a word.\n'
command_line "quern_word_ngrams $dictionary | quern import words.quern words - --format words --field spelling --metric cosine"
"$ngrams" "$dictionary" | "$quern" import "$db" words - --format words --field spelling --metric cosine | indent
command_line "quern optimize words.quern"
"$quern" optimize "$db" | indent

headline "2. Which words look like these?"
command_line "echo ${misspelt[0]} | quern_word_ngrams | quern search words.quern words --queries - --format words -k 5"
printf '%s\n' "${misspelt[@]}" | "$ngrams" >"$work/queries.txt"
"$quern" search "$db" words --queries "$work/queries.txt" --format words -k 5 --timing --hits >"$work/answers.txt"
# Blocks of "query N", a heading of two lines and the hits become one line for each word that was asked for.
awk -v asked="${misspelt[*]}" -v bold="$bold" -v dim="$dim" -v plain="$plain" '
  BEGIN { split(asked, word, " ") }
  $1 == "query" && NF == 2 { printf "%s  %-14s", shown++ ? "\n" : "", word[$2 + 1]; skip = 2; hit = 0; next }
  skip > 0 { skip--; next }
  NF == 0 { next }
  $1 == "queries" { print "\n"; figures = 1 }
  figures { print "  " $0; next }
  { printf "%s%s%s%s %s%.2f%s", hit ? "  " : "", hit++ ? "" : bold, $1, plain, dim, $2, plain }
  END { if (!figures) print "" }
' "$work/answers.txt"
printf '\n  %sThe figure behind a word is its distance: 0 is spelt the same, 1 has nothing in common.%s\n' "$dim" "$plain"

headline "3. How fast, beside the loop that anybody would write"
command_line "quern bench words.quern words"
"$quern" bench "$db" words --no-insert | indent

headline "4. How large"
rows="$("$quern" count "$db" words | tr -dc 0-9)"
key_bytes="$("$quern" sql "$db" 'select sum(length(cast(id as blob))) as bytes from words' | tail -n 1 | tr -d ' ')"
raw=$((rows * 256 * 4 + key_bytes))
file=$(stat -c %s "$db")
awk -v rows="$rows" -v raw="$raw" -v file="$file" 'BEGIN {
  printf "  raw numbers and words  %6.1f MB  (%d words, 256 f32 each)\n", raw / 1e6, rows
  printf "  words.quern            %6.1f MB  (%.0f %% of that, and every number is exact: counts of letters repeat\n", file / 1e6, 100 * file / raw
  printf "                                    themselves, so the codecs pay here; embeddings compress far less)\n"
}'

headline "5. Is every byte of it right?"
command_line "quern verify words.quern"
"$quern" verify "$db" | indent
