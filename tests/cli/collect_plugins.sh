# The plugin pool as the engine calls it: each strategy, and the committee's models.
set -eu
[ -n "${FW_BUILD:-}" ] || { echo "FW_BUILD is not set"; exit 77; }
plugins=$FW_BUILD/plugins
[ -x "$plugins/pool" ] || { echo "pool is not built"; exit 77; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }
has() { grep -q -- "$2" "$1" || { cat "$1" >&2; fail "$1 lacks: $2"; }; }
lacks() { ! grep -q -- "$2" "$1" || { cat "$1" >&2; fail "$1 has: $2"; }; }

# Train: a at 0, b at 10. The pool: five heaps, the last of a class that train has nothing of.
mkdir -p "$dir/data" "$dir/pool" "$dir/models"
i=0
while [ $i -lt 20 ]; do
    x=$((i % 5)); label=a; [ $((i % 2)) = 0 ] || { x=$((x + 40)); label=b; }
    echo "{\"id\":\"t$i\",\"split\":\"train\",\"label\":\"$label\",\"features\":[$x,$((i / 5))]}"
    i=$((i + 1))
done >"$dir/data/samples.jsonl"
i=0
while [ $i -lt 50 ]; do
    heap=$((i / 10))
    echo "{\"id\":\"p$i\",\"label\":\"c\",\"features\":[$((heap * 100 + i % 10)),$((i % 3))]}"
    i=$((i + 1))
done >"$dir/pool/samples.jsonl"
# Three models that agree but on p7, where each is sure and says something else, and on p8, where all
# are unsure alike.
for m in 1 2 3; do
    i=0
    while [ $i -lt 50 ]; do
        probs='[0.9,0.1,0]'
        case $i.$m in
        7.1) probs='[1,0,0]' ;; 7.2) probs='[0,1,0]' ;; 7.3) probs='[0,0,1]' ;;
        8.*) probs='[0.34,0.33,0.33]' ;;
        esac
        echo "{\"id\":\"p$i\",\"probs\":$probs}"
        i=$((i + 1))
    done >"$dir/models/seed=$m"
done

# request PARAMS [INPUTS]
request() {
    cat >"$dir/request.json" <<EOF
{"protocol": 1, "run": "r1", "iteration": 1, "stage": "collect", "node": "collect",
 "kind": "targeted-collection", "seed": 1, "project": "$dir", "scratch": "$dir",
 "task": "classification", "classes": ["a", "b", "c"],
 "params": {"path": "pool", "budget": 3, "quota_share": 1, "near_share": 0.2,
            "density_weight": 1, "committee": 4, $1},
 "inputs": {"dataset": "$dir/data"${2:-}}, "outputs": {"patch": "$dir/patch"}}
EOF
    rm -rf "$dir/patch"
    code=0
    FLYWHEEL_REQUEST=$dir/request.json FLYWHEEL_EVENTS_FD=3 "$plugins/pool" run \
        3>"$dir/events" >"$dir/log" 2>&1 || code=$?
}
works() {
    request "$@"
    [ $code -eq 0 ] || { cat "$dir/log"; fail "exit $code with $1"; }
    sed 's/.*"id":"\([^"]*\)".*/\1/' "$dir/patch/patch.jsonl" >"$dir/ids"
}
first() { [ "$(head -1 "$dir/ids")" = "$1" ] || { cat "$dir/patch/patch.jsonl"; fail "the first is not $1"; }; }

for strategy in mixed uncertainty density k-centre diversity typical random; do
    works "\"strategy\": \"$strategy\""
    [ "$(sort -u "$dir/ids" | wc -l)" -eq 3 ] || fail "$strategy does not choose three"
    cp "$dir/ids" "$dir/once"
    FLYWHEEL_THREADS=1 works "\"strategy\": \"$strategy\""
    cmp "$dir/once" "$dir/ids" || fail "$strategy does not repeat"
done
works '"strategy": "typical"'
for id in $(cat "$dir/ids"); do
    [ "${id#p}" -ge 10 ] || fail "$id lies where train is"
done
has "$dir/patch/patch.jsonl" "typical of its cluster"

echo "several models"
committee=", \"committee\": \"$dir/models\""
works '"strategy": "uncertainty", "uncertainty": "mutual-information"' "$committee"
first p7
has "$dir/patch/patch.jsonl" '3 models say on average a 0.33, b 0.33 (mutual-information 1.00)'
works '"strategy": "uncertainty", "uncertainty": "vote-entropy"' "$committee"
first p7
works '"strategy": "uncertainty", "uncertainty": "margin"' "$committee" # of their mean
sort "$dir/ids" | head -2 | tr '\n' ' ' >"$dir/two"
has "$dir/two" 'p7'
works '"strategy": "uncertainty", "uncertainty": "mutual-information"'
has "$dir/events" "4 quick models vote"
has "$dir/patch/patch.jsonl" "4 models say"

echo "what is missing is said"
request '"strategy": "uncertainty", "uncertainty": "vote-entropy"' ", \"committee\": \"$dir/models/seed=1\""
[ $code -eq 1 ] || fail "a committee of one gives $code"
has "$dir/log" "vote-entropy needs the predictions of at least two models"
has "$dir/log" "leave the input out"
sed -i 21d "$dir/models/seed=2"
request '"strategy": "uncertainty", "uncertainty": "vote-entropy"' "$committee"
[ $code -eq 1 ] || fail "a missing prediction gives $code"
has "$dir/log" "no prediction for the pool's sample 'p20'"
mkdir "$dir/none"
request '"strategy": "mixed"' ", \"committee\": \"$dir/none\""
[ $code -eq 1 ] || fail "an empty committee gives $code"
has "$dir/log" "holds no predictions"

echo "rare classes"
works '"strategy": "mixed", "quota": "rare"' ", \"committee\": \"$dir/models/seed=3\""
first p8 # unsure, and it may be a c
[ "$(sed -n 2p "$dir/ids")" = p7 ] || fail "the second is not p7"
has "$dir/patch/patch.jsonl" "class == 'c'"
echo "pool passed"
