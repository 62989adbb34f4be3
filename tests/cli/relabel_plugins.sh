# The plugins analyse, oracle and inbox as the engine calls them: a request file in, an output out.
set -eu
[ -n "${FW_BUILD:-}" ] || { echo "FW_BUILD is not set"; exit 77; }
plugins=$FW_BUILD/plugins
for p in analyse oracle inbox; do
    [ -x "$plugins/$p" ] || { echo "$p is not built"; exit 77; }
done
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }
has() { grep -q -- "$2" "$1" || { cat "$1" >&2; fail "$1 lacks: $2"; }; }
lacks() { ! grep -q -- "$2" "$1" || { cat "$1" >&2; fail "$1 has: $2"; }; }

# 40 train samples of two classes, of which t3, t25 and t30 are labelled wrongly; 10 dev samples.
mkdir -p "$dir/data"
i=0
while [ $i -lt 40 ]; do
    true=a; [ $i -lt 20 ] || true=b
    label=$true
    case $i in 3) label=b ;; 25 | 30) label=a ;; esac
    if [ $true = a ]; then probs='[0.9,0.1]'; else probs='[0.1,0.9]'; fi
    echo "{\"id\":\"t$i\",\"text\":\"text, \\\"$i\\\"\",\"label\":\"$label\",\"split\":\"train\"}" >>"$dir/data/samples.jsonl"
    echo "{\"id\":\"t$i\",\"probs\":$probs}" >>"$dir/fold.jsonl"
    echo "{\"id\":\"t$i\",\"label\":\"$true\"}" >>"$dir/truth.jsonl"
    i=$((i + 1))
done
i=0
while [ $i -lt 10 ]; do
    label=a; [ $i -lt 5 ] || label=b
    guess=$label; [ $i -ne 7 ] || guess=a
    echo "{\"id\":\"d$i\",\"text\":\"dev $i\",\"label\":\"$label\",\"split\":\"dev\",\"shift\":\"s$((i % 2))\"}" >>"$dir/data/samples.jsonl"
    echo "{\"id\":\"d$i\",\"prediction\":\"$guess\"}" >>"$dir/dev.jsonl"
    i=$((i + 1))
done

# request KIND STAGE OUTPUT PARAMS [HISTORY]
request() {
    cat >"$dir/request.json" <<EOF
{"protocol": 1, "run": "r1", "iteration": 2, "stage": "$2", "node": "$2", "kind": "$1", "seed": 1,
 "project": "$dir", "scratch": "$dir", "task": "classification", "classes": ["a", "b"],
 "metric": "macro_f1", "human_level": {"default": 0.98}, "importance": {}, "ease": {},
 "slices": ["shift"], "params": $4,
 "inputs": {"dataset": "$dir/data", "predictions": "$dir/dev.jsonl", "out_of_fold": "$dir/fold.jsonl",
            "analysis": "$dir/analysis.json", "history": "${5:-/dev/null}"},
 "outputs": {"$3": "$dir/$3$6"}}
EOF
}
# run PLUGIN: exit code in $code, events in $dir/events, the log in $dir/log
run() {
    code=0
    FLYWHEEL_REQUEST=$dir/request.json FLYWHEEL_EVENTS_FD=3 "$plugins/$1" run \
        3>"$dir/events" >"$dir/log" 2>&1 || code=$?
}

echo "analyse"
request error-analysis analyse analysis '{"suspects": 10, "method": "prune_by_noise_rate", "score": "normalized_margin"}' /dev/null .json
run analyse
[ $code -eq 0 ] || { cat "$dir/log"; fail "analyse exits $code"; }
for id in t3 t25 t30; do has "$dir/analysis.json" "\"id\": \"$id\""; done
[ "$(grep -c '"suggested"' "$dir/analysis.json")" -eq 3 ] || fail "three suspects"
has "$dir/analysis.json" "shift == 's1'"
has "$dir/events" '"name":"noise_rate","value":0.075'
has "$dir/events" 'points of accuracy if its gap to human level closed'
cp "$dir/analysis.json" "$dir/first.json"

echo "analyse: history counts as far as it is in the data"
cat >"$dir/history" <<'EOF'
{"op":"relabel","id":"t3","to":"a","verdict":"rejected"}
{"op":"relabel","id":"t25","to":"b","verdict":"provisional"}
{"op":"confirm","id":"t30","to":"a","verdict":"confirmed"}
EOF
request error-analysis analyse analysis '{"suspects": 10, "method": "prune_by_noise_rate", "score": "normalized_margin"}' "$dir/history" .json
run analyse
[ $code -eq 0 ] || { cat "$dir/log"; fail "analyse exits $code"; }
lacks "$dir/analysis.json" '"id": "t3"'
has "$dir/analysis.json" '"id": "t25"'
lacks "$dir/analysis.json" '"id": "t30"'
has "$dir/events" '"name":"noise_rate","value":0.05'
sed -i 's/"human_level": {"default": 0.98}/"human_level": {}/' "$dir/request.json"
run analyse
has "$dir/events" 'points of accuracy if its gap to 100 % closed'
mv "$dir/first.json" "$dir/analysis.json"

echo "oracle: labellers who never err mend every suspect; history is not asked again"
request relabel relabel patch '{"truth": "truth.jsonl", "error_rate": 0, "labellers": 2, "adjudicate": true, "budget": 0, "samples": 0, "order": "suspects", "seed": 1}' /dev/null .1
run oracle
[ $code -eq 0 ] || { cat "$dir/log"; fail "oracle exits $code"; }
[ "$(grep -c '"op":"relabel"' "$dir/patch.1/patch.jsonl")" -eq 3 ] || fail "three fixes"
has "$dir/patch.1/patch.jsonl" '"id":"t3","from":"b","to":"a"'
has "$dir/patch.1/patch.jsonl" '"cost":{"labels":2}'
has "$dir/events" '"name":"percent_agreement","value":1'
echo '{"op":"relabel","id":"t3","to":"a","verdict":"rejected"}' >"$dir/history"
request relabel relabel patch '{"truth": "truth.jsonl", "error_rate": 0, "labellers": 2, "adjudicate": true, "budget": 3, "samples": 0, "order": "suspects", "seed": 1}' "$dir/history" .2
run oracle
[ $code -eq 0 ] || fail "oracle exits $code"
lacks "$dir/patch.2/patch.jsonl" '"id":"t3"'
[ "$(wc -l <"$dir/patch.2/patch.jsonl")" -eq 1 ] || fail "the budget of 3 labels is one sample"

echo "oracle: erring labellers, twice the same; a baseline in random order"
params='{"truth": "truth.jsonl", "error_rate": 0.4, "labellers": 2, "adjudicate": true, "budget": 0, "samples": 30, "order": "random", "seed": 5}'
request relabel relabel patch "$params" /dev/null .3
run oracle
request relabel relabel patch "$params" /dev/null .4
run oracle
cmp -s "$dir/patch.3/patch.jsonl" "$dir/patch.4/patch.jsonl" || fail "oracle is not reproducible"
has "$dir/patch.3/patch.jsonl" '"op":"confirm"'
has "$dir/patch.3/patch.jsonl" '"labels":3'
lacks "$dir/patch.3/patch.jsonl" '"id":"d'

echo "oracle: all answers of the iteration together"
for how in dawid-skene auto; do
    params='{"truth": "truth.jsonl", "error_rate": 0.2, "labellers": 5, "adjudicate": false, "consensus": "'$how'", "budget": 0, "samples": 30, "order": "random", "seed": 5}'
    request relabel relabel patch "$params" /dev/null .5
    run oracle
    [ $code -eq 0 ] || { cat "$dir/log"; fail "oracle exits $code"; }
    has "$dir/events" 'consensus by dawid-skene'
    [ "$(wc -l <"$dir/patch.5/patch.jsonl")" -eq 30 ] || fail "thirty are decided by $how"
done

echo "oracle: truth that is wrong or absent is refused with its place"
printf 'id,label\nt1,a\nt2,zebra\n' >"$dir/truth.csv"
request relabel relabel patch '{"truth": "truth.csv", "labellers": 1}' /dev/null .5
run oracle
[ $code -eq 1 ] || fail "oracle exits $code"
has "$dir/log" "truth.csv:3: label 'zebra'"
request relabel relabel patch '{"truth": "", "labellers": 1}' /dev/null .5
run oracle
has "$dir/log" "true labels are not given"

echo "inbox: one labeller, CSV"
one='{"folder": "in", "format": "csv", "samples": 2, "labellers": 1, "poll": 60}'
request relabel relabel patch "$one" /dev/null .6
run inbox
[ $code -eq 75 ] || { cat "$dir/log"; fail "inbox exits $code, not 75"; }
[ ! -e "$dir/patch.6" ] || fail "no patch while waiting"
has "$dir/events" '"type":"waiting"'
has "$dir/events" '"count":2'
todo=$dir/in/r1-2-relabel.1.todo.csv done=$dir/in/r1-2-relabel.1.done.csv
has "$todo" 'id,content,present,suggested,label,labeller'
has "$todo" '^t3,"text, ""3""",b,a,,$'
[ -e "$dir/in/README.txt" ] || fail "README.txt"
echo "# mine" >>"$todo"
run inbox
has "$todo" '# mine'
printf 'id,label\r\nt3,cat\r\n' >"$done"
run inbox
[ $code -eq 1 ] || fail "an unknown class is refused"
has "$dir/log" "done.csv:2: 'cat' is not a class"
printf 'id,label\nt9,a\n' >"$done"
run inbox
has "$dir/log" "done.csv:2: nobody was asked about a sample 't9'"
printf 'label;id;labeller\n a ;t3;Ann\n;t25;\n' >"$done"
run inbox
[ $code -eq 0 ] || { cat "$dir/log"; fail "inbox exits $code"; }
[ "$(wc -l <"$dir/patch.6/patch.jsonl")" -eq 1 ] || fail "an unanswered row makes no fix"
has "$dir/patch.6/patch.jsonl" '"from":"b","to":"a","reason":"the labeller says '"'a'"'","by":\["Ann"\]'

echo "inbox: two labellers, JSON lines, a third where they differ"
two='{"folder": "in", "format": "jsonl", "samples": 3, "labellers": 2, "poll": 60}'
request relabel pair patch "$two" /dev/null .7
run inbox
[ $code -eq 75 ] || fail "inbox exits $code, not 75"
name=$dir/in/r1-2-pair
[ -e "$name.1.todo.jsonl" ] && [ -e "$name.2.todo.jsonl" ] || fail "a file each"
printf '{"id":"t3","label":"a"}\n{"id":"t25","label":"b"}\n{"id":"t30","label":"a"}\n' >"$name.1.done.jsonl"
run inbox
[ $code -eq 75 ] || fail "the second labeller is missing"
printf '{"id":"t3","label":"a"}\n{"id":"t25","label":"a"}\n{"id":"t30","label":"a"}\n' >"$name.2.done.jsonl"
run inbox
[ $code -eq 75 ] || fail "the third labeller is missing"
[ "$(wc -l <"$name.3.todo.jsonl")" -eq 1 ] || fail "the third sees what differs"
has "$name.3.todo.jsonl" '"id":"t25"'
printf '{"id":"t25","label":"b","labeller":"Cleo"}\n' >"$name.3.done.jsonl"
run inbox
[ $code -eq 0 ] || { cat "$dir/log"; fail "inbox exits $code"; }
has "$dir/patch.7/patch.jsonl" '"op":"relabel","id":"t3"'
has "$dir/patch.7/patch.jsonl" '"op":"relabel","id":"t25".*2 of 3 labellers.*Cleo'
has "$dir/patch.7/patch.jsonl" '"op":"confirm","id":"t30"'

echo "inbox: files to look at lie beside the list, each under a name of its own"
mkdir -p "$dir/data/one" "$dir/data/two"
echo "first" >"$dir/data/one/scan.png"
echo "other" >"$dir/data/two/scan.png"
sed -i 's|"id":"t3","text":"[^,]*, [^,]*",|"id":"t3","file_name":"one/scan.png",|
        s|"id":"t25","text":"[^,]*, [^,]*",|"id":"t25","file_name":"two/scan.png",|' "$dir/data/samples.jsonl"
request relabel look patch "$one" /dev/null .8
run inbox
[ $code -eq 75 ] || { cat "$dir/log"; fail "inbox exits $code, not 75"; }
has "$dir/in/r1-2-look.1.todo.csv" '^t3,r1-2-look/scan.png,b,a,,$'
has "$dir/in/r1-2-look.1.todo.csv" '^t25,r1-2-look/scan-2.png,a,b,,$'
cmp -s "$dir/in/r1-2-look/scan.png" "$dir/data/one/scan.png" || fail "scan.png is another file"
cmp -s "$dir/in/r1-2-look/scan-2.png" "$dir/data/two/scan.png" || fail "scan-2.png is another file"
rm "$dir/in/r1-2-look.1.todo.csv" "$dir/in/r1-2-look/scan-2.png"
echo "half" >"$dir/in/r1-2-look/.part"
run inbox
has "$dir/in/r1-2-look.1.todo.csv" '^t25,r1-2-look/scan-2.png,a,b,,$'
[ "$(ls -A "$dir/in/r1-2-look" | wc -l)" -eq 2 ] || fail "copies are made once"
rm "$dir/in/r1-2-look.1.todo.csv" "$dir/data/two/scan.png"
run inbox
[ $code -eq 1 ] || fail "inbox exits $code"
has "$dir/log" "sample 't25': cannot read .*two/scan.png"
for p in analyse oracle inbox; do
    "$plugins/$p" describe >"$dir/says"
    has "$dir/says" '"version": "1.'
    has "$dir/says" '^ "description": "'
done

echo "calls that are not the protocol"
code=0; "$plugins/analyse" fly >/dev/null 2>&1 || code=$?
[ $code -eq 2 ] || fail "usage exits $code"
code=0; env -u FLYWHEEL_REQUEST "$plugins/analyse" run >/dev/null 2>&1 || code=$?
[ $code -eq 1 ] || fail "no request exits $code"
echo "passed"
