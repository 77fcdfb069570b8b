# Checks for cli_test.sh: each counts, and the first words of a failure say which command did what.
checks=0
failures=0

section() { echo "- $1"; }

fail() {
    failures=$((failures + 1))
    echo "  FAILED: $1"
}

# expect CODE PATTERN COMMAND...: the exit code, and an extended regular expression that standard output or
# error must match. Patterns that start with { or [ are plain text.
expect() {
    local code=$1 pattern=$2 got
    shift 2
    checks=$((checks + 1))
    "$@" >output 2>message
    got=$?
    if [ "$got" != "$code" ]; then
        fail "exit code $got, wanted $code: ${*:2}"
        head -5 output message
        return
    fi
    [ -z "$pattern" ] && return
    local how=-E
    case $pattern in "{"* | "["* | '"'*':{'* | '"'*'['*) how=-F ;; esac
    if ! cat output message | grep -q $how -- "$pattern"; then
        fail "no '$pattern' in what it printed: ${*:2}"
        head -5 output message
    fi
}

# same WANTED GOT: two files with the same content.
same() {
    checks=$((checks + 1))
    cmp -s "$1" "$2" || {
        fail "$2 is not as wanted"
        diff "$1" "$2" | head -10
    }
}

# interrupt SECONDS COMMAND...: starts the command, sends SIGINT after that time; $interrupted_code gets its
# exit code.
interrupt() {
    local seconds=$1 pid
    shift
    # Background jobs of a script ignore SIGINT unless job control is on.
    set -m
    "$@" >output 2>message &
    pid=$!
    set +m
    sleep "$seconds"
    kill -INT "$pid" 2>/dev/null
    wait "$pid"
    interrupted_code=$?
    checks=$((checks + 1))
}

# damage FILE: flips a byte in the middle of each 16 KiB page but the first two.
damage() {
    local pages page
    pages=$(($(stat -c %s "$1") / 16384))
    for ((page = 2; page < pages; page++)); do
        printf '\125' | dd of="$1" bs=1 seek=$((page * 16384 + 9000)) conv=notrunc status=none
    done
}

finish() {
    echo "$checks checks, $failures failed"
    [ "$failures" = 0 ]
}
