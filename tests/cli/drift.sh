#!/bin/sh
# flywheel drift: forms of input, the table, JSON, exit codes, mistakes.
. "${FW_SOURCE:?}/tests/lib.sh"

# made N NIGHT WIDTH: rows of which NIGHT in ten are night shifts, WIDTH wider
made() {
    awk -v n="$1" -v night="$2" -v wider="$3" 'BEGIN {
        for (i = 0; i < n; i++)
            printf "{\"id\":\"r%d\",\"shift\":\"%s\",\"width\":%d,\"line\":\"%s\",\"label\":\"%s\"}\n",
                i, (i % 10 < night ? "night" : "day"), i * 37 % 97 + wider, substr("abc", i % 3 + 1, 1),
                (i % 5 ? "ok" : "bad")
    }'
}
made 2000 1 0 >before.jsonl
made 1000 4 0 >night.jsonl
made 1000 1 0 >same.jsonl
made 12 4 9 >few.jsonl

expect_exit 0 "$flywheel" drift night.jsonl --reference before.jsonl
says "drift: major (1000 production samples against 2000 of the reference)" \
    "shift == 'night': 10 % → 40 %" "targets for collection"
ok
grep -q "^  shift  *category .*major" "$work/out" || fail "no line of shift" "$work/out"
ok
grep -q "^  shift == 'night'  *10.*%  *40 %  *1000$" "$work/out" || fail "no target" "$work/out"
expect_exit 0 "$flywheel" drift same.jsonl --reference before.jsonl
says "drift: none"
expect_exit 0 "$flywheel" drift few.jsonl --reference before.jsonl
says "drift: too few to tell"

# Exit codes for scripts.
expect_exit 1 "$flywheel" drift night.jsonl --reference before.jsonl --fail-on major
expect_exit 0 "$flywheel" drift night.jsonl --reference before.jsonl --fail-on major --ignore shift
expect_exit 0 "$flywheel" drift same.jsonl --reference before.jsonl --fail-on minor
expect_exit 0 "$flywheel" drift night.jsonl --reference before.jsonl --fail-on major --major 2
expect_exit 1 "$flywheel" drift night.jsonl --reference before.jsonl --fail-on minor --major 2
expect_exit 0 "$flywheel" drift night.jsonl --reference before.jsonl --fields 'width, line'
expect_no_text "$work/out" shift

# Folders, CSV, and the same words from each.
mkdir live && cp night.jsonl live/samples.jsonl
expect_exit 0 "$flywheel" drift live --reference before.jsonl --json
cp "$work/out" folder.json
{
    echo id,shift,width,line,label
    sed 's/{"id":"\([^"]*\)","shift":"\([^"]*\)","width":\([0-9]*\),"line":"\([^"]*\)","label":"\([^"]*\)"}/\1,\2,\3,\4,\5/' night.jsonl
} >night.csv
expect_exit 0 "$flywheel" drift night.csv --reference before.jsonl --json
expect_same "csv as json lines" "$(cat "$work/out")" "$(cat folder.json)"
says '"severity": "major"' '"version": 1'

# Labels: nine in ten are predicted right, six in ten are predicted bad: truly 0.625.
awk 'BEGIN { for (i = 0; i < 2000; i++) { t = i % 5 ? "ok" : "bad"; o = i % 5 ? "bad" : "ok"
    printf "{\"id\":\"r%d\",\"prediction\":\"%s\"}\n", i, (int(i / 5) % 10 ? t : o) } }' >on-reference.jsonl
awk 'BEGIN { for (i = 0; i < 1000; i++)
    printf "{\"id\":\"r%d\",\"prediction\":\"%s\"}\n", i, (i % 10 < 6 ? "bad" : "ok") }' >on-live.jsonl
expect_exit 0 "$flywheel" drift same.jsonl --reference before.jsonl --predictions on-live.jsonl \
    --reference-predictions on-reference.jsonl
says "labels: major" "black-box shift estimation" "class == 'bad'"
ok
grep -q "^  bad  *20 %  *6[23] %" "$work/out" || fail "no estimate" "$work/out"

# Mistakes.
expect_exit 2 "$flywheel" drift
expect_text "$work/err" "which samples of production?"
expect_exit 2 "$flywheel" drift night.jsonl --reference before.jsonl --fail-on huge
expect_text "$work/err" "--fail-on is minor or major, not 'huge'"
expect_exit 2 "$flywheel" drift night.jsonl --reference before.jsonl --confidence high
expect_text "$work/err" "--confidence wants a number, not 'high'"
expect_exit 2 "$flywheel" drift night.jsonl --reference before.jsonl --confidence 1
expect_text "$work/err" "the confidence must lie between 0 and 1, not 1"
expect_exit 2 "$flywheel" drift night.jsonl --reference before.jsonl --fields shft
expect_text "$work/err" "no row on either side has a field 'shft'"
expect_exit 2 "$flywheel" drift night.jsonl --reference nowhere
expect_text "$work/err" "there is no file nowhere"
expect_exit 2 "$flywheel" drift night.jsonl
expect_text "$work/err" "there is no reference"
expect_text "$work/err" "--reference PATH"
expect_exit 2 "$flywheel" drift night.jsonl --reference before.jsonl --predictions on-live.jsonl
expect_text "$work/err" "predictions are given for production alone"
: >empty.jsonl
expect_exit 2 "$flywheel" drift empty.jsonl --reference before.jsonl
expect_text "$work/err" "empty.jsonl holds no rows"
echo '{"x": }' >broken.jsonl
expect_exit 2 "$flywheel" drift broken.jsonl --reference before.jsonl
expect_text "$work/err" "broken.jsonl:1"

# Embeddings: the second column of one side is moved.
if /usr/bin/python3 -c 'import numpy' 2>/dev/null; then
    /usr/bin/python3 - <<'END'
import numpy as np
rng = np.random.default_rng(1)
x, y, z = (rng.normal(size=(n, 4)).astype("f4") for n in (900, 500, 700))
z[:, 1] += 1
for name, v in (("ref", x), ("same", y), ("moved", z)):
    np.save(name + ".npy", v)
END
    expect_exit 0 "$flywheel" drift same.jsonl --reference before.jsonl --embeddings same.npy \
        --reference-embeddings ref.npy --fail-on minor
    expect_exit 1 "$flywheel" drift same.jsonl --reference before.jsonl --embeddings moved.npy \
        --reference-embeddings ref.npy --fail-on major
    says "embeddings: major" "domain classifier  AUC 0.7" "MMD"
fi
# A number that became a text, or no number, is gone; a table does not have the features of an import.
awk 'BEGIN { print "id,x"; for (i = 0; i < 400; i++) print "r" i "," (i * 7919 % 1000) / 10 }' >ref.csv
sed '2,$s/,.*/,abc/' ref.csv >text.csv
awk -F, 'NR == 1 || NR % 5 { print; next } { print $1 ",nan" }' ref.csv >nan.csv
expect_exit 1 "$flywheel" drift text.csv --reference ref.csv --fail-on minor
says "x (missing)" "major"
expect_exit 1 "$flywheel" drift nan.csv --reference ref.csv --fail-on minor
says "x is absent or of another kind: 0.0 % → 20 %"
for i in 1 2 3; do echo "{\"id\":\"f$i\",\"features\":[$i,2]}"; done >feat.jsonl
expect_exit 2 "$flywheel" drift ref.csv --reference feat.jsonl
says "ref.csv has no features, and the reference has"
done_testing
