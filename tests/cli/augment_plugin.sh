# The plugin augment as the engine calls it: kinds of change, and what the checklist leaves out.
set -eu
[ -n "${FW_BUILD:-}" ] || { echo "FW_BUILD is not set"; exit 77; }
plugins=$FW_BUILD/plugins
[ -x "$plugins/augment" ] || { echo "augment is not built"; exit 77; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }
has() { grep -q -- "$2" "$1" || { cat "$1" >&2; fail "$1 lacks: $2"; }; }
lacks() { ! grep -q -- "$2" "$1" || { cat "$1" >&2; fail "$1 has: $2"; }; }

# request DATA PARAMS [INPUTS]
request() {
    cat >"$dir/request.json" <<EOF
{"protocol": 1, "run": "r1", "iteration": 1, "stage": "augment", "node": "augment",
 "kind": "augment", "seed": 1, "project": "$dir", "scratch": "$dir",
 "task": "${task:-classification}", "classes": ["a", "b"],
 "params": {"budget": 20, "per_sample": 2, "aim": "${aim:-all}", $2},
 "inputs": {"dataset": "$dir/$1"${3:-}}, "outputs": {"patch": "$dir/patch"}}
EOF
    rm -rf "$dir/patch"
    code=0
    FLYWHEEL_REQUEST=$dir/request.json FLYWHEEL_EVENTS_FD=3 "$plugins/augment" run \
        3>"$dir/events" >"$dir/log" 2>&1 || code=$?
    patch=$dir/patch/patch.jsonl
}
works() {
    request "$@"
    [ $code -eq 0 ] || { cat "$dir/log"; fail "exit $code with $2"; }
}
all_of='"realistic": 0, "confident": 1, "poor": 0'
asked='"realistic": 0.01, "confident": 0.7, "poor": 1'

# A table: two classes on a line with a little overlap, and a column of whole numbers.
mkdir "$dir/table"
i=0
while [ $i -lt 60 ]; do
    label=a; x=$((i * 7 % 10)); [ $((i % 2)) = 0 ] || { label=b; x=$((x + 8)); }
    echo "{\"id\":\"t$i\",\"split\":\"train\",\"label\":\"$label\",\"features\":[$x.5,$((i % 3))]}"
    i=$((i + 1))
done >"$dir/table/samples.jsonl"

echo "tables"
works table "$all_of, \"transforms\": []"
[ "$(wc -l <"$patch")" -eq 20 ] || fail "not 20 copies"
has "$patch" '"part":"interpolate"'
has "$patch" '"part":"jitter"'
has "$patch" '"augmented":"jitter"'
has "$patch" '"checklist":{"realistic":'
lacks "$patch" ',[0-9]*\.[1-9][0-9]*\]' # the second column stays whole
cp "$patch" "$dir/once"
FLYWHEEL_THREADS=1 works table "$all_of, \"transforms\": []"
cmp "$dir/once" "$patch" || fail "it does not repeat"

echo "what fails a question is not proposed"
works table "$asked, \"transforms\": [\"jitter\"]"
has "$dir/events" 'jitter: [0-9]* of [0-9]* copies proposed'
has "$dir/events" '"name":"copies_not_needed"'
[ "$(wc -l <"$patch")" -gt 0 ] || fail "nothing is proposed"
sed 's/.*"poor":\([0-9.]*\).*/\1/' "$patch" | while read -r poor; do
    [ "${poor%%.*}" -ge 1 ] || fail "a copy with $poor of the mean loss is proposed"
done
works table "\"realistic\": 1, \"confident\": 1, \"poor\": 0, \"transforms\": [\"jitter\"]"
sed 's/.*"realistic":\([0-9.]*\).*/\1/' "$patch" | grep -v '^1' && fail "a copy further out is proposed"
has "$dir/events" '"name":"copies_not_realistic","value":[1-9]'

echo "the champion's say on the parent"
# It is sure of every sample of a, and has all of b wrong: b is the slice that is done poorly.
sed 's/.*"id":"\([^"]*\)".*/{"id":"\1","probs":[0.9,0.1]}/' "$dir/table/samples.jsonl" >"$dir/fold.jsonl"
cat >"$dir/analysis.json" <<'EOF'
{"version": 1, "metric": {"name": "accuracy", "value": 0.8}, "slices": [
 {"slice": "class == 'a'", "class": "a", "n": 10, "share": 0.5, "train_n": 30, "metric": 0.8, "low": 0.5, "high": 0.9, "errors": 2, "error_share": 0.5, "human_level": 1, "gap": 0.2, "importance": 1, "ease": 1, "worth": 0.1, "priority": 0.1},
 {"slice": "class == 'b'", "class": "b", "n": 10, "share": 0.5, "train_n": 30, "metric": 0.8, "low": 0.5, "high": 0.9, "errors": 2, "error_share": 0.5, "human_level": 1, "gap": 0.2, "importance": 1, "ease": 1, "worth": 0.1, "priority": 0.1}],
 "suspects": [{"id": "t1", "label": "b", "suggested": "a", "score": 0.1, "method": "confident-learning"}],
 "confusions": [], "noise": null, "coverage": [], "notes": []}
EOF
aim=weak works table "$asked, \"transforms\": [\"jitter\"]" \
    ", \"analysis\": \"$dir/analysis.json\", \"out_of_fold\": \"$dir/fold.jsonl\""
has "$patch" "\"slice\":\"class == 'b'\""
lacks "$patch" '"parent":"t1"'
[ "$(grep -c '"label":"b"' "$patch")" -eq 10 ] || fail "b does not get its half of the budget"

echo "a regression"
mkdir "$dir/number"
sed 's/"label":"\([^"]*\)"/"label":1.5/' "$dir/table/samples.jsonl" >"$dir/number/samples.jsonl"
task=regression works number "$asked, \"transforms\": []"
has "$patch" '"part":"jitter"'
lacks "$patch" interpolate # there is no class to stay in
has "$patch" '"clear":null,"poor":null'

echo "texts"
mkdir "$dir/texts"
i=0
while [ $i -lt 30 ]; do
    if [ $((i % 2)) = 0 ]; then label=a; text="good morning to you all $i"; else
        label=b; text="buy cheap watches now $i"; fi
    echo "{\"id\":\"t$i\",\"split\":\"train\",\"label\":\"$label\",\"text\":\"$text\"}"
    i=$((i + 1))
done >"$dir/texts/samples.jsonl"
works texts "$all_of, \"transforms\": [\"typos\", \"case\"]"
has "$patch" '"part":"typos"'
has "$patch" '"part":"case"'
lacks "$patch" '"split"'

echo "images"
mkdir "$dir/images"
i=0
while [ $i -lt 12 ]; do
    label=a; [ $((i % 2)) = 0 ] || label=b
    awk -v i=$i 'BEGIN { print "P2 24 24 255"
        for (y = 0; y < 24; y++) for (x = 0; x < 24; x++) print (i % 2 ? x : y) * 9 + (x * y + i) % 13 }' \
        >"$dir/ascii"
    { printf 'P5 24 24 255\n'; sed 1d "$dir/ascii" | awk '{ printf "%c", 32 + $1 % 90 }'; } >"$dir/images/$i.pgm"
    echo "{\"id\":\"t$i\",\"split\":\"train\",\"label\":\"$label\",\"file_name\":\"$i.pgm\"}"
    i=$((i + 1))
done >"$dir/images/samples.jsonl"
echo "no image" >"$dir/images/3.pgm"
works images "$all_of, \"transforms\": [\"noise\", \"flip-horizontal\"]"
has "$patch" '"part":"noise"'
has "$patch" '"part":"flip-horizontal"'
has "$dir/events" "1 samples cannot be read"
for file in $(sed 's/.*"file_name":"\([^"]*\)".*/\1/' "$patch"); do
    [ -s "$dir/patch/files/$file" ] || fail "$file is not there"
done
works images "\"realistic\": 1, \"confident\": 0, \"poor\": 1000, \"transforms\": [\"noise\"]"
[ ! -s "$patch" ] || fail "something passes an impossible checklist"
[ ! -d "$dir/patch/files" ] || [ -z "$(find "$dir/patch/files" -type f)" ] || fail "files of nothing"

echo "nothing to augment, and wrong names"
mkdir "$dir/none" && : >"$dir/none/samples.jsonl"
works none "$asked, \"transforms\": []"
has "$dir/events" "no train sample is an image"
request table "$asked, \"transforms\": [\"smote\"]"
[ $code -eq 1 ] || fail "an unknown transform gives $code"
has "$dir/log" "tables: interpolate, jitter"
echo "augment passed"
