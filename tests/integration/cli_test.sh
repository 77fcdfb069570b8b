#!/bin/bash
# The shell `quern` end to end: every command, the formats, exit codes, messages, interruption.
#
#   cli_test.sh PATH-OF-QUERN [SOURCE-DIR]
#
# Works in a temporary directory. The part on real vector sets needs QUERN_DATA, or ../shared/data beside the
# source directory, and is skipped with a message without it. Needs nothing but bash, coreutils, gzip and zstd.
set -u
quern=$(realpath "${1:?usage: cli_test.sh PATH-OF-QUERN [SOURCE-DIR]}")
source_dir=${2:-${QUERN_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}}
data=${QUERN_DATA:-$source_dir/../shared/data}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
. "$source_dir/tests/integration/cli_test_checks.sh"

section "help and version"
expect 0 "quern 0." "$quern" --version
expect 0 "import" "$quern" --help
for command in create alter import search fit hubs get list count update info verify optimize vacuum backup export sql bench rebuild drop delete completion; do
    expect 0 "Example" "$quern" $command --help
done
expect 2 "required" "$quern"
expect 2 "no command 'nonsense'; the commands are .*import" "$quern" nonsense
expect 2 "no command 'nonsense'" "$quern" help nonsense
expect 0 "skip-bad" "$quern" help import
expect 0 "quern help COMMAND" "$quern" help
expect 2 "" "$quern" info
expect 2 "bogus" "$quern" info x.quern --bogus
for shell in bash:quern.bash zsh:_quern fish:quern.fish; do
    "$quern" completion "${shell%%:*}" >script && cmp script "$source_dir/bindings/cli/completions/${shell##*:}" ||
        fail "completions/${shell##*:} is not what 'quern completion ${shell%%:*}' prints"
done

{ "$quern" completion man; } >script
sed -n '/made by `quern completion man`/,/^.SH FILE FORMATS/p' "$source_dir/bindings/cli/quern.1" | sed '$d' | cmp - script ||
    fail "the options in quern.1 are not what 'quern completion man' prints"
# complete WANTED WORD...: what bash offers for the last word.
complete_as() {
    local wanted=$1
    shift
    checks=$((checks + 1))
    (
        . "$source_dir/bindings/cli/completions/quern.bash"
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
        _quern
        [ "${COMPREPLY[*]}" = "$wanted" ]
    ) || fail "bash does not complete '$*' with '$wanted'"
}
complete_as "ndcg mrr" quern fit d c --metric ""
complete_as "l2 ip cosine hamming" quern import d c f -m ""
complete_as "f32 f16 bf16 i8 bit" quern import d c f --type ""
complete_as "measure keep forget" quern search d c --audit ""
complete_as "csls softmax scaling nicdm zscore" quern hubs d c --kind ""
complete_as "bash zsh fish" quern completion ""
complete_as "search" quern help se
complete_as "help" quern hel

section "create, and what is wrong with a schema"
expect 0 "" "$quern" create a.quern docs --key id:text --attr year:int --attr tags:tags --attr raw:blob --attr more:json --dense emb:4:l2:f16
expect 1 "already" "$quern" create a.quern docs
expect 2 "NAME:DIM" "$quern" create a.quern other --dense emb:0:l2
expect 2 "NAME:TYPE" "$quern" create a.quern other --attr year:number
expect 0 '"f16"' "$quern" info a.quern --json
expect 2 "index=auto|none" "$quern" create a.quern other --attr year:int:index=maybe
expect 0 "" "$quern" create n.quern docs --attr year:int:index=none --attr size:int
expect 0 "year    attribute  int, index=none" "$quern" info n.quern
for i in $(seq 1500); do echo "{\"id\":$i,\"year\":$((i % 50)),\"size\":$((i % 70))}"; done >many.jsonl
expect 0 "imported 1,500" "$quern" import n.quern docs many.jsonl
expect 0 "" "$quern" optimize n.quern
"$quern" info n.quern >columns
grep -qE "size +kept +70 " columns || fail "info shows no column of size: $(cat columns)"
grep -qE "year +none" columns || fail "info shows a column of year: $(cat columns)"

section "JSONL: all types there and back"
cat >docs.jsonl <<'END'
{"id":"a","year":2000,"tags":["y","x"],"raw":"AP8=","more":{"k":[1,2.50,"z"]},"emb":[1,2,3,4]}
{"id":"b","year":null,"emb":[1,2,3,5.5]}
{"id":"c","tags":[],"emb":null}
END
expect 0 "imported 3 records" "$quern" import a.quern docs docs.jsonl
expect 0 "" "$quern" export a.quern docs out.jsonl
cat >wanted <<'END'
{"id":"a","year":2000,"tags":["x","y"],"raw":"AP8=","more":{"k":[1,2.50,"z"]},"emb":[1,2,3,4]}
{"id":"b","year":null,"tags":null,"raw":null,"more":null,"emb":[1,2,3,5.5]}
{"id":"c","year":null,"tags":[],"raw":null,"more":null,"emb":null}
END
same wanted out.jsonl
expect 1 "exists" "$quern" export a.quern docs out.jsonl
expect 0 "" "$quern" export a.quern docs out.csv.gz
expect 0 "" "$quern" create a.quern again --key id:text --attr year:int --attr tags:tags --attr raw:blob --attr more:json --dense emb:4:l2:f16
expect 0 "imported 3" "$quern" import a.quern again out.csv.gz
"$quern" export a.quern again >again.jsonl
same wanted again.jsonl
expect 0 "" "$quern" export a.quern docs emb.npy --key-file keys.txt
printf 'a\nb\n' >wanted_keys
same wanted_keys keys.txt
expect 0 "imported 2" "$quern" import a.quern vectors emb.npy --field emb --key-file keys.txt --type f16
expect 0 "b" "$quern" search a.quern vectors --key a --json
expect 0 "" "$quern" export a.quern vectors emb.fvecs.zst
expect 0 "imported 2" "$quern" import a.quern numbered emb.fvecs.zst --field emb
expect 0 "imported 2" "$quern" import a.quern fromstdin - --format fvecs --field emb <emb.fvecs.zst

section "sparse formats, vocabularies, BEIR, runs"
printf '%s\n' '{"id":"a","contents":"x","vector":{"whale":1.5,"white":0.5}}' '{"id":"b","contents":"y","vector":{"ship":2,"white":1}}' >ans.jsonl
expect 0 "imported 2" "$quern" import s.quern ans ans.jsonl --key id --sparse vector --vocabulary terms.txt
printf 'whale\nwhite\nship\n' >wanted_terms
same wanted_terms terms.txt
expect 0 "exported 2" "$quern" export s.quern ans out.ans --format anserini --vocabulary terms.txt
printf '%s\n' '{"id":"a","contents":"x","vector":{"whale":1.5,"white":0.5}}' '{"id":"b","contents":"y","vector":{"white":1,"ship":2}}' >wanted_ans
same wanted_ans out.ans
expect 1 "vocabulary has more than 1 terms with 'white'" "$quern" import s.quern small ans.jsonl --key id --sparse vector:1 --vocabulary few.txt
[ ! -e few.txt ] || fail "a vocabulary without committed records"
expect 2 "for anserini only" "$quern" export s.quern ans o.jsonl --vocabulary terms.txt
expect 0 "3 tokens" "$quern" tokens s.quern ans vector terms.txt
expect 0 '"key":"b"' "$quern" search s.quern ans --field vector --text ship --json
for ending in csr csr.gz; do
    expect 0 "exported 2" "$quern" export s.quern ans out.$ending --field vector
    expect 0 "imported 2" "$quern" import s.quern back_$ending out.$ending --sparse vector:3
    expect 0 '{"dims":[1,2],"weights":[1,2]}' "$quern" get s.quern back_$ending 1 --json
done
expect 0 "imported 2" "$quern" import s.quern piped - --format spmat --sparse vector:3 <out.csr
expect 0 '"hits":[{"key":"b","score":5' "$quern" search s.quern ans --leg vector:@out.csr --skip-rows 1 -k 1 --json
expect 1 "which is not a file of" "$quern" import s.quern cut - --format spmat --sparse vector:3 < <(head -c 50 out.csr)
mkdir -p beir/qrels
printf '%s\n' '{"_id":"d1","title":"Whales","text":"the white whale","metadata":{}}' '{"_id":"d2","title":"Ships","text":"a ship of oak","metadata":{}}' >beir/corpus.jsonl
printf '%s\n' '{"_id":"q1","text":"whale","metadata":{}}' '{"_id":"q2","text":"oak ship"}' >beir/queries.jsonl
printf 'query-id\tcorpus-id\tscore\nq1\td1\t1\nq2\td2\t1\n' >beir/qrels/test.tsv
expect 0 "imported 2" "$quern" import s.quern beir beir
expect 0 "" "$quern" search s.quern beir --leg text:@beir/queries.jsonl -k 10 --run r.run --query-ids beir/queries.jsonl --run-tag mine
cut -d' ' -f1-4,6 r.run >got_run
printf 'q1 Q0 d1 1 mine\nq2 Q0 d2 1 mine\n' >wanted_run
same wanted_run got_run
expect 1 "the file exists" "$quern" search s.quern beir --leg text:@beir/queries.jsonl --run r.run
expect 0 "" "$quern" search s.quern beir --leg text:@beir/queries.jsonl --run r.run --force --batch
head -1 r.run | grep -q '^0 Q0 d1 1 .* quern$' || fail "a run without names has no numbers"
expect 0 "ndcg@10" "$quern" fit s.quern beir --leg title:@beir/queries.jsonl --leg text:@beir/queries.jsonl --qrels beir/qrels/test.tsv --query-ids beir/queries.jsonl

section "every format there and back"
cat >whole.jsonl <<'END'
{"id":"a","t":"x\ty","r":[0.5,-1],"v":[0,1,255]}
{"id":"b c","t":"","r":[1e-30,2],"v":[3,2,1]}
{"id":"d","t":null,"r":[3,4],"v":null}
END
expect 0 "imported 3" "$quern" import f.quern c whole.jsonl --field v --dense r:2:l2
for format in fvecs bvecs ivecs u8bin ibin fbin npy idx words; do
    case $format in fvecs | fbin) packed=.gz ;; bvecs | u8bin) packed=.zst ;; *) packed= ;; esac
    expect 0 "1 records without a vector" "$quern" export f.quern c out.$format$packed --field v --key-file keys.$format
    expect 0 "imported 2" "$quern" import f.quern v_$format out.$format$packed --field v --key-file keys.$format
    "$quern" export f.quern v_$format back.jsonl --force >/dev/null
    printf '{"id":"a","v":[0,1,255]}\n{"id":"b c","v":[3,2,1]}\n' >wanted_v
    same wanted_v back.jsonl
done
expect 0 "exported 2" "$quern" export f.quern c out.npz.gz --field v
expect 0 "imported 2" "$quern" import f.quern npz_alone out.npz.gz --field v
"$quern" export f.quern npz_alone back.jsonl --force >/dev/null
same wanted_v back.jsonl
cp f.quern before.quern
expect 1 "this is a database, which no export may overwrite" "$quern" export f.quern c f.quern --format jsonl --force
same before.quern f.quern
expect 1 "not a whole number from 0 to 255" "$quern" export f.quern c bad.u8bin --field r
expect 1 "not a zip file" "$quern" import f.quern bad_npz - --format npz --field v <whole.jsonl
head -c 4 out.idx | cmp -s - <(printf '\0\0\10\2') || fail "an idx of whole numbers is not one of bytes"
for format in fvecs npy idx words; do
    expect 0 "exported 3" "$quern" export f.quern c r.$format --field r --key-file rkeys.$format
    expect 0 "imported 3" "$quern" import f.quern r_$format r.$format --field r --key-file rkeys.$format
    "$quern" export f.quern r_$format back.jsonl --force >/dev/null
    printf '{"id":"a","r":[0.5,-1]}\n{"id":"b c","r":[1e-30,2]}\n{"id":"d","r":[3,4]}\n' >wanted_r
    same wanted_r back.jsonl
done
printf '3 2\na 0.5 -1\nb c 1e-30 2\nd 3 4\n' >wanted_words
same wanted_words r.words
expect 0 "imported 3" "$quern" import f.quern words r.words --field r
expect 0 '{"id":"b c","r":[1e-30,2]}' "$quern" get f.quern words "b c" --json
expect 0 "exported 3" "$quern" export f.quern c r.glove.gz --field r --no-header
expect 0 "imported 3" "$quern" import f.quern glove r.glove.gz --field r
expect 1 "record 'a': element 0 .0.5. is not a whole number from 0 to 255" "$quern" export f.quern c bad.bvecs --field r
expect 1 "record 'a': element 0 .0.5. is not a whole number" "$quern" export f.quern c bad.ivecs --field r
[ ! -e bad.bvecs ] || fail "a failed export left its file"
expect 0 "exported 3" "$quern" export f.quern c out.tsv.zst
zstd -dqc out.tsv.zst | head -1 | grep -q "^id	t	r	v$" || fail "a tsv without tabs"
expect 0 "imported 3" "$quern" import f.quern tsv out.tsv.zst --field v --dense r:2:l2
expect 1 "index=maybe: expected auto" "$quern" import f.quern other whole.jsonl --field v --index index=maybe
expect 1 "makes none here" "$quern" import f.quern tsv out.tsv.zst --field v --index index=none
expect 0 "imported 3" "$quern" import f.quern other whole.jsonl --field v --index "index=graph codes=4bit"
expect 0 "index=graph" "$quern" info f.quern --json
expect 0 "1 segment" "$quern" optimize f.quern other
expect 0 '"kind": "none"' "$quern" info f.quern --json
expect 0 "segment  field  index  codes" "$quern" info f.quern
"$quern" export f.quern tsv back.jsonl --force >/dev/null
same whole.jsonl back.jsonl
expect 2 "unknown format 'parquet'" "$quern" export f.quern c out --format parquet
expect 2 "words only" "$quern" export f.quern c out.csv --no-header

section "nothing is changed in silence"
printf '%s\n' '{"id":18446744073709551615,"a":1}' '{"id":18446744073709551614,"a":2}' >u64.jsonl
expect 0 "imported 2" "$quern" import q.quern u64 u64.jsonl
expect 0 '{"id":"18446744073709551614","a":2}' "$quern" list q.quern u64 --json
expect 0 "imported 2" "$quern" import q.quern u64text u64.jsonl --key id:text
expect 0 '"id":"18446744073709551615"' "$quern" list q.quern u64text --json
expect 1 "u64.jsonl:1: key column 'id': '18446744073709551615' does not fit the type int" "$quern" import q.quern u64int u64.jsonl --key id:int
printf '%s\n' '{"id":"001","zip":"00123","e":"1e3","t":"true","n":7}' '{"id":"1","zip":"04567","e":"2","t":"false","n":8}' >codes.jsonl
expect 0 "imported 2" "$quern" import q.quern codes codes.jsonl
for ending in csv tsv; do
    expect 0 "exported 2" "$quern" export q.quern codes codes.$ending
    expect 0 "imported 2" "$quern" import q.quern codes_$ending codes.$ending
    "$quern" export q.quern codes_$ending back.jsonl --force >/dev/null
    same codes.jsonl back.jsonl
done
printf 'id,zip\n001,00123\n1,4567\n' >zip.csv
expect 0 "imported 2" "$quern" import q.quern zip zip.csv
expect 0 '{"id":"001","zip":"00123"}' "$quern" list q.quern zip --json
{ echo id,zip && seq -f '%.0f,5' 1 1500 && echo 1501,007; } >late.csv
expect 1 "late.csv:1502: column 'zip': '007' is not how that number is written, and may be none; --attr zip:int takes it for one" \
    "$quern" import q.quern late late.csv
expect 0 "imported 1,501" "$quern" import q.quern late late.csv --attr zip:int
expect 1 "column 'id': '001' is not how that number is written, and may be none; --key id:int takes" "$quern" import q.quern late zip.csv
expect 0 "imported 1 " "$quern" import q.quern late - --format csv --key id:int <<<$'id,zip\n001,5'
printf 'id,x\n1,9007199254740993\n2,1.5\n' >wide.csv
expect 0 "note: column 'x' becomes a text attribute: as a real, 9007199254740993 .wide.csv:2. would be rounded" "$quern" import q.quern wide wide.csv
printf '%s\n' '{"id":1,"x":12345678901234567890}' '{"id":2,"x":1.5}' >wide.jsonl
expect 0 "note: column 'x' becomes a json attribute" "$quern" import q.quern widejson wide.jsonl
expect 0 '{"id":1,"x":12345678901234567890}' "$quern" list q.quern widejson --json
expect 1 "wide.csv:2: column 'x': '9007199254740993' does not fit the type real, which would round it" \
    "$quern" import q.quern widereal wide.csv --attr x:real
for type in str real integer; do
    expect 2 "key 'id:$type': '$type' is no type of keys" "$quern" import q.quern typed zip.csv --key id:$type
    expect 2 "key 'id:$type': '$type' is no type of keys" "$quern" create q.quern typed --key id:$type
done
expect 0 "imported 1 " "$quern" import q.quern colon - --format csv --key dc:id <<<$'dc:id,x\na,1'
printf '%s\n' '{"id":1,"v":[1,0,1,1,0,0,0,1,1,0]}' '{"id":2,"v":[0,0,1,1,0,0,0,1,1,1]}' >bits.jsonl
expect 0 "imported 2" "$quern" import q.quern bits bits.jsonl --dense v:10:hamming:bit
for ending in npy npz; do
    expect 0 "exported 2" "$quern" export q.quern bits bits.$ending
    expect 0 "imported 2" "$quern" import q.quern bits_$ending bits.$ending --field v --type bit --start-key 1
    "$quern" export q.quern bits_$ending back.jsonl --force >/dev/null
    same bits.jsonl back.jsonl
done
printf '{"id":1,"v":[-0.0,0,1]}\n' >zero.jsonl
expect 0 "imported 1 " "$quern" import q.quern zero zero.jsonl --field v
"$quern" export q.quern zero back.jsonl --force >/dev/null
same zero.jsonl back.jsonl
expect 0 "note: column 'vector' holds sparse vectors and becomes a json attribute; give --sparse vector" "$quern" import q.quern csr out.csr
expect 0 "imported 2" "$quern" import q.quern contents ans.jsonl --key id --sparse vector --vocabulary terms.txt
expect 0 '"contents":"x","vector":{"whale":1.5,"white":0.5}' "$quern" export q.quern contents --format anserini --vocabulary terms.txt
expect 1 "nosuch: no terms; is it there?" "$quern" export q.quern contents --format anserini --vocabulary nosuch
printf '3 2\na 0.5 1\nb 1 2\n' >short.words
expect 1 "the file ends behind 2 rows, line 1 tells of 3" "$quern" import q.quern short short.words --field v
expect 0 "imported 2 records.* 1 bad line skipped" "$quern" import q.quern short short.words --field v --skip-bad
expect 1 "a row behind the 1 that line 1 tells of" "$quern" import q.quern long - --format words --field v <<<$'1 2\na 0.5 1\nb 1 2'

section "an import that fails at its header leaves nothing"
printf ',a\n0,1\n1,2\n' >pandas.csv
expect 1 "a column of the file has no name.*--rename =NAME" "$quern" import left.quern c pandas.csv
[ ! -e left.quern ] || fail "a file is left"
expect 1 "a column of the file has no name" "$quern" import q.quern left pandas.csv
expect 1 "no collection" "$quern" count q.quern left
expect 0 "imported 2" "$quern" import q.quern named pandas.csv --rename =idx
expect 0 '{"id":0,"idx":0,"a":1}' "$quern" list q.quern named --json
expect 0 "imported 2" "$quern" import q.quern keyed pandas.csv --rename =id
expect 0 '{"id":1,"a":2}' "$quern" list q.quern keyed --json
expect 2 "wanted OLD=NEW" "$quern" import q.quern named pandas.csv --rename =

section "what is said wrong is named"
expect 2 "dimension is of sparse fields, the field 'v' has dense vectors" "$quern" search q.quern zero --dimension 3
expect 2 "one of .*, not with several" "$quern" search q.quern zero --vector '[1,2,3]' --leg 'v:[1,2,3]'
expect 2 "say what to search for with one of" "$quern" search q.quern zero
expect 1 "nofile: cannot open" "$quern" search q.quern zero --leg v:@nofile
expect 1 "nofile: cannot open" "$quern" search q.quern zero --queries nofile
expect 1 "nofile: cannot open" "$quern" import q.quern zero nofile

section "get, list, count, update, delete, drop, sql"
expect 0 '{"id":"b","year":null}' "$quern" get a.quern docs b --columns year --json
expect 1 "not found: zz" "$quern" get a.quern docs a zz
printf 'a\nc\n' >some
expect 0 "2000" "$quern" get a.quern docs --key-file some --columns year
expect 0 "3" "$quern" count a.quern docs
expect 0 '"again":3' "$quern" count a.quern --json
expect 0 "1" "$quern" count a.quern docs --where "id = 'a'"
expect 2 "collection" "$quern" count a.quern --where "id = 'a'"
expect 2 "collection" "$quern" count a.quern --facet id
expect 0 '{"id":"b","year":null}' "$quern" list a.quern docs --order "year nulls first" -n 1 --columns year --json
expect 0 "note: 1 of 3 records; those behind: --after" "$quern" list a.quern docs -n 1
expect 1 "order, byte 5" "$quern" list a.quern docs --order "year up"
expect 0 "without a value: 2" "$quern" count a.quern docs --facet year
expect 0 '"nulls":2' "$quern" count a.quern docs --facet year --where "id != 'a'" --json
expect 0 "updated 1 record" "$quern" update a.quern again --set "year = 7" --where "id = 'a'"
expect 0 "^7$" "$quern" sql a.quern "select year from again where id = 'a'" --csv
expect 1 "set, byte 7" "$quern" update a.quern again --set "year = 'x'" --where 1
expect 2 "where is required" "$quern" update a.quern again --set "year = 7"
expect 2 "not both" "$quern" delete a.quern again a --where 1
expect 0 "deleted 0 records" "$quern" delete a.quern again --where "id = 'nobody'"
printf 'a\n\nnobody\n' > some_keys.txt
expect 0 "1" "$quern" count a.quern docs --only-keys some_keys.txt
expect 0 "0" "$quern" count a.quern docs --only-keys some_keys.txt --except-keys some_keys.txt
expect 0 '"id":"a"' "$quern" list a.quern docs --only-keys some_keys.txt --json
expect 1 "no_such_file" "$quern" count a.quern docs --only-keys no_such_file
expect 2 "collection" "$quern" count a.quern --only-keys some_keys.txt
expect 0 "" "$quern" alter a.quern docs --attr year:index=none
expect 0 "index=none" "$quern" info a.quern
expect 0 "1" "$quern" count a.quern docs --where "year = 2000"
expect 0 "" "$quern" alter a.quern docs --attr year:index=auto
"$quern" info a.quern | grep -q "index=none" && fail "index=none stays"
expect 1 "only index=auto or index=none" "$quern" alter a.quern docs --attr year:type=int
expect 1 "no attribute 'nope'" "$quern" alter a.quern docs --attr nope:index=auto
expect 2 "wanted NAME:index=auto" "$quern" alter a.quern docs --attr year
expect 2 "attr" "$quern" alter a.quern docs
expect 0 "deleted 1 record" "$quern" delete a.quern again a nope
expect 0 "2" "$quern" count a.quern again
expect 2 "yes" "$quern" drop a.quern again </dev/null
expect 0 "" "$quern" drop a.quern again --column raw --yes
expect 0 "" "$quern" drop a.quern again --yes
expect 1 "again" "$quern" count a.quern again
expect 0 '{"id":"a","year":2000}' "$quern" sql a.quern "select id, year from docs where year > 1999" --json
expect 0 "id,year" "$quern" sql a.quern "select id, year from docs order by 1" --csv
expect 0 "42" "$quern" sql a.quern - <<<"select 42"
expect 0 "^3$" "$quern" sql a.quern "select count(*) from (select 1 from docs)" --csv
expect 0 "^9$" "$quern" sql a.quern "select count(*) from docs a, docs b" --csv
expect 0 '{"id":"a","value":"x"}' "$quern" sql a.quern "select docs.id, value from docs, json_each(tags) where value = 'x'" --json
expect 1 "the limit of a value" "$quern" sql a.quern "select zeroblob(2e9)"
expect 1 "" "$quern" sql a.quern "select * from pragma_table_list"
expect 0 '{"x":null,"y":null,"z":1.5}' "$quern" sql a.quern "select 9e999 as x, -9e999 as y, 1.5 as z" --json
expect 0 "^inf,-inf$" "$quern" sql a.quern "select 9e999, -9e999" --csv
expect 1 "" "$quern" sql a.quern "delete from docs"
expect 1 "" "$quern" sql a.quern "selec"

section "search"
expect 0 '{"key":"b","distance":2.25}' "$quern" search a.quern docs --key a --json
expect 0 '{"key":"a","distance":0' "$quern" search a.quern docs --key a --self --json
expect 0 "2000" "$quern" search a.quern docs --vector '[1,2,3,4]' -k 1 --columns year
expect 0 "no records" "$quern" search a.quern docs --vector '[100,0,0,0]' -k 0 --max-distance 1
expect 0 '"columns":{"year":2000}' "$quern" search a.quern docs --vector '[1,2,3,4]' -k 1 -c year --json
expect 0 '"query":1' "$quern" search a.quern docs --queries emb.npy --batch --json
expect 0 "queries/s" "$quern" search a.quern docs --queries emb.npy --timing --threads 1
expect 0 "2000" "$quern" search a.quern docs --vector '[1,2,3,4]' -k 1 --columns year --where 'year = 2000'
expect 0 "no records" "$quern" search a.quern docs --vector '[1,2,3,4]' -w 'year < 0'
expect 0 '"matches":1' "$quern" search a.quern docs --vector '[1,2,3,4]' --where 'year = 2000' --explain
expect 0 '.search.:..queries.:1,.*.estimate.:..selectivity.:.*.truth.:..ways.:..scan.:1' "$quern" search a.quern docs --vector '[1,2,3,4]' --where 'year = 2000' --explain
expect 0 '"read":{"bytes":' "$quern" search a.quern docs --vector '[1,2,3,4]' --explain
expect 0 "chunks read .* a query" "$quern" search a.quern docs --queries emb.npy --stats
expect 0 '"recall":1.0' "$quern" search a.quern docs --queries emb.npy --audit measure
expect 1 "too few" "$quern" search a.quern docs --queries emb.npy --audit keep
expect 0 '"field":"emb","delivers":""' "$quern" search a.quern docs --queries emb.npy --audit forget
expect 1 "byte 9: no such column: nope" "$quern" search a.quern docs --vector '[1,2,3,4]' --where '1 = 1 or nope'
expect 1 "dimension 2" "$quern" search a.quern docs --vector '[1,2]'
"$quern" search a.quern docs --vector '[1,2,3,4]' -k 1 --json >page.json
bookmark=$(grep -o '"bookmark":"[^"]*"' page.json | cut -d'"' -f4)
expect 0 '"hits":[{"key":"b"' "$quern" search a.quern docs --vector '[1,2,3,4]' -k 1 --after "$bookmark" --json
expect 0 "those behind: --after $bookmark" "$quern" search a.quern docs --vector '[1,2,3,4]' -k 1 --bookmark
expect 1 "of another search" "$quern" search a.quern docs --vector '[4,3,2,1]' -k 1 --after "$bookmark"
expect 0 '.hits.:..*.key.:.b.*.key.:.a.' "$quern" search a.quern docs --vector '[1,2,3,4]' --order 'id desc' --json
expect 1 "byte 0" "$quern" search a.quern docs --vector '[1,2,3,4]' --order yaer
cp a.quern hubs.quern
expect 0 "measured into 'hub'; search with --formula '2 \* \"emb\" - \"hub\"'" "$quern" hubs hubs.quern docs -k 1
expect 0 '"columns":{"hub":-' "$quern" search hubs.quern docs --leg 'emb limit=10:[1,2,3,4]' --formula '2 * emb - hub' -c hub --json
expect 0 '"formula":"\\"emb\\" - \\"soft\\""' "$quern" hubs hubs.quern docs --queries emb.npy --kind softmax --attribute soft --json
expect 2 "needs --deviation" "$quern" hubs hubs.quern docs --kind zscore
expect 0 "spread" "$quern" hubs hubs.quern docs --kind zscore --attribute mean --deviation spread
expect 1 "is not real" "$quern" hubs hubs.quern docs --attribute year
expect 1 "timeout_ms=soon" "$quern" search a.quern docs --vector '[1,2,3,4]' --timeout-ms soon
expect 0 '"columns":{"year":2000}' "$quern" search a.quern docs --vector '[1,2,3,4]' -k 1 -c year --json --timeout-ms 100000 --max-scored 100000 --max-bytes 100000000
expect 0 '"hits":[{"key":"b"' "$quern" search a.quern docs --vector '[1,2,3,4]' --offset 1 --json
expect 0 '"key":"a"' "$quern" search a.quern docs --vector '[1,2,3,4]' --group year --per-group 2 --json
expect 0 '"key":"a"' "$quern" search a.quern docs --vector '[1,2,3,4]' --diversify 'emb lambda=0.5 pool=10' --json
expect 1 "nope" "$quern" search a.quern docs --vector '[1,2,3,4]' --group nope
expect 0 '"key":"a"' "$quern" search a.quern docs --leg 'emb:[1,2,3,4]' --formula 'emb + year / 1000' --json
expect 1 "byte 6" "$quern" search a.quern docs --leg 'emb:[1,2,3,4]' --formula 'emb + nope'
expect 0 '"key":"a"' "$quern" search a.quern docs --leg 'emb:[1,2,3,4]' --fusion normalize=minmax --formula 'emb' --json
expect 2 "'kind=max' says otherwise" "$quern" search a.quern docs --leg 'emb:[1,2,3,4]' --fusion kind=max --formula 'emb'
expect 2 "it goes with --leg" "$quern" search a.quern docs --vector '[1,2,3,4]' --fusion 'kind=rrf weights=1,2,3'
expect 2 "unknown option 'foo'; there are: absent, against, bound" "$quern" search a.quern docs --leg 'emb foo=1:[1,2,3,4]'
expect 1 "nope" "$quern" search a.quern docs --field nope --vector '[1,2]'
expect 1 "zz" "$quern" search a.quern docs --key zz
expect 1 "nothere" "$quern" search a.quern nothere --key a
expect 2 "one of" "$quern" search a.quern docs
expect 2 "max-distance" "$quern" search a.quern docs --key a -k 0
expect 2 "array" "$quern" search a.quern docs --vector '[1,"x"]'
expect 1 "texts" "$quern" search a.quern docs --queries emb.npy --truth emb.npy
expect 1 "none.quern" "$quern" search none.quern docs --key a
[ ! -e none.quern ] || fail "a search created a file"

section "CSV, inferred types, bad lines"
printf 'id,title,year,ok,v[0],v[1]\n1,"a, ""b""",2000,true,0.5,1\n2,,,false,,\n3,x,abc,true,1,2\n4,y,2001,true,1,nan\n5,z,7,true,3,4\n' >c.csv
expect 1 "c.csv:4: column 'year': 'abc' does not fit" "$quern" import c.quern c c.csv --field v --attr year:int
expect 0 "0" "$quern" count c.quern c
expect 0 "2 bad lines skipped, the first: c.csv:4" "$quern" import c.quern c c.csv --field v --skip-bad
expect 0 '{"id":1,"title":"a, \"b\"","year":2000,"ok":true,"v":[0.5,1]}' "$quern" get c.quern c 1 --json
expect 1 "is in collection" "$quern" import c.quern c c.csv --insert --skip-bad
expect 1 "no column 'zzz'" "$quern" import c.quern c - --format jsonl <<<'{"id":9,"zzz":1}'
expect 0 "" "$quern" import c.quern c - --format jsonl --add <<<'{"id":9,"zzz":1}'
expect 0 '"zzz":1' "$quern" get c.quern c 9 --json
expect 0 "" "$quern" import c.quern c - --format jsonl --add --rest more <<<'{"id":9,"q":1}'
expect 0 "" "$quern" import c.quern c - --format jsonl --rest more --update <<<'{"id":9,"year":5,"qq":[1,{"a":2}]}'
expect 0 '"more":{"qq":[1,{"a":2}]}' "$quern" get c.quern c 9 --json
expect 1 "no record was committed" "$quern" import c.quern c - --format jsonl --update <<<'{"id":12345,"year":5}'
expect 0 '"records":2' "$quern" import c.quern twice - --format jsonl --json <<<$'{"id":1,"a":1}\n{"id":1,"a":2}'
expect 0 '"a":2' "$quern" get c.quern twice 1 --json
expect 0 "imported 1 records" "$quern" import c.quern keyed - --format jsonl --key _id --rename name=title <<<'{"_id":"k","name":"t"}'
expect 0 '{"id":"k","title":"t"}' "$quern" get c.quern keyed k --json
expect 0 "imported 1 records" "$quern" import c.quern rest - --format jsonl --columns id,a --rest more <<<'{"id":1,"a":2,"b":3,"c":[1.50]}'
expect 0 '{"id":1,"a":2,"more":{"b":3,"c":[1.50]}}' "$quern" get c.quern rest 1 --json
for i in $(seq 1 50); do echo "{\"id\":$i}"; done >many.jsonl
echo '{"id":' >>many.jsonl
expect 1 "many.jsonl:51: malformed JSON" "$quern" import c.quern many many.jsonl --batch-rows 20
expect 0 "40" "$quern" count c.quern many
expect 1 "40 records are committed" "$quern" import c.quern many many.jsonl --batch-rows 20
expect 1 "nothing was imported" "$quern" import c.quern none many.jsonl --batch-rows 20 --atomic
expect 1 "no collection 'none'" "$quern" count c.quern none
expect 1 "nothing was imported" "$quern" import fresh.quern none many.jsonl --batch-rows 20 --atomic
expect 1 "holds no vector" "$quern" import fresh.quern none many.jsonl --field id --skip-bad --atomic
[ -z "$(ls | grep '^fresh')" ] || fail "a failed atomic import left its file"
expect 1 "nothing was imported" "$quern" import c.quern many - --format jsonl --add --atomic <<<$'{"id":1,"new":1}\n{'
"$quern" info c.quern --json | grep -q '"new"' && fail "a failed atomic import left its column"
expect 0 "40" "$quern" count c.quern many

section "bad lines when the import creates the collection"
printf '{"id":1,"emb":[1,2]}\n{"id":2,"emb":[1,2,3]}\n' >b.jsonl
expect 1 "b.jsonl:2: 'emb' has dimension 3, the field has 2" "$quern" import bad.quern whole b.jsonl --field emb
expect 0 "imported 1 records.*1 bad line skipped: b.jsonl:2: 'emb' has dimension 3" "$quern" import bad.quern c b.jsonl --field emb --skip-bad
expect 0 '"skipped":1,"bad":[{"line":2,"message":"b.jsonl:2: '"'emb' has dimension 3" "$quern" import bad.quern d b.jsonl --field emb --skip-bad --json
printf 'id,emb\n1,"[1,2,3]"\n2,x\n3,"[1,2]"\n4,"[3,4]"\n' >b.csv
expect 1 "b.csv:2: 'emb' has dimension 3, the field has 2" "$quern" import bad.quern csv b.csv --field emb
expect 0 "imported 2 records" "$quern" import bad.quern csv2 b.csv --field emb --skip-bad
expect 1 "holds no vector" "$quern" import bad.quern none - --format jsonl --field emb --skip-bad <<<'{"emb":"x"}'
# Lines that cannot be read stand among records that do not fit.
for i in $(seq 1 30); do
    if [ $((i % 2)) = 0 ]; then echo "{\"id\":$i"; else echo "{\"id\":$i,\"v\":[1$([ $((i % 3)) = 0 ] && echo ,2)]}"; fi
done >mixed.jsonl
expect 0 "imported 10 records.*20 bad lines skipped, the first: mixed.jsonl:2:" "$quern" import bad.quern mixed mixed.jsonl --field v --skip-bad
sed -n 's/^skipped: mixed.jsonl:\([0-9]*\):.*/\1/p' message >named
seq 1 30 | awk '$1 % 2 == 0 || $1 % 3 == 0' >wanted_lines
same wanted_lines named
for i in $(seq 1 300); do echo "bad $i"; done | cat - b.jsonl >long_bad.jsonl
expect 0 "skipped: and 281 more" "$quern" import bad.quern long long_bad.jsonl --field emb --skip-bad
[ "$(grep -c '^skipped: long_bad' message)" = 20 ] || fail "not 20 bad lines are named"
printf '\2\0\0\0\0\0\200\77\0\0\200\77\2\0\0\0\0\0' >cut.fvecs
expect 1 "row 1: the file ends inside a row" "$quern" import bad.quern cut0 cut.fvecs --field emb
expect 0 "imported 1 records.*1 bad line skipped: cut.fvecs: row 1" "$quern" import bad.quern cut1 cut.fvecs --field emb --skip-bad
for i in $(seq 1 5000); do echo "{\"id\":$i,\"r\":$RANDOM}"; done | gzip | head -c 20000 >cut.jsonl.gz
expect 1 "ends too early; [0-9,]* records are committed" "$quern" import bad.quern cut2 cut.jsonl.gz --skip-bad
expect 1 "ends too early; no record was committed" "$quern" import bad.quern cut3 cut.jsonl.gz

section "line ends in cells"
printf 'id,t\r\n1,"a\r\nb\nc\rd\r\n"\r\n2,e\r\n' >ends.csv
expect 0 "imported 2" "$quern" import ends.quern c ends.csv
expect 0 '{"id":1,"t":"a\r\nb\nc\rd\r\n"}' "$quern" get ends.quern c 1 --json
expect 0 '{"id":2,"t":"e"}' "$quern" get ends.quern c 2 --json
expect 0 "" "$quern" export ends.quern c ends_again.csv
expect 0 "imported 2" "$quern" import ends.quern again ends_again.csv
expect 0 '{"id":1,"t":"a\r\nb\nc\rd\r\n"}' "$quern" get ends.quern again 1 --json

section "word vectors"
printf '3 2\nking 1 0\nqueen 0.9 0.1\n. . . 0 1\n' | gzip >w.txt.gz
expect 0 "imported 3" "$quern" import w.quern w w.txt.gz --field emb --metric cosine
expect 0 "queen" "$quern" search w.quern w --key king -k 1
expect 0 '". . ."' "$quern" get w.quern w ". . ." --json
expect 1 "has the metric cosine, not l2" "$quern" import w.quern w w.txt.gz --field emb --metric l2
expect 2 "metric" "$quern" import w.quern x w.txt.gz --field emb --metric foo
expect 2 "field" "$quern" import w.quern x w.txt.gz
expect 2 "format" "$quern" import w.quern x - --field emb </dev/null

section "idx and bits"
{ printf '\0\0\10\3\0\0\0\2\0\0\0\2\0\0\0\2'; printf '\1\2\3\4\377\0\0\0'; } | gzip >images-idx3-ubyte.gz
expect 0 "imported 2" "$quern" import i.quern images images-idx3-ubyte.gz --field px
expect 0 '[255,0,0,0]' "$quern" get i.quern images 1 --json
expect 0 "imported 2" "$quern" import i.quern bits images-idx3-ubyte.gz --field px --type bit
expect 0 '"distance":3' "$quern" search i.quern bits --key 0 --json
expect 1 "i8" "$quern" import i.quern small images-idx3-ubyte.gz --field px --type i8

section "damaged and hostile files"
printf 'garbage' >g.quern
expect 1 "not a quern database" "$quern" info g.quern
expect 1 '{"ok":false,"error":{"status":"' "$quern" verify g.quern --json
expect 1 '{"ok":false,"error":{"status":"' "$quern" verify absent.quern --json
printf '\377\377\377\377' >bad.fvecs
expect 1 "row 0: dimension -1" "$quern" import new.quern x bad.fvecs --field emb
expect 1 "cannot open" "$quern" import new.quern x nofile.fvecs --field emb
[ ! -e new.quern ] || fail "an import of an unreadable file created a database"
head -c 30 w.txt.gz >cut.txt.gz
expect 1 "cut.txt.gz: the gzip data ends too early" "$quern" import cut.quern x cut.txt.gz --field emb
{ printf '{"id":1,"a":'; head -c 100000 /dev/zero | tr '\0' '['; echo; } >deep.jsonl
expect 1 "deep.jsonl:1: nested deeper" "$quern" import new.quern x deep.jsonl

section "maintenance"
expect 0 "ok" "$quern" verify a.quern
expect 0 '"ok": *true' "$quern" verify a.quern --json
expect 0 "segment" "$quern" optimize a.quern docs
expect 0 "segments" "$quern" optimize a.quern --max-ms 1000 --json
expect 0 "file" "$quern" vacuum a.quern
expect 0 "" "$quern" backup a.quern b.quern
expect 1 "b.quern" "$quern" backup a.quern b.quern
expect 0 "" "$quern" rebuild b.quern
expect 0 "bytes of the file" "$quern" info b.quern
"$quern" export b.quern docs >from_backup.jsonl
same wanted from_backup.jsonl
expect 0 "same answers *2 of 2" "$quern" bench a.quern numbered --directory .
damage b.quern
expect 1 "" "$quern" verify b.quern

section "a full disk and a closed pipe"
if [ -w /dev/full ]; then
    "$quern" export a.quern docs >/dev/full 2>message && fail "writing to a full disk succeeded"
    "$quern" info a.quern >/dev/full 2>message && fail "printing to a full disk succeeded"
fi
"$quern" export a.quern docs | head -c 1 >/dev/null

section "Ctrl-C"
awk 'BEGIN { for (i = 0; i < 400000; i++) printf "{\"id\":%d,\"v\":[%d,%d,%d,%d]}\n", i, i, i % 7, i % 11, i % 13 }' >long.jsonl
interrupt 0.7 "$quern" import stop.quern long long.jsonl --field v --batch-rows 1000
if [ "$interrupted_code" = 130 ]; then
    committed=$(sed -n 's/.*interrupted; \([0-9,]*\) records are committed.*/\1/p' message | tr -d ,)
    kept=$("$quern" count stop.quern long)
    [ "${committed:-x}" = "$kept" ] || fail "the message says '${committed:-nothing}', the collection holds $kept"
    expect 0 "ok" "$quern" verify stop.quern
    expect 0 "" "$quern" import stop.quern long long.jsonl --skip-rows "$kept"
    expect 0 "400000" "$quern" count stop.quern long
else
    echo "  note: the import ended before the signal came (code $interrupted_code)"
fi

section "a backup while another process writes"
# Records wide enough that the copy does not fit its page cache; the writer then waits for input, with pages in the log.
awk 'BEGIN { t = sprintf("%400s", "x"); for (i = 0; i < 30000; i++) printf "{\"id\":%d,\"t\":\"%s\"}\n", i, t }' >wide.jsonl
mkfifo pipe
"$quern" import busy.quern c pipe --format jsonl --batch-rows 300 >/dev/null 2>&1 &
writer=$!
exec 9>pipe
cat wide.jsonl >&9
for copy in 1 2; do
    expect 0 "" "$quern" backup busy.quern copy$copy.quern
    expect 0 "ok" "$quern" verify copy$copy.quern
    sleep 0.3
done
exec 9>&-
wait $writer
expect 0 "30000" "$quern" count busy.quern c
expect 0 "ok" "$quern" verify busy.quern

section "sparse vectors"
printf '%s\n' '{"id":"a","vector":{"dims":[9,3],"weights":[0.5,-2]},"t":"x"}' '{"id":"b","vector":{"3":1.25,"7":4}}' \
    '{"id":"c","vector":null}' '{"id":"d","vector":{}}' >sparse.jsonl
expect 0 "imported 4" "$quern" import sparse.quern docs sparse.jsonl --key id --sparse vector:10
expect 0 "sparse *10 dimensions" "$quern" info sparse.quern
expect 0 '"key":"b","distance":-2.5},{"key":"a","distance":4}' "$quern" search sparse.quern docs --vector '{"dims":[3],"weights":[2]}' --json
expect 0 '"of":"a","hits":[{"key":"b","distance":2.5}' "$quern" search sparse.quern docs --key a --json
expect 2 "not a dimension" "$quern" search sparse.quern docs --vector '{"dims":[10]}'
expect 0 '"key":"b","distance":-2.5' "$quern" search sparse.quern docs --vector '{"dims":[3],"weights":[2]}' --bound 0.8 --superblocks 2 --json
expect 1 "bound=2" "$quern" search sparse.quern docs --vector '{"dims":[3]}' --bound 2
expect 0 "" "$quern" create sparse.quern plain --sparse vector:10:index=none --sparse other:index=auto
expect 1 "index=" "$quern" create sparse.quern worse --sparse vector:10:index=graph
expect 0 "1 segment" "$quern" optimize sparse.quern
expect 0 "" "$quern" export sparse.quern docs sparse1.jsonl
expect 0 '"vector":{"dims":[3,9],"weights":[-2,0.5]}' cat sparse1.jsonl
expect 0 "imported 4" "$quern" import sparse.quern again sparse1.jsonl --key id --sparse vector
expect 0 "" "$quern" export sparse.quern again sparse2.jsonl
same sparse1.jsonl sparse2.jsonl
expect 0 "" "$quern" create sparse.quern marks --key id:int --sparse vector:10:binary
expect 0 "imported 2" "$quern" import sparse.quern marks - --format jsonl <<<'{"id":1,"vector":{"dims":[3,9]}}
{"id":2,"vector":{"3":1}}'
expect 0 '"key":1,"distance":-3},{"key":2,"distance":-2}' "$quern" search sparse.quern marks --vector '{"dims":[3,9],"weights":[2,1]}' --json
expect 0 "10 dimensions, binary" "$quern" info sparse.quern
expect 1 "binary" "$quern" import sparse.quern marks - --format jsonl <<<'{"id":3,"vector":{"3":2}}'
expect 1 "twice" "$quern" import sparse.quern docs - --format jsonl <<<'{"id":"e","vector":{"3":1,"3":2}}'
expect 1 "column 'vector': '10' is not a dimension" "$quern" import sparse.quern docs - --format jsonl <<<'{"id":"e","vector":{"10":1}}'
expect 1 "not a finite number" "$quern" import sparse.quern docs - --format jsonl <<<'{"id":"e","vector":{"1":"x"}}'
expect 0 '"key":"b","distance":-1.25},{"key":"a","distance":2}' "$quern" search sparse.quern docs --dimension 3 --json
expect 2 "one of --vector and --dimension" "$quern" search sparse.quern docs --dimension 3 --vector '{"3":1}'
expect 1 "has no token weights" "$quern" search sparse.quern docs --field vector --text mill
printf 'mill\t3\t2\nstone\t9\t0.5\n' >tokens.tsv
expect 0 "2 tokens" "$quern" tokens sparse.quern docs vector tokens.tsv --options porter
expect 0 '"key":"b","distance":-2.5},{"key":"a","distance":3.75}' "$quern" search sparse.quern docs --field vector --text 'Mills of stone' --json
expect 0 '"key":"b","score":' "$quern" search sparse.quern docs --leg vector:text=mill --json
expect 0 "10 dimensions, 2 tokens .porter." "$quern" info sparse.quern
expect 1 "token 1 .'stone'. has dimension 10" "$quern" tokens sparse.quern docs vector - <<<$'mill\t3\t2\nstone\t10\t1'
expect 1 "line 2: wanted TOKEN" "$quern" tokens sparse.quern docs vector - <<<$'mill\t3\t2\nstone'
expect 1 "line 1: 'x' is no weight" "$quern" tokens sparse.quern docs vector - <<<$'mill\tx'
expect 2 "or --remove" "$quern" tokens sparse.quern docs vector
expect 0 "2 tokens" "$quern" tokens sparse.quern docs vector - <<<$'mill\nstone'
expect 0 "no token weights" "$quern" tokens sparse.quern docs vector --remove
expect 1 "has no field 'none'" "$quern" tokens sparse.quern docs none tokens.tsv
expect 0 "flops a pair" "$quern" stats sparse.quern docs vector
expect 0 '"vectors":3,"empty":1,"entries":4' "$quern" stats sparse.quern docs vector --json
expect 0 '"queries":{"count":1' "$quern" stats sparse.quern docs vector --queries - --json <<<'{"vector":{"3":1}}'
expect 0 "" "$quern" create sparse.quern quick --sparse vector:10:approx=graph --sparse short:prune_top=8:prune_mass=0.9
expect 1 "prune_mass=2" "$quern" create sparse.quern worse --sparse vector:prune_mass=2
expect 0 "ok" "$quern" verify sparse.quern

section "texts"
printf '%s\n' '{"id":1,"body":"The white whale sank the ship"}' '{"id":2,"body":"A whale that is white, and ships"}' '{"id":3,"body":null}' >texts.jsonl
expect 0 "imported 3" "$quern" import texts.quern texts texts.jsonl --key id --text 'body:porter stop=english'
expect 0 "text field *porter stop=english" "$quern" info texts.quern
expect 0 '"hits":[{"key":1,' "$quern" search texts.quern texts --text '"white whale" ship*' --json
expect 0 'the \*\*ship\*\*' "$quern" search texts.quern texts --text 'ship' --snippets
expect 0 '"snippet":"A \*\*whale\*\* that' "$quern" search texts.quern texts --text 'whale -sank' --snippets --json
expect 2 "goes with --text" "$quern" search texts.quern texts --key 1 --snippets
expect 1 "query 0 for field 'body'" "$quern" search texts.quern texts --text '"x'
expect 0 "1 segment" "$quern" optimize texts.quern
expect 0 '"hits":[{"key":2,' "$quern" search texts.quern texts --text 'whale -sank' --json
expect 0 "" "$quern" export texts.quern texts texts1.jsonl
same texts.jsonl texts1.jsonl
expect 0 "ok" "$quern" verify texts.quern

section "legs"
printf '%s\n' '{"id":"a","emb":[1,0],"terms":{"3":1},"body":"white whale"}' '{"id":"b","emb":[0,1],"terms":{"3":2},"body":"ship"}' \
    '{"id":"c","emb":[1,1],"terms":null,"body":"white ship"}' >legs.jsonl
expect 0 "imported 3" "$quern" import legs.quern docs legs.jsonl --key id --field emb --metric ip --sparse terms --text body
expect 0 '"legs":["emb","terms"],"k":10,"results":[' "$quern" search legs.quern docs --leg '0.5*emb:[1,0]' --leg '0.5*terms:{"3":2}' --json
expect 0 '{"query":0,"hits":[{"key":"b","score":2,"legs":[0,4]},{"key":"a","score":1.5,"legs":[1,2]},{"key":"c","score":0.5,"legs":[1,null]}]}' \
    "$quern" search legs.quern docs --leg '0.5*emb:[1,0]' --leg '0.5*terms:{"3":2}' --json
expect 0 "score *emb *body" "$quern" search legs.quern docs --leg 'emb recall=exact limit=2:key=a' --leg 'body absent=-1:white'
printf 'query\tdoc\tgain\nx\tb\t2\nother\ta\t1\n' >legs.qrels
printf '0 0 b 1\n' >legs.trec
printf 'x\n' >legs.ids
expect 0 '"fusion":"kind=sum normalize=' "$quern" fit legs.quern docs --leg 'emb:[1,0]' --leg 'terms:{"3":2}' --qrels legs.qrels --query-ids legs.ids --json
expect 0 'before, .* with it' "$quern" fit legs.quern docs --leg 'emb:[1,0]' --leg 'terms:{"3":2}' --qrels legs.trec --metric mrr -k 1
expect 1 "no number" "$quern" fit legs.quern docs --leg 'emb:[1,0]' --qrels legs.qrels
expect 2 "qrels" "$quern" fit legs.quern docs --leg 'emb:[1,0]'
expect 1 "no judgment" "$quern" fit legs.quern docs --leg 'emb:[1,0]' --qrels legs.ids
expect 0 'kind=sum normalize=' "$quern" fit legs.quern docs --leg 'emb:[1,0]' --leg 'terms:{"3":2}' --qrels legs.qrels --query-ids legs.ids --store mine
expect 0 '"dimension":3,"weight":2' "$quern" search legs.quern docs --leg 'terms:{"3":2}' --leg 'emb:[1,0]' --fusion stored=mine --explain-hits
expect 1 "are: 'mine'" "$quern" search legs.quern docs --leg 'emb:[1,0]' --fusion stored=other
expect 1 "for the legs 'emb', 'terms'" "$quern" search legs.quern docs --leg 'emb:[1,0]' --fusion stored=mine
expect 0 "time .* a query: filter" "$quern" search legs.quern docs --leg 'emb guide=terms:[1,0]' --leg 'terms:{"3":2}' --stats
expect 1 "names no leg" "$quern" search legs.quern docs --leg 'emb guide=body:[1,0]' --leg 'terms:{"3":2}'
expect 2 "no spaces" "$quern" fit legs.quern docs --leg 'emb:[1,0]' --qrels legs.qrels --query-ids legs.ids --store 'a b'
expect 0 "" "$quern" drop legs.quern docs --fusion mine --yes
expect 1 "there are none" "$quern" drop legs.quern docs --fusion mine --yes
expect 0 '{"key":"c","score":1,"legs":[1,null]}' "$quern" search legs.quern docs --leg 'emb:[1,0]' --leg '0*body:whale' \
    --min-score 1 -k 0 --json
expect 0 '{"key":"a","score":1,' "$quern" search legs.quern docs --leg 'emb:[1,0]' --leg body:white --fusion 'kind=rrf rrf_k=1' -k 1 --json
printf '[1,0]\n[0,1]\n' | sed 's/.*/{"emb":&}/' >emb.jsonl
printf 'whale\nship\n' >queries.txt
expect 0 '"query":1,"hits":[{"key":"b",' "$quern" search legs.quern docs --leg emb:@emb.jsonl --leg 'body:@queries.txt' --batch --json
expect 0 '"query":0,"hits":[{"key":"b",' "$quern" search legs.quern docs --leg emb:@emb.jsonl --leg 'body:@queries.txt' --skip-rows 1 --json
expect 0 '"hits":[{"key":"b","distance":-2},{"key":"c","distance":-1}]}' "$quern" search legs.quern docs --field emb --vector '[-1,2]' \
    --candidates 'body:ship' --json
expect 0 '"hits":[{"key":"c","distance":-1}]}' "$quern" search legs.quern docs --field emb --vector '[-1,2]' -k 0 \
    --candidates 'body:ship' --candidates 'emb limit=1:key=a' --json
expect 0 '{"query":1,"hits":[{"key":"b","score":2,"legs":[1,1]}]}' "$quern" search legs.quern docs --leg emb:@emb.jsonl --leg emb:@emb.jsonl \
    --candidates 'emb limit=1:@emb.jsonl' --json
expect 2 "the search has 1" "$quern" search legs.quern docs --field emb --vector '[-1,2]' --candidates emb:@emb.jsonl
expect 2 "no weight" "$quern" search legs.quern docs --field emb --vector '[-1,2]' --candidates '2*emb:[1,0]'
expect 1 "the query for candidates" "$quern" search legs.quern docs --field emb --vector '[-1,2]' --candidates 'emb limit=0:[1,0]'
expect 0 '"hits":[{"key":"c","distance":' "$quern" search legs.quern docs --field emb --plus a --minus b --plus b --json
expect 0 '"hits":[{"key":"a","distance":-2}' "$quern" search legs.quern docs --field emb --plus a --plus a --minus b --self -k 1 --json
expect 1 "zz" "$quern" search legs.quern docs --field emb --plus zz
expect 0 '"hits":[{"key":"a","distance":-1.5},{"key":"c"' "$quern" search legs.quern docs --field emb --vector '[1,0]' --feedback 'docs=1 kind=rocchio alpha=1 beta=0.5' -k 2 --json
expect 1 "kind=mean" "$quern" search legs.quern docs --field emb --vector '[1,0]' --feedback 'kind=mean'
expect 0 '"hits":[{"key":"b","score":1,"legs":[1,0]}' "$quern" search legs.quern docs --leg 'emb:[1,1]' --leg '9*emb against=1:[1,0]' --fusion 'kind=best penalty=5' --json
expect 2 "the first leg has 2" "$quern" search legs.quern docs --leg emb:@emb.jsonl --leg body:ship
expect 2 "no field 'nope'" "$quern" search legs.quern docs --leg nope:1
expect 2 "WEIGHT" "$quern" search legs.quern docs --leg emb
expect 2 "the weight is 'x'" "$quern" search legs.quern docs --leg 'x*emb:[1,0]'
expect 2 "dimension 3" "$quern" search legs.quern docs --leg 'emb:[1,0,0]'
expect 2 "wanted a vector" "$quern" search legs.quern docs --leg 'emb:white'
expect 2 "unknown option 'depth'" "$quern" search legs.quern docs --leg 'emb depth=3:[1,0]'
expect 1 "kind=mean" "$quern" search legs.quern docs --leg 'emb:[1,0]' --fusion kind=mean
expect 1 "weight is -1" "$quern" search legs.quern docs --leg '-1*emb:[1,0]'
expect 2 "one of" "$quern" search legs.quern docs --leg 'emb:[1,0]' --key a

if [ -e "$data/sift500k/base.bvecs.zst" ]; then
    section "real vectors: SIFT"
    sift=$data/sift500k
    expect 0 "imported 500,000" "$quern" import sift.quern sift "$sift/base.bvecs.zst" --field emb --metric l2 --index index=none
    expect 0 '"recall":1.0,' "$quern" search sift.quern sift --field emb --queries "$sift/query.bvecs.zst" -k 10 \
        --truth "$sift/truth100.l2.ivecs.zst" --limit 20 --json
    expect 0 "recall@10 *1.0000" "$quern" search sift.quern sift --field emb --queries "$sift/query.bvecs.zst" -k 10 \
        --truth "$sift/truth100.l2.ivecs.zst" --limit 100 --batch
    expect 0 "sift" "$quern" info sift.quern
    expect 0 "ok" "$quern" verify sift.quern
    expect 0 "1 segment" "$quern" optimize sift.quern
    expect 0 "latency" "$quern" search sift.quern sift --field emb --queries "$sift/query.bvecs.zst" -k 10 \
        --truth "$sift/truth100.l2.ivecs.zst" --limit 10
    rm -f sift.quern
    expect 0 "" "$quern" create some.quern sift --dense emb:128:l2 --index ef_build=100
    expect 0 "imported 20,000" "$quern" import some.quern sift "$sift/base.bvecs.zst" --field emb --limit 20000
    expect 0 "" "$quern" search some.quern sift --queries "$sift/query.bvecs.zst" -k 10 --limit 50 --recall exact --json
    mv output exact.json
    expect 0 "1 segment" "$quern" optimize some.quern
    expect 0 "" "$quern" search some.quern sift --queries "$sift/query.bvecs.zst" -k 10 --limit 50 --recall exact --json
    same exact.json output  # exact answers stay what they are
    expect 0 '"key":' "$quern" search some.quern sift --queries "$sift/query.bvecs.zst" -k 10 --limit 50 --ef 200 --refine 50 --json
    expect 0 "ok" "$quern" verify some.quern
    section "real vectors: words, MNIST, papers"
    expect 0 "imported 60,000" "$quern" import mnist.quern digits "$data/mnist784/images.u8.npy.zst" --field px --limit 60000
    expect 0 '"key":' "$quern" search mnist.quern digits --queries "$data/mnist784/images.u8.npy.zst" --skip-rows 60000 --limit 3 -k 5 --json
    zstd -dqc "$data/words/word2vec-googlenews-8000.txt.zst" >words.txt
    expect 0 "imported 8,000" "$quern" import words.quern words "$data/words/word2vec-googlenews-8000x300.f32.npy.zst" \
        --field emb --metric cosine --key-file words.txt
    expect 0 "queen" "$quern" search words.quern words --key king -k 10
    expect 0 "imported 29,810" "$quern" import papers.quern papers "$data/acl-anthology/corpus.jsonl.zst" --key _id:int
    expect 0 "imported 29,810" "$quern" import papers.quern papers "$data/acl-anthology/lsa256.docs.f16.npy.zst" \
        --field emb --metric cosine --type f16 --update --add
    expect 0 "ok" "$quern" verify papers.quern
    expect 0 "imported 19,406" "$quern" import shop.quern items "$data/icecat/products.jsonl.zst" --key id --columns id,title --rest more
else
    echo "skipped: the real vector sets are not at $data (set QUERN_DATA)"
fi

finish
