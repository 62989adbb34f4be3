#!/bin/sh
# What is wrong with a flywheel.yaml is told all at once, with its place, word for word.
. "${FW_SOURCE:?}/tests/lib.sh"

cat >flywheel.yaml <<'END'
flywheel: 1
name: bugs
datset: {import: data/}
metric: {name: acuracy}
stages:
  train:
    kind: train
    plugin: linear
    with: {C: -1.0, inptu: features}
    seeds: [1, 1]
  evaluate: {kind: evaluate, plugin: liner, model: train}
  extra: {kind: custm}
loop:
  patience: two
  gate: {rule: spnd}
  patience: 3
END
expect_exit 2 "$flywheel" validate
expect_same stdout "$(cat out)" ""
golden err <<'END'
flywheel.yaml:3:1: error: unknown key 'datset' in the file
  datset: {import: data/}
  ^~~~~~
  did you mean 'dataset'?
flywheel.yaml:4:16: error: unknown metric 'acuracy'
  metric: {name: acuracy}
                 ^~~~~~~
  metrics are accuracy, balanced_accuracy, mcc, top_5, log_loss, brier, ece; and precision, recall, f1, f2, roc_auc, average_precision, written recall:CLASS, macro_recall, weighted_recall or micro_recall
flywheel.yaml:9:15: error: parameter 'C' of 'linear': must be at least 1e-06
      with: {C: -1.0, inptu: features}
                ^~~~
flywheel.yaml:9:21: error: parameter 'inptu' of 'linear': the plugin has no such parameter
      with: {C: -1.0, inptu: features}
                      ^~~~~
  did you mean 'input'?
flywheel.yaml:10:16: error: seeds: 1 stands there twice
      seeds: [1, 1]
                 ^
flywheel.yaml:11:38: error: there is no plugin 'liner'
    evaluate: {kind: evaluate, plugin: liner, model: train}
                                       ^~~~~
  did you mean 'linear'?
flywheel.yaml:12:17: error: unknown kind 'custm'
    extra: {kind: custm}
                  ^~~~~
  did you mean 'custom'?
flywheel.yaml:14:13: error: patience: expected a whole number, got 'two'
    patience: two
              ^~~
flywheel.yaml:15:16: error: rule: expected spend, ladder or threshold, got 'spnd'
    gate: {rule: spnd}
                 ^~~~
  did you mean 'spend'?
flywheel.yaml:16:3: error: duplicate key 'patience': it stands on line 14 already
    patience: 3
    ^~~~~~~~
END
# A run is refused with the same words and makes nothing.
cp err problems
expect_exit 2 "$flywheel" run
expect_same "the words of run" "$(cat err)" "$(cat problems)"
ok
[ ! -e .flywheel/runs ] || fail "a refused run was begun"

expect_exit 2 "$flywheel" validate --json
says '"valid": false' '"line": 15' '"column": 16' "\"hint\": \"did you mean 'spend'?\"" '"more": 0'

# Found from below; a cycle as a path; a guard that names nothing.
make_project p
expect_exit 0 "$flywheel" validate
expect_same stdout "$(cat "$work/out")" "flywheel.yaml is valid: 4 stages"
mkdir -p deep/er
cd deep/er || exit 1
expect_exit 0 "$flywheel" validate
cd ../..
expect_exit 0 "$flywheel" validate --json
says '"valid": true' '"problems": []'

expect_exit 0 "$flywheel" validate --set loop.patience=7
expect_exit 2 "$flywheel" validate --set loop.patienc=3 --set stages.train.with.C=abc
golden "$work/err" <<'END'
--set:1:6: error: unknown key 'patienc' in loop
  loop.patienc=3
       ^~~~~~~
  did you mean 'patience'?
--set:1:21: error: parameter 'C' of 'linear': expected a number
  stages.train.with.C=abc
                      ^~~
END
cp flywheel.yaml good.yaml
sed 's/^  analyse:.*/  analyse: {kind: error-analysis, plugin: analyse, needs: after}\n  after: {command: "true", out: [x], needs: analyse}/' good.yaml >flywheel.yaml
expect_exit 2 "$flywheel" validate
says "analyse → after → analyse"
expect_exit 2 "$flywheel" validate -f good.yaml --set loop.gate.guard.wasp=0.1 \
    --set 'dataset.classes=[ant, bee, cat]'
says "wasp"

# Bombs end at once.
awk 'BEGIN { printf "a: "; for (i = 0; i < 100000; i++) printf "["; print "" }' >flywheel.yaml
expect_exit 2 timeout 10 "$flywheel" validate
says "flywheel.yaml:1:"
{
    echo 'a: &a [x,x,x,x,x,x,x,x,x,x]'
    for pair in ba cb dc ed fe gf hg ih; do
        to=${pair%?}
        from=${pair#?}
        echo "$to: &$to [*$from,*$from,*$from,*$from,*$from,*$from,*$from,*$from,*$from,*$from]"
    done
} >flywheel.yaml
expect_exit 2 timeout 10 "$flywheel" validate
awk 'BEGIN { for (i = 0; i < 1200000; i++) printf "#"; print "" }' >flywheel.yaml
expect_exit 2 timeout 10 "$flywheel" validate
says "flywheel.yaml is larger than 1048576 bytes"
printf 'flywheel: 1\nname: "\377"\n' >flywheel.yaml
expect_exit 2 "$flywheel" validate
says "flywheel.yaml"
done_testing
