#!/bin/sh
# flywheel plugin: what `new` writes works, what comes with flywheel conforms, and what does not keep
# to the protocol is found out, each for its own reason.
set -u
flywheel=${FLYWHEEL:-$FW_BUILD/flywheel}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failures=0

fail() {
    echo "FAILED: $1"
    [ ! -s out ] || sed 's/^/    /' out
    failures=$((failures + 1))
}

# expect CODE command...: output and errors go to ./out
expect() {
    want=$1
    shift
    "$@" >out 2>&1 </dev/null
    got=$?
    [ "$got" = "$want" ] || fail "exit $got, not $want: $*"
}

# says TEXT: the last output holds it
says() {
    grep -qF -- "$1" out || fail "the output does not say: $1"
}

compiler=$(command -v cc || true)
[ -z "$compiler" ] || echo '#include <jansson.h>' | cc -E - >/dev/null 2>&1 || compiler=
python=$(command -v python3 || true)

# Every kind in every language passes as it is written.
for kind in train error-analysis targeted-collection augment relabel drift custom; do
    for lang in sh python c; do
        [ "$lang" != python ] || [ -n "$python" ] || continue
        [ "$lang" != c ] || [ -n "$compiler" ] || continue
        expect 0 "$flywheel" plugin new "$kind-$lang" --kind $kind --lang $lang
        says "plugins/$kind-$lang/$kind-$lang"
        [ $lang != c ] || expect 0 make -s -C plugins/$kind-c
        expect 0 "$flywheel" plugin test "$kind-$lang"
        says "makes"
        says "(features, text, images)"
    done
done

# The examples at the top of the helpers are whole plugins.
mkdir example
if [ -n "$compiler" ]; then
    sed -n '/^ \*     #define FLYWHEEL/,/^ \*     int main/s/^ \* \{0,5\}//p' \
        "$FW_SOURCE/plugins/sdk/c/flywheel_plugin.h" >example/c.c
    expect 0 cc -Wall -Werror -I"$FW_SOURCE/plugins/sdk/c" -o example/c example/c.c -ljansson
    expect 0 "$flywheel" plugin test example/c
fi
if [ -n "$python" ]; then
    sed -n '/^    #!\/usr/,/plugin.main()/s/^    //p' \
        "$FW_SOURCE/plugins/sdk/python/flywheel_plugin.py" >example/py
    cp "$FW_SOURCE/plugins/sdk/python/flywheel_plugin.py" example
    chmod +x example/py
    expect 0 "$flywheel" plugin test example/py
fi

# Never overwrites; refuses what it cannot do, and says why.
echo mine >plugins/train-sh/train-sh
expect 2 "$flywheel" plugin new train-sh --kind train --lang sh
says "exists already"
[ "$(cat plugins/train-sh/train-sh)" = mine ] || fail "plugin new wrote over a file"
expect 2 "$flywheel" plugin new Bad/Name --kind train --lang sh
says "will not do"
expect 2 "$flywheel" plugin new x --kind nonsense --lang sh
says "nonsense"
expect 2 "$flywheel" plugin new x --kind train --lang cobol
says "cobol"
expect 2 "$flywheel" plugin new x --kind train
says "--lang"
expect 2 "$flywheel" plugin
expect 2 "$flywheel" plugin frobnicate
says "frobnicate"
expect 2 "$flywheel" plugin test
expect 2 "$flywheel" plugin test no-such-plugin
says "no-such-plugin"
expect 2 "$flywheel" plugin test custom-sh --timeout soon
says "soon"
expect 2 "$flywheel" plugin test custom-sh --with title
says "PARAM=VALUE"
expect 0 "$flywheel" plugin --help
says "usage: flywheel plugin list"

# list and describe.
expect 0 "$flywheel" plugin list
says "relabel-sh"
says "counts the samples of each class"
expect 0 "$flywheel" plugin list --json
says '"name": "custom-sh"'
expect 0 "$flywheel" plugin describe custom-sh
says "title: string"
expect 0 "$flywheel" plugin describe custom-sh --json
says '"protocol": 1'

# Parameters can be given, and are checked.
expect 0 "$flywheel" plugin test custom-sh --with title=hello
expect 1 "$flywheel" plugin test custom-sh --with title=7
says "not ok 4 - its parameters fit its own description"
expect 0 "$flywheel" plugin test custom-sh --json
says '"ok": true'
expect 1 "$flywheel" plugin test custom-sh --with nonsense=1 --json
says '"ok": false'

# hostile NAME CHECK REASON <<body: a plugin that breaks one rule fails that check, with that reason.
# The body sets d (more of the description) and defines run.
hostile() {
    mkdir -p plugins
    {
        echo '#!/bin/sh'
        echo "d='\"kind\": \"custom\", \"inputs\": [\"dataset\"], \"outputs\": [\"report\"]'"
        echo 'describe() { echo "{\"protocol\": 1, \"name\": \"h\", \"version\": \"1\", $d}"; }'
        echo 'run() { cat "$FLYWHEEL_IN_DATASET/samples.jsonl" >"$FLYWHEEL_OUT_REPORT"; }'
        cat
        echo '"$1"'
    } >"plugins/$1"
    chmod +x "plugins/$1"
    if [ -z "$2" ]; then
        expect 0 "$flywheel" plugin test "$1"
    else
        expect 1 "$flywheel" plugin test "$1" --timeout 2s
        grep -qE "^not ok [0-9]+ - $2" out || fail "$1: the check '$2' did not fail"
        [ "$(grep -c '^not ok' out)" = 1 ] || fail "$1: other checks failed too"
    fi
    says "$3"
}

hostile good "" "custom makes its outputs" <<'END'
echo "chatter on stdout" >&2
run() { echo noise; cat "$FLYWHEEL_IN_DATASET/samples.jsonl" >"$FLYWHEEL_OUT_REPORT"; }
END
hostile rubbish "describe answers" "not a JSON object" <<'END'
describe() { echo "hello there"; }
END
hostile protocol "describe answers" "protocol 7" <<'END'
describe() { echo '{"protocol": 7, "name": "h", "version": "1", "kind": "custom"}'; }
END
hostile dies-describing "describe answers" "no disk" <<'END'
describe() { echo "no disk" >&2; exit 3; }
END
hostile fickle "describe is stable" "another answer" <<'END'
describe() { echo "{\"protocol\": 1, \"name\": \"h\", \"version\": \"$$\", $d}"; }
END
hostile untyped "wrong parameters would be refused" "'p' has neither" <<'END'
d="$d, \"params\": {\"p\": {\"default\": 1}}"
END
hostile wrong-default "its parameters fit its own description" "'p'" <<'END'
d="$d, \"params\": {\"p\": {\"type\": \"integer\", \"default\": 5, \"maximum\": 3}}"
END
hostile wrong-type-default "its parameters fit its own description" "'p'" <<'END'
d="$d, \"params\": {\"p\": {\"type\": \"integer\", \"default\": \"five\"}}"
END
hostile needs-param "its parameters fit its own description" "--with NAME=VALUE" <<'END'
d="$d, \"params\": {\"p\": {\"type\": \"integer\", \"required\": true}}"
END
hostile no-output "custom makes its outputs" "made no output 'report'" <<'END'
run() { cat "$FLYWHEEL_IN_DATASET/samples.jsonl" >/dev/null; }
END
hostile dies "custom makes its outputs" "killed by signal 11" <<'END'
run() { kill -SEGV $$; }
END
hostile mute "custom makes its outputs" "without a word in its log" <<'END'
run() { exit 1; }
END
hostile hangs "custom makes its outputs" "still running after 2" <<'END'
run() { exec sleep 60; }
END
hostile careless "custom without its inputs" "exit 0 though its inputs do not exist" <<'END'
run() { echo done >"$FLYWHEEL_OUT_REPORT"; }
END
hostile random "custom is deterministic" "two runs with one seed differ" <<'END'
run() { { cat "$FLYWHEEL_IN_DATASET/samples.jsonl" && echo $$; } >"$FLYWHEEL_OUT_REPORT"; }
END
hostile random-and-says-so "" "custom makes its outputs" <<'END'
d="$d, \"deterministic\": false"
run() { { cat "$FLYWHEEL_IN_DATASET/samples.jsonl" && echo $$; } >"$FLYWHEEL_OUT_REPORT"; }
END
hostile deaf "custom stops when it is told to" "ignored SIGTERM" <<'END'
run() {
    trap '' TERM
    cat "$FLYWHEEL_IN_DATASET/samples.jsonl" >"$FLYWHEEL_OUT_REPORT" || exit 1
    case $FLYWHEEL_SCRATCH in */run-6-*) sleep 20 ;; esac # the run that is told to stop
}
END
hostile bad-events "its events are well-formed" "custom: " <<'END'
run() { echo 'progress: 3' >&3; cat "$FLYWHEEL_IN_DATASET/samples.jsonl" >"$FLYWHEEL_OUT_REPORT"; }
END
hostile good-events "" "its events are well-formed" <<'END'
run() {
    echo '{"type": "progress", "done": 1, "total": 2, "unit": "samples"}' >&3
    echo '{"type": "metric", "name": "loss", "value": 0.5, "step": 1}' >&3
    cat "$FLYWHEEL_IN_DATASET/samples.jsonl" >"$FLYWHEEL_OUT_REPORT"
}
END
hostile meddles "it leaves its inputs alone" "a file among its inputs was changed" <<'END'
run() {
    cat "$FLYWHEEL_IN_DATASET/samples.jsonl" >"$FLYWHEEL_OUT_REPORT" || exit 1
    echo >>"$FLYWHEEL_IN_DATASET/notes.txt"
}
END
hostile waits "" "(features, text, images waiting for people: 3 labels are missing)" <<'END'
d='"kind": "relabel"'
run() {
    [ -r "$FLYWHEEL_IN_ANALYSIS" ] || { echo "no analysis"; exit 1; }
    echo '{"type": "waiting", "reason": "3 labels are missing", "count": 3}' >&3
    exit 75
}
END
hostile stranger "relabel makes a patch" "'nobody', which is not in the dataset" <<'END'
d='"kind": "relabel"'
run() { echo '{"op": "relabel", "id": "nobody", "from": "a", "to": "b"}' >"$FLYWHEEL_OUT_PATCH"; }
END
hostile stale "relabel makes a patch" "says its label is 'stale'" <<'END'
d='"kind": "relabel"'
run() { echo '{"op": "relabel", "id": "train-2", "from": "stale", "to": "b"}' >"$FLYWHEEL_OUT_PATCH"; }
END
hostile forgets-a-file "targeted-collection makes a patch" "there is no files/x.png" <<'END'
d='"kind": "targeted-collection"'
run() { echo '{"op": "add", "sample": {"id": "n", "file_name": "x.png"}}' >"$FLYWHEEL_OUT_PATCH"; }
END
hostile leaves-out-samples "evaluate predicts every sample" "leave out" <<'END'
d='"kind": ["train", "evaluate"]'
run() {
    case $FLYWHEEL_KIND in
    train) wc -l <"$FLYWHEEL_IN_DATASET/samples.jsonl" >"$FLYWHEEL_OUT_MODEL" ;;
    *) echo '{"id": "dev-0", "prediction": "spot"}' >"$FLYWHEEL_OUT_PREDICTIONS" ;;
    esac
}
END
hostile evaluates-alone "" "there is no model to read" <<'END'
d='"kind": "evaluate"'
END
hostile fussy "" "(features; not text, images (text is not for me))" <<'END'
d='"kind": "train"'
run() {
    [ -r "$FLYWHEEL_IN_DATASET/samples.jsonl" ] || { echo "no dataset"; exit 1; }
    grep -q '"features"' "$FLYWHEEL_IN_DATASET/samples.jsonl" || { echo "text is not for me"; exit 1; }
    echo model >"$FLYWHEEL_OUT_MODEL"
}
END
echo model >model
# A model can be given to a plugin that only evaluates, and the folder can be kept.
cat >plugins/evaluates-alone <<'END'
#!/bin/sh
case $1 in
describe) echo '{"protocol": 1, "name": "e", "version": "1", "kind": "evaluate"}' ;;
*) [ "$(cat "$FLYWHEEL_IN_MODEL")" = model ] || { echo "not my model"; exit 1; }
    sed 's/.*"id":\("[^"]*"\).*/{"id": \1, "prediction": "spot"}/' \
        "$FLYWHEEL_IN_DATASET/samples.jsonl" >"$FLYWHEEL_OUT_PREDICTIONS" ;;
esac
END
expect 0 env TMPDIR="$work" "$flywheel" plugin test evaluates-alone --model model --keep
says "evaluate predicts every sample (features, text, images)"
kept=$(sed -n 's/^everything stands in //p' out)
[ -f "$kept/run-1-evaluate-features/request.json" ] || fail "--keep did not keep the folder"
expect 0 env TMPDIR="$work" "$flywheel" plugin test evaluates-alone --model model
[ "$(ls -d "$work"/flywheel-plugin-test-* | wc -l)" = 1 ] || fail "a folder was left behind"

# What comes with flywheel.
expect 0 "$flywheel" plugin list
for plugin in linear analyse pool augment oracle inbox; do
    grep -q "^$plugin " out || continue
    cp out list
    case $plugin in
    pool) expect 0 "$flywheel" plugin test $plugin --with path=pool ;;
    oracle) expect 0 "$flywheel" plugin test $plugin --with truth=truth.jsonl ;;
    *) expect 0 "$flywheel" plugin test $plugin ;;
    esac
    cp list out
done

[ $failures = 0 ] || { echo "$failures failed"; exit 1; }
echo "passed"
