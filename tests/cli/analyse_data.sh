#!/bin/sh
# What is said of the data themselves: slices, copies, outliers, balance, order and pictures.
. "${FW_SOURCE:?}/tests/lib.sh"
mkdir d && rows 600 3 0 >d/samples.jsonl
# The model errs at night on every third sample, and nowhere else.
awk -F'"' '{ id = $4; label = $12; night = /"shift":"night"/
    wrong = night && n++ % 3 == 0
    print "{\"id\":\"" id "\",\"prediction\":\"" (wrong ? (label == "ant" ? "bee" : "ant") : label) "\"}" }' \
    d/samples.jsonl >p.jsonl
expect_exit 0 "$flywheel" analyse d p.jsonl --only metrics,slices --slice shift
says "600 samples, 600 labelled, 600 predicted, 3 classes" "accuracy" "0.917" \
    "shift == 'night'" "0.667 (0.588 to 0.737)" "weak"
expect_exit 1 "$flywheel" analyse d p.jsonl --only slices --slice shift --require 'weak_slices <= 0' --json
says '"p_adjusted"' '"weak": true' "not met: weak_slices <= 0"
expect_exit 2 "$flywheel" analyse d p.jsonl --slice "shift ==" --only slices
says 'slice "shift =="' "a value is missing"
expect_exit 0 "$flywheel" analyse d p.jsonl --only slices --metric macro_f1 --json
says '"worth_metric"'
expect_exit 2 "$flywheel" analyse d p.jsonl --metric macro_f
says "unknown metric 'macro_f'"
# The same with one thread and with three.
FLYWHEEL_THREADS=1 "$flywheel" analyse d p.jsonl --json >one.json
FLYWHEEL_THREADS=3 "$flywheel" analyse d p.jsonl --json >three.json
expect_same "with three threads" "$(cat three.json)" "$(cat one.json)"

# A copy of a train sample among the dev samples, under another label; and one sample far away.
head -1 d/samples.jsonl | sed 's/"s0000"/"copy"/; s/"train"/"dev"/; s/"label":"ant"/"label":"bee"/' >>d/samples.jsonl
echo '{"id":"far","split":"train","label":"ant","features":[90,-90],"shift":"day"}' >>d/samples.jsonl
expect_exit 1 "$flywheel" analyse d --only duplicates,outliers --require 'leaks <= 0'
says "copies: 1 groups of 2 samples; 1 cross splits, 1 have different labels" \
    "s0000, copy  exact" "across splits, different labels" "outliers by distance, the least like the others first: " "far" \
    "not met: leaks <= 0 (it is 1)"
# Sorted by class, and with a class that is hardly there.
mkdir s && sort -t'"' -k12,12 d/samples.jsonl >s/samples.jsonl
echo '{"id":"wasp","split":"train","label":"wasp","features":[1,1],"shift":"day"}' >>s/samples.jsonl
expect_exit 0 "$flywheel" analyse s --only balance,order
says "rare: wasp, 1 samples" "p = 0.001: sorted, or in blocks"
# Pictures: one even, one that is none, and others that differ from dot to dot.
mkdir -p i
for k in 1 2 3 4 5 6; do
    { printf 'P5\n32 32\n255\n' && awk -v k=$k 'BEGIN { for (i = 0; i < 1024; i++) printf "%c", 33 + (i * (7 + k) + i * i * k) % 93 }'; } >i/$k.pgm
    echo "{\"id\":\"p$k\",\"file_name\":\"$k.pgm\",\"label\":\"a\"}"
done >i/samples.jsonl
{ printf 'P5\n32 32\n255\n' && awk 'BEGIN { for (i = 0; i < 1024; i++) printf "a" }'; } >i/even.pgm
echo rubbish >i/none.pgm
echo '{"id":"even","file_name":"even.pgm","label":"a"}' >>i/samples.jsonl
echo '{"id":"none","file_name":"none.pgm","label":"a"}' >>i/samples.jsonl
expect_exit 0 "$flywheel" analyse i --only images
says "images: 2 of 8 have an issue" "even    empty" "none    undecodable"
expect_exit 1 "$flywheel" analyse i --only images --require 'image_issues <= 10%'
says "it is 0.25"
done_testing
