# Sourced by the scripts in cli/, e2e/ and fault/: a scratch folder, checks, and tiny projects.
# Each failed check is told and counted; `done_testing` ends the script with the count.
set -u
: "${FW_BUILD:?the build folder}" "${FW_SOURCE:?the source folder}"
flywheel=$FW_BUILD/flywheel
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP PIPE
cd "$work" || exit 1
checks=0
failures=0

# The scripts speak for themselves: nothing of the caller's environment or git settings.
export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null HOME="$work"
export GIT_AUTHOR_NAME=Ann GIT_AUTHOR_EMAIL=ann@example.org
export GIT_COMMITTER_NAME=Ann GIT_COMMITTER_EMAIL=ann@example.org
unset SOURCE_DATE_EPOCH NO_COLOR GIT_DIR GIT_WORK_TREE
export LC_ALL=C.UTF-8 ASAN_OPTIONS="${ASAN_OPTIONS:-detect_leaks=1}"

has_sanitizer=no
grep -q '^FW_SANITIZE:[A-Z]*=.' "$FW_BUILD/CMakeCache.txt" 2>/dev/null && has_sanitizer=yes

skip() {
    echo "skipped: $1"
    exit 77
}

ok() {
    checks=$((checks + 1))
}

# fail TEXT [FILE]: counts, and shows the file
fail() {
    failures=$((failures + 1))
    echo "FAILED: $1"
    [ ! -s "${2:-/dev/null}" ] || sed 's/^/    /' "$2" | head -40
}

# run command...: stdout to $work/out, stderr to $work/err, both to $work/all, the code in $code
run() {
    "$@" >"$work/out" 2>"$work/err" </dev/null
    code=$?
    cat "$work/out" "$work/err" >"$work/all"
}

# expect_exit CODE command...
expect_exit() {
    want=$1
    shift
    run "$@"
    ok
    [ "$code" = "$want" ] || fail "exit $code, not $want: $*" "$work/all"
}

# expect_text FILE TEXT: the file holds the text
expect_text() {
    ok
    grep -qF -- "$2" "$1" || fail "no '$2' in ${1##*/}" "$1"
}

# says TEXT...: what the last command printed holds each
says() {
    for text; do
        expect_text "$work/all" "$text"
    done
}

expect_no_text() {
    ok
    ! grep -qF -- "$2" "$1" || fail "there is '$2' in ${1##*/}" "$1"
}

# expect_same WHAT A B
expect_same() {
    ok
    [ "$2" = "$3" ] || fail "$1: '$2', not '$3'"
}

# golden FILE: the file is, word for word, what stands on stdin
golden() {
    cat >"$work/golden"
    ok
    diff -u "$work/golden" "$1" >"$work/golden.diff" || fail "${1##*/} differs" "$work/golden.diff"
}

# wait_for SECONDS command...: until it succeeds
wait_for() {
    tries=$(($1 * 20))
    shift
    while ! "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || return 1
        sleep 0.05
    done
}

done_testing() {
    echo "$checks checks, $failures failed"
    [ $failures = 0 ] || exit 1
    exit 0
}

# rows N SEED [WRONG %] [PREFIX]: three classes of points with metadata, as samples.jsonl lines with
# splits; truth.csv beside them. WRONG of the cats in train are called ant: a mistake with a system,
# so that putting it right moves the border between the two.
rows() {
    awk -v n="$1" -v state="$2" -v wrong="${3:-0}" -v prefix="${4:-s}" '
    # Not rand(): that differs from one awk to another.
    function draw() { state = (state * 16807) % 2147483647; return state / 2147483647 }
    function bell() { return (draw() + draw() + draw() - 1.5) * 1.3 }
    BEGIN {
        split("ant bee cat", name, " ")
        state = state * 7919 + 1
        for (i = 0; i < 10; i++) draw()
        print "id,label" > "truth.csv"
        for (i = 0; i < n; i++) {
            k = i % 3
            in_split = (i % 10 < 6) ? "train" : (i % 10 < 8) ? "dev" : "test"
            x = 2.2 * cos(2.0944 * k) + bell()
            y = 2.2 * sin(2.0944 * k) + bell()
            label = (draw() * 100 < wrong && in_split == "train" && k == 2) ? 0 : k
            printf "%s%04d,%s\n", prefix, i, name[k + 1] > "truth.csv"
            printf "{\"id\":\"%s%04d\",\"split\":\"%s\",\"label\":\"%s\",\"features\":[%.4f,%.4f],\"shift\":\"%s\"}\n", \
                prefix, i, in_split, name[label + 1], x, y, (i % 4) ? "day" : "night"
        }
    }'
}

# make_repo: the current folder as a git repository with one commit
make_repo() {
    git init -q -b main . && echo work >README && git add README && git commit -q -m start
}

# make_data [N] [SEED] [wrong %]: data/samples.jsonl and truth.csv in the current folder
make_data() {
    mkdir -p data && rows "${1:-150}" "${2:-5}" "${3:-50}" >data/samples.jsonl
}

# The common part of a pipeline on that data: everything but what proposes fixes.
yaml_base() {
    cat <<'YAML'
flywheel: 1
name: bugs

dataset:
  import: data/
  slices: [shift]

metric: {name: accuracy}

stages:
  train:
    kind: train
    plugin: linear
    with: {C: 1.0, input: features, features: raw}
    seeds: [1]
    folds: 3
  evaluate: {kind: evaluate, plugin: linear, model: train}
  analyse: {kind: error-analysis, plugin: analyse}
YAML
}

yaml_oracle() {
    cat <<'YAML'
  relabel:
    kind: relabel
    plugin: oracle
    with: {truth: truth.csv, error_rate: 0, samples: 25}
YAML
}

yaml_loop() {
    cat <<'YAML'

loop:
  patience: 1
  max_iterations: 2
  gate: {rule: threshold, min_gain: 0.01}
YAML
}

# make_project FOLDER: a repository with data and a pipeline that relabels by an oracle; goes there
make_project() {
    mkdir -p "$work/$1" && cd "$work/$1" || exit 1
    make_repo
    make_data
    { yaml_base && yaml_oracle && yaml_loop; } >flywheel.yaml
}

tip() {
    git rev-parse -q --verify refs/heads/flywheel/bugs 2>/dev/null
}

# A script as plugin: make_plugin NAME KIND (body on stdin, run with the request's environment)
make_plugin() {
    mkdir -p plugins/"$1"
    {
        cat <<PLUGIN
#!/bin/sh
if [ "\$1" = describe ]; then
    echo '{"protocol":1,"name":"$1","version":"1","kind":"$2","params":{"n":{"type":"integer","default":0}}}'
    exit 0
fi
PLUGIN
        cat
    } >plugins/"$1"/"$1"
    chmod +x plugins/"$1"/"$1"
}
