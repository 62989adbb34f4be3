#!/bin/sh
# The sklearn plugin: conforms, learns, and says plainly what is missing or wrong.
set -u
flywheel=${FLYWHEEL:-$FW_BUILD/flywheel}
plugin=$FW_BUILD/plugins/sklearn
[ -x /usr/bin/python3 ] || exit 77
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failures=0

fail() {
    echo "FAILED: $1"
    sed 's/^/    /' out
    failures=$((failures + 1))
}

expect() {
    want=$1
    shift
    "$@" >out 2>&1 </dev/null
    got=$?
    [ "$got" = "$want" ] || fail "exit $got, not $want: $*"
}

says() {
    grep -qF -- "$1" out || fail "the output does not say: $1"
}

# describe needs nothing but Python.
expect 0 /usr/bin/python3 -S "$plugin" describe
says '"estimator"'

# Without scikit-learn the user is told what to install. (-S: no site-packages; the request is read
# before.)
mkdir dataset
echo '{"id": "a", "features": [1], "label": "x"}' >dataset/samples.jsonl
cat >request.json <<END
{"protocol": 1, "kind": "train", "seed": 1, "classes": ["x"], "params": {"estimator": "a.b"},
 "inputs": {"dataset": "$work/dataset"}, "outputs": {"model": "$work/model"}}
END
expect 1 env FLYWHEEL_REQUEST="$work/request.json" /usr/bin/python3 -S "$plugin" run
says "install python3-sklearn"

if ! /usr/bin/python3 -c 'import sklearn, PIL' 2>/dev/null; then
    [ $failures = 0 ] || exit 1
    echo "scikit-learn or Pillow is not installed; the rest was left out"
    exit 77
fi

expect 0 "$flywheel" plugin test "$plugin"
says "train makes a model (features, text, images)"
says "evaluate predicts every sample (features, text, images)"

# An estimator without probabilities, with parameters of its own; it learns what can be learnt.
expect 0 env TMPDIR="$work" "$flywheel" plugin test "$plugin" --keep \
    --with estimator=sklearn.svm.LinearSVC --with 'estimator_params={"C": 0.5}'
kept=$(sed -n 's/^everything stands in //p' out)
for content in features text images; do
    file=$(ls "$kept"/run-*-evaluate-$content/out/predictions/predictions.jsonl | head -n 1)
    right=$(grep -cE '"dev-[0-9]*[02468]", "prediction": "spot"|[13579]", "prediction": "no spot é"' \
        "$file")
    [ "$right" -ge 11 ] || fail "$content: only $right of 12 are right"
done

expect 1 "$flywheel" plugin test "$plugin" --with estimator=sklearn.nowhere.Nothing
says "there is no estimator sklearn.nowhere.Nothing"
expect 1 "$flywheel" plugin test "$plugin" --with 'estimator_params={"no_such": 1}'
says "does not take these estimator_params"

[ $failures = 0 ] || { echo "$failures failed"; exit 1; }
echo "passed"
