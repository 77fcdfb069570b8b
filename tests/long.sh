#!/usr/bin/env bash
# The long run: every family of random tests, again and again with new seeds, until the time is over. The family that has had least of its share
# of the time comes next, so the run can be stopped at any moment (Ctrl-C, kill) and has been fair until then.
#   tests/long.sh --hours 6                 as nightly, on two cores: --jobs 2
#   tests/long.sh --hours 0.5 --seed 77 --only sessions,kills
#   tests/long.sh --list                    families, shares, and whether their programs have been built
# --seed N: the first round's seed (default: the day's); round i of a family has N + i. --keep DIR: where the output of failed rounds, their files, and
# the corpora of fuzzing go (default build/long). Failures print the command that shows them again; a table comes last. Exit code 1: something failed.
# Builds that it makes use of, each left out where it is missing:
#   cmake --preset release && cmake --build --preset release                              most families
#   cmake --build --preset release --target quern_planted                                 planted
#   cmake --preset tsan && cmake --build --preset tsan --target quern_unit quern_sessions  threads
#   cmake --preset asan && cmake --build --preset asan --target quern_unit quern_sessions  sessions_asan
#   cmake --preset fuzz && cmake --build --preset fuzz                                    fuzz
# tidy is left out where clang-tidy-14 is missing.
set -uo pipefail
cd "$(dirname "$0")/.."

hours="" seed=$(date +%Y%m%d) jobs=1 only="" keep=build/long list=0
while [ $# -gt 0 ]; do
  case "$1" in
    --hours) hours="${2:-}"; shift ;;
    --seed) seed="${2:-}"; shift ;;
    --jobs) jobs="${2:-}"; shift ;;
    --only) only=",${2:-},"; shift ;;
    --keep) keep="${2:-}"; shift ;;
    --list) list=1 ;;
    *) sed -n '2,/^set/{/^set/!p;}' "$0"; exit 2 ;;
  esac
  shift
done
[[ "$seed" =~ ^[0-9]+$ && "$jobs" =~ ^[1-9][0-9]*$ ]] || { echo "--seed and --jobs take numbers" >&2; exit 2; }
[ $list -eq 1 ] || [[ "$hours" =~ ^[0-9]*\.?[0-9]+$ ]] || { echo "--hours N is missing" >&2; exit 2; }

# name | share of the time | seconds that a round may take | what a round has | program and arguments. @SEED, and @FUZZ: the target whose turn it is.
R=build/release/tests
FAMILIES="
crash_states|12|1800|20000 states|$R/crash/quern_crash_replay --states 20000 --steps 400 --seed @SEED
crash_columns|3|1800|1 pass|$R/crash/quern_crash_columns --stride 1
crash_short|8|7200|1 pass|$R/crash/quern_crash_short --length 3 --every 20 --seed @SEED
crash_relaxed|3|7200|1 pass|$R/crash/quern_crash_short --length 2 --every 7 --durability relaxed --seed @SEED
kills|6|1800|200 cycles|$R/crash/quern_kill9 --cycles 200 --seed @SEED
process_kills|6|900|60 seconds|$R/sessions/quern_sessions kills --seconds 60 --seed @SEED
nth_call|8|7200|1 pass|$R/faults/quern_nth_call --dense 60 --every 1
planted|2|7200|1 list|python3 tests/faults/run_planted.py --control --bin $R
sessions|14|1800|170 sequences|$R/sessions/quern_sessions model --count 170 --steps 400 --seed @SEED
sessions_asan|4|3600|17 sequences|build/asan/tests/sessions/quern_sessions model --count 17 --steps 100 --seed @SEED
churn|4|1800|5 indexes|$R/sessions/quern_sessions churn --seed @SEED
answers|4|1800|1 pass|$R/sessions/quern_sessions answers --seed @SEED
filters|4|3600|20000 filters|QUERN_CASES=20000 QUERN_SEED=@SEED $R/quern_unit 'a million random filters find what SQLite finds'
hybrid|4|3600|5000 queries|QUERN_CASES=5000 QUERN_SEED=@SEED $R/quern_unit 'ten thousand random hybrid queries find what plain loops find'
corruption|8|3600|3000 trials|$R/corruption/quern_corruption --trials 3000 --every 97 --seed @SEED
fuzz|16|1800|300 seconds|build/fuzz/fuzz/@FUZZ -max_total_time=300 -rss_limit_mb=2048 -timeout=20 -seed=@SEED
threads|6|3600|1 pass|build/tsan/tests/quern_unit 'threads on one handle see whole commits'
tidy|1|7200|1 pass|bash tests/tidy.sh
threads_sessions|2|3600|17 sequences|build/tsan/tests/sessions/quern_sessions model --count 17 --steps 60 --seed @SEED
"

declare -A share=() limit=() unit=() command=() spent=() rounds=() failed=() state=()
names=()
fuzz_targets=()
for target in build/fuzz/fuzz/fuzz_*; do [ -f "$target" ] && [ -x "$target" ] && fuzz_targets+=("${target##*/}"); done
while IFS='|' read -r name part most what words; do
  [ -n "$name" ] || continue
  [ -z "$only" ] || [[ "$only" == *",$name,"* ]] || continue
  share[$name]=$part limit[$name]=$most unit[$name]=$what command[$name]=$words spent[$name]=0 rounds[$name]=0 failed[$name]=0
  for program in $words; do  # the first word that is neither an assignment nor an interpreter
    case "$program" in *=* | bash | python3) ;; *) break ;; esac
  done
  state[$name]=ready
  if [ "$name" = fuzz ]; then
    [ ${#fuzz_targets[@]} -gt 0 ] || state[$name]=missing
  elif [ "$name" = tidy ]; then
    command -v clang-tidy-14 >/dev/null || state[$name]=missing
  elif [ "$name" = planted ]; then
    [ -e $R/faults/quern_unit_indexes_faulty ] || state[$name]=missing
  elif [ ! -e "$program" ]; then
    state[$name]=missing
  fi
  names+=("$name")
done <<<"$FAMILIES"
[ ${#names[@]} -gt 0 ] || { echo "--only names no family" >&2; exit 2; }
if [ $list -eq 1 ]; then
  for name in "${names[@]}"; do printf '%-18s %3s %%  %-8s %s\n' "$name" "${share[$name]}" "${state[$name]}" "${command[$name]}"; done
  exit 0
fi

mkdir -p "$keep"
keep=$(cd "$keep" && pwd)
begin=$(date +%s)
end=$(awk -v h="$hours" -v b="$begin" 'BEGIN { printf "%d", b + h * 3600 }')
declare -A name_of=() begun=() log_of=() folder_of=() text_of=()
stopped=0 failures=0

summary() {
  local name
  echo
  printf '%-18s %8s %8s %8s  %s\n' family rounds minutes failed "each round"
  for name in "${names[@]}"; do
    if [ "${state[$name]}" = missing ]; then
      printf '%-18s left out: not built\n' "$name"
    else
      printf '%-18s %8d %8d %8d  %s\n' "$name" "${rounds[$name]}" $((spent[$name] / 60)) "${failed[$name]}" "${unit[$name]}"
    fi
  done
  echo "seed $seed, $((($(date +%s) - begin) / 60)) minutes, $failures failures${failures:+$([ "$failures" -gt 0 ] && echo ", kept in $keep")}"
}

# The family that is furthest behind its share, a round counting a second more than it took; none that is missing or fails without end.
next_family() {
  local name best="" least="" behind
  for name in "${names[@]}"; do
    [ "${state[$name]}" = ready ] && [ "${failed[$name]}" -lt 10 ] || continue
    behind=$(((spent[$name] + rounds[$name] + 1) * 1000 / share[$name]))
    if [ -z "$best" ] || [ "$behind" -lt "$least" ]; then best=$name least=$behind; fi
  done
  echo "$best"
}

start_round() {
  local name=$1 number=$((seed + rounds[$1])) words folder target=""
  folder=$keep/$name-$number
  mkdir -p "$folder"
  words=${command[$name]//@SEED/$number}
  if [ "$name" = fuzz ]; then
    target=${fuzz_targets[$((rounds[$name] % ${#fuzz_targets[@]}))]}
    mkdir -p "$keep/corpus/$target"
    words="${words//@FUZZ/$target} -artifact_prefix=$folder/ $keep/corpus/$target"
    [ -d "fuzz/corpus/${target#fuzz_}" ] && words="$words fuzz/corpus/${target#fuzz_}"
    [ -d "fuzz/corpus/$target" ] && words="$words fuzz/corpus/$target"
  fi
  rounds[$name]=$((rounds[$name] + 1))
  # Files that a failure leaves behind stay with its output.
  TMPDIR=$folder timeout -k 30 "${limit[$name]}" bash -c "$words" >"$folder/output.txt" 2>&1 &
  name_of[$!]=$name begun[$!]=$(date +%s) folder_of[$!]=$folder text_of[$!]=$words
}

# A round that was stopped from outside is no failure; one that hangs is.
end_round() {
  local pid=$1 code=$2 name=${name_of[$1]} folder=${folder_of[$1]}
  spent[$name]=$((spent[$name] + $(date +%s) - begun[$pid]))
  if [ "$code" -ne 0 ] && [ $stopped -eq 0 ]; then
    failed[$name]=$((failed[$name] + 1)) failures=$((failures + 1))
    echo "FAILED ($code$([ "$code" -eq 124 ] && echo ", took too long")): TMPDIR=$folder ${text_of[$pid]}"
    echo "${text_of[$pid]}" >"$folder/command.txt"
    grep -aE 'VIOLATION|FAILED|ERROR|SUMMARY|again' "$folder/output.txt" | head -n 5
  else
    rm -rf "$folder"
  fi
  unset "name_of[$pid]" "begun[$pid]" "folder_of[$pid]" "text_of[$pid]"
}

stop() {
  stopped=1
  local pid
  for pid in "${!name_of[@]}"; do kill "$pid" 2>/dev/null; done
  for pid in "${!name_of[@]}"; do wait "$pid" 2>/dev/null; end_round "$pid" 0; done
  summary
  exit $((failures > 0))
}
trap stop INT TERM

echo "seed $seed, $hours hours, $jobs at a time"
while [ "$(date +%s)" -lt "$end" ]; do
  while [ ${#name_of[@]} -lt "$jobs" ]; do
    name=$(next_family)
    [ -n "$name" ] || break
    start_round "$name"
  done
  [ ${#name_of[@]} -gt 0 ] || { echo "nothing is left to run"; break; }
  # Ends a round that is running when the time is over.
  over=$((end - $(date +%s))) done_pid=""
  sleep "$over" & clock=$!
  wait -n -p done_pid "${!name_of[@]}" "$clock"
  code=$?
  kill "$clock" 2>/dev/null
  wait "$clock" 2>/dev/null
  [ -n "$done_pid" ] && [ "$done_pid" != "$clock" ] && end_round "$done_pid" "$code"
done
stop
