#!/bin/bash
# Texts, one a line, and what is told of sparse vectors, by the shell `quern`.
#
#   cli_lines_test.sh PATH-OF-QUERN
#
# Works in a temporary directory. Needs nothing but bash, coreutils and gzip.
set -u
quern=$(realpath "${1:?usage: cli_lines_test.sh PATH-OF-QUERN}")
checks_file=$(realpath "$(dirname "$0")/cli_test_checks.sh")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
. "$checks_file"

section "a file .txt has lines where a text is wanted"
printf 'the white whale\r\n\nships sail' >lines.txt
expect 0 "imported 3" "$quern" import lines.quern a lines.txt --text body:porter --start-key 1
expect 0 '"hits":[{"key":3,' "$quern" search lines.quern a --field body --text ship --json
expect 0 '"body":""' "$quern" get lines.quern a 2 --json
gzip -k lines.txt
expect 0 "imported 3" "$quern" import lines.quern zipped lines.txt.gz --text body
expect 0 '"body":"ships sail"' "$quern" get lines.quern zipped 2 --json

section "a format of that name"
expect 0 "imported 3" "$quern" import lines.quern b - --format lines --rename text=note <lines.txt
expect 0 '"note":"ships sail"' "$quern" get lines.quern b 2 --json
expect 0 "imported 3" "$quern" import lines.quern a lines.txt --format lines --text body --start-key 4
expect 0 '"body":"the white whale"' "$quern" get lines.quern a 4 --json
expect 0 "imported 3" "$quern" import lines.quern c lines.txt --format lines --text text --key-file <(printf 'x\ny\nz\n')
expect 0 '"text":"ships sail"' "$quern" get lines.quern c z --json
expect 2 "one text: of several --text" "$quern" import lines.quern two lines.txt --format lines --text a --text b
expect 0 "imported 3" "$quern" import lines.quern two lines.txt --format lines --text a --text b --rename text=b
expect 2 "one text: of several --text" "$quern" import lines.quern two lines.txt --text a --text b
expect 2 "one text: of several text fields, --rename text=NAME" "$quern" import lines.quern two lines.txt --format lines --start-key 9
expect 0 "imported 3" "$quern" import lines.quern a lines.txt --format lines --start-key 7
expect 0 '"body":"the white whale"' "$quern" get lines.quern a 7 --json
expect 1 "lines.txt:1: 'whale' is not a number; texts, one a line, are --format lines" "$quern" import lines.quern a lines.txt --start-key 9
expect 2 "field nobody: --text needs a text field" "$quern" search lines.quern two --text x --field nobody
expect 0 "imported 1" "$quern" import lines.quern sparse - --format jsonl --key id --sparse v:10 <<<'{"id":"a","v":{"dims":[3],"weights":[2]}}'
expect 2 '"weight" beside "dims"' "$quern" search lines.quern sparse --vector '{"dims":[3],"weight":[2]}'
expect 2 "lines are for import only" "$quern" export lines.quern a out.txt --format lines
expect 2 "anserini, csv, tsv, lines" "$quern" import lines.quern a lines.txt --format line

section "what is no text"
printf 'good\nbad \377\nbetter\n' >bad.txt
expect 1 "bad.txt:2: the line is not UTF-8" "$quern" import lines.quern d bad.txt --text body
expect 0 "1 bad line skipped" "$quern" import lines.quern d bad.txt --text body --skip-bad
expect 0 '"body":"better"' "$quern" get lines.quern d 2 --json

section "a line that is too long is named as one"
{ head -c 17000000 /dev/zero | tr '\0' x; echo; } >long.txt
expect 1 "long.txt:1: the line: 17000000 bytes, the limit is 16777216" "$quern" import lines.quern long long.txt --text body

section "a tsv of one column has a header"
printf 'body\nsome words\n' >one.tsv
expect 0 "imported 1" "$quern" import lines.quern e one.tsv --text body
expect 0 '"body":"some words"' "$quern" get lines.quern e 0 --json

section "sparse vectors and their dimensions"
expect 0 "imported 1" "$quern" import sparse.quern docs - --sparse vector:50 --format jsonl <<<'{"id":"a","vector":{"1":2}}'
expect 1 "weight of dimension 1, 1e.60, is beyond f32" "$quern" import sparse.quern docs - --format jsonl <<<'{"id":"e","vector":{"1":1e60}}'
expect 2 "said beside its name: --sparse NAME:50" "$quern" import other.quern docs - --dimension 50 --format jsonl <<<'{"id":"e","vector":{"1":1}}'
expect 2 "in this order; 's:binary' would be its name" "$quern" create other.quern docs --sparse s:binary:1000
expect 2 "in this order; 's:10' would be its name" "$quern" create other.quern docs --sparse s:10:20
expect 2 "said beside its name: --sparse NAME:50" "$quern" create other.quern docs --sparse vector --dims 50

section "info tells the options of fields"
expect 0 "imported 1" "$quern" import told.quern docs - --key id --sparse v:50:binary:buckets=5:approx=graph --text 'body:porter k1=0.9' --format jsonl <<<'{"id":"a","v":{"3":1},"body":"x"}'
expect 0 "50 dimensions, binary, approx=graph buckets=5" "$quern" info told.quern
expect 0 "porter k1=0.9" "$quern" info told.quern
expect 0 "" "$quern" create plain.quern docs --sparse v:50 --sparse w:50:index=none
expect 0 "50 dimensions, index=none" "$quern" info plain.quern

section "what an audit keeps nothing of, and a stop word that stops nothing"
expect 1 "of sparse and text fields an audit keeps nothing" "$quern" search told.quern docs --field v --vector '{"3":1}' --audit keep
expect 1 "'a b' is not one word for this tokenizer but 2, and so would stop none" "$quern" create told.quern other --text "body:stop='a b'"

section "a vocabulary with the line ends of other systems"
printf 'whale\r\nwhite\r\n' >crlf.txt
expect 0 "imported 1" "$quern" import crlf.quern docs - --key id --sparse v --format jsonl --vocabulary crlf.txt <<<'{"id":"a","v":{"white":2}}'
expect 0 '{"dims":[1],"weights":[2]}' "$quern" export crlf.quern docs - --format jsonl
expect 0 "imported 1" "$quern" import crlf.quern docs - --format jsonl --vocabulary crlf.txt <<<'{"id":"b","v":{"ship":2,"sail":1}}'
expect 0 'whale_;white_;ship_;sail_;' tr '\r\n' '_;' <crlf.txt

section "terms of a vocabulary are queries, and what lists are called"
expect 0 '"key":"b"' "$quern" search crlf.quern docs --vector '{"ship":1,"nobody":9}' --vocabulary crlf.txt --json
expect 0 '"distance":-2' "$quern" search crlf.quern docs --vector '{"ship":1,"nobody":9}' --vocabulary crlf.txt --json
expect 2 "vector: " "$quern" search crlf.quern docs --vector '{"dims":[1],"weights":[1]}' --vocabulary crlf.txt
expect 2 "goes with --vector of a sparse field" "$quern" search crlf.quern docs --dimension 1 --vocabulary crlf.txt
expect 1 "none.txt: no terms; is it there" "$quern" search crlf.quern docs --vector '{"ship":1}' --vocabulary none.txt
expect 2 "" ls none.txt
expect 0 'ship$' "$quern" stats crlf.quern docs v --vocabulary crlf.txt
expect 2 "those of a CSR file are numbers" "$quern" import crlf.quern docs any.csr --sparse v --vocabulary crlf.txt
expect 0 '"term":"ship"' "$quern" stats crlf.quern docs v --vocabulary crlf.txt --json
expect 0 "note: terms that are not in the vocabulary: 1, the first 'nope'" "$quern" search crlf.quern docs --vector '{"ship":1,"nope":2}' --vocabulary crlf.txt
expect 0 'queries +2' "$quern" stats crlf.quern docs v --vocabulary crlf.txt --queries <(printf '{"v":{"ship":1}}\n{"v":{"x":1}}\n')

section "an export that fails keeps what it would have overwritten"
expect 0 "imported 1" "$quern" import kept.quern docs - --key id --sparse v --format jsonl <<<'{"id":"a","v":{"7":2}}'
printf 'only\n' >short.txt
printf 'as it was\n' >old.an
expect 1 "dimension 7 has no term" "$quern" export kept.quern docs old.an --format anserini --vocabulary short.txt --force
expect 0 "as it was" cat old.an
expect 0 "" "$quern" export kept.quern docs old.an --format anserini --force
expect 0 '"7":' cat old.an
expect 2 "" ls old.an.part

section "a matrix of sparse vectors needs a field of its own"
expect 0 "exported 1" "$quern" export kept.quern docs kept.csr --field v
expect 1 "sparse vectors are a field with --sparse vector in place of --field" "$quern" import matrix.quern docs kept.csr --field v
expect 0 "give --sparse vector to make it a field" "$quern" import matrix.quern docs kept.csr
expect 0 "give --rename vector=v to make it a field" "$quern" import matrix.quern more kept.csr --sparse v
expect 0 "imported 1" "$quern" import matrix.quern most kept.csr --sparse v --rename vector=v
expect 0 "^v +sparse" "$quern" info matrix.quern

section "an empty option is none"
expect 2 "--bucket-weights: it is empty" "$quern" search kept.quern docs --vector '{"7":1}' --bucket-weights ''
expect 2 "--bound: it is empty" "$quern" search kept.quern docs --vector '{"7":1}' --bound ''

section "a line of very many members"
{ printf '{"id":"wide","v":{"0":1'; seq -f ',"%.0f":1' 1 250000; printf '}}\n'; } | tr -d '\n' >wide.jsonl
expect 1 "250001 entries, the limit is 65535" "$quern" import kept.quern docs wide.jsonl

finish
