#!/bin/sh
# flywheel agree: tables it reads, what it prints, its exit codes, and what it refuses.
. "$FW_SOURCE/tests/lib.sh"

# Five labellers of 60 tasks: d always says cat, cats and dogs are confused, cows are clear.
awk 'BEGIN {
    print "task,labeller,label"
    split("cat dog cow", name, " ")
    for (t = 0; t < 60; t++) {
        k = t % 3 + 1
        print "t" t ",truth," name[k] > "truth.txt"
        for (w = 1; w <= 5; w++) {
            says = k
            if (w == 4) says = 1
            else if (k < 3 && (t * 7 + w * 5) % 11 < 3) says = 3 - k
            print "t" t "," substr("abcde", w, 1) "," name[says]
        }
    }
}' >answers.csv
{ echo task,label; sed 's/,truth,/,/' truth.txt; } >gold.csv

expect_exit 0 "$flywheel" agree answers.csv --gold gold.csv
says "300 answers by 5 labellers to 60 tasks, 3 classes, 5.0 answers a task, 60 gold items" \
    "Krippendorff's alpha, nominal" "Fleiss' kappa" "cat / dog" "chosen" "60 gold items" \
    "instructions to rewrite" "labellers, worst first"
ok
grep -A4 'labellers, worst first' out | grep -q '^  d ' || fail "d is not the worst" out

# Without gold a method is assumed, and that is said.
expect_exit 0 "$flywheel" agree answers.csv
says "consensus by dawid-skene: there are at least 5 answers" "no gold items: this is an assumption"

# The same table in other shapes gives the same JSON.
expect_exit 0 "$flywheel" agree answers.csv --json
cp out first.json
awk -F, 'NR > 1 { print $2 "\t" $1 "\t" $3 }' answers.csv >answers.tsv
expect_exit 0 "$flywheel" agree answers.tsv --labeller 1 --task 2 --label 3 --json
expect_same "TSV by numbers" "$(cat out)" "$(cat first.json)"
awk -F, 'NR > 1 { printf "{\"id\":\"%s\",\"labels\":[{\"by\":\"%s\",\"label\":\"%s\"}]}\n", $1, $2, $3 }' \
    answers.csv >answers.jsonl
expect_exit 0 "$flywheel" agree answers.jsonl --json
expect_same "JSON lines" "$(cat out)" "$(cat first.json)"
for threads in 1 2 3; do
    FLYWHEEL_THREADS=$threads expect_exit 0 "$flywheel" agree answers.csv --json
    expect_same "$threads threads" "$(cat out)" "$(cat first.json)"
done
head -100 answers.csv >one.csv
{ echo task,labeller,label; tail -n +101 answers.csv; } >two.csv
expect_exit 0 "$flywheel" agree one.csv two.csv --json
expect_same "two files" "$(cat out)" "$(cat first.json)"
run sh -c "'$flywheel' agree - --json <answers.csv"
expect_same "standard input" "$(cat out)" "$(cat first.json)"

# The consensus as a file.
expect_exit 0 "$flywheel" agree answers.csv --method majority --out consensus.csv
expect_same "rows of the consensus" "$(wc -l <consensus.csv | tr -d ' ')" 61
expect_same "its head" "$(head -1 consensus.csv)" "task,label,confidence,answers,agree"
expect_text consensus.csv "t2,cow,0.8,5,4"

# A model as one labeller more.
awk -F, '{ printf "{\"id\":\"%s\",\"prediction\":\"%s\"}\n", $1, $3 }' truth.txt >probs.jsonl
expect_exit 0 "$flywheel" agree answers.csv --gold gold.csv --probs probs.jsonl --method crowdlab
says "consensus by crowdlab: as asked" "the model weighs as much as"

# Exit codes for CI.
expect_exit 0 "$flywheel" agree answers.csv --gold gold.csv --min-alpha 0.2 --min-accuracy 0.9
expect_exit 1 "$flywheel" agree answers.csv --gold gold.csv --min-alpha 0.95
says "is below 0.95"
expect_exit 1 "$flywheel" agree answers.csv --gold gold.csv --method majority --min-accuracy 1.1
says "accuracy on gold"

# Everybody agrees on one class: alpha is undefined, and no gate is passed by that.
printf 'task,labeller,label\nx,a,1\nx,b,1\ny,a,1\n' >same.csv
expect_exit 0 "$flywheel" agree same.csv
says "alpha is undefined: all answers are one class"
expect_exit 1 "$flywheel" agree same.csv --min-alpha 0.1
printf 'task,labeller,label\nx,a,1\ny,b,2\nx,a,2\n' >single.csv
expect_exit 0 "$flywheel" agree single.csv
says "no task has two answers" "1 answer was replaced" "consensus by majority"

# An ordinal scale wants an order.
printf 'task,labeller,label\nx,a,low\nx,b,high\ny,a,low\ny,b,low\nz,a,mid\nz,b,high\n' >scale.csv
expect_exit 0 "$flywheel" agree scale.csv --scale ordinal --classes low,mid,high
says "Krippendorff's alpha, ordinal"
expect_exit 2 "$flywheel" agree scale.csv --scale interval
says "the interval scale needs classes that are numbers"
expect_exit 2 "$flywheel" agree scale.csv --classes low,high
says "scale.csv:6: 'mid' is not one of the classes"

# What is refused.
expect_exit 2 "$flywheel" agree
says "which file of answers?"
expect_exit 2 "$flywheel" agree missing.csv
says "there is no file missing.csv"
expect_exit 2 "$flywheel" agree answers.tsv
says "answers.tsv:1: no column is known to hold the task"
expect_exit 2 "$flywheel" agree answers.csv --label nothing
says "there is no column 'nothing' for the label"
expect_exit 2 "$flywheel" agree answers.csv --gold nothing
says "there is no column 'nothing' for the gold"
expect_exit 2 "$flywheel" agree answers.csv --method best
says "there is no method 'best'"
expect_exit 2 "$flywheel" agree answers.csv --method crowdlab
says "--method crowdlab needs --probs"
expect_exit 2 "$flywheel" agree answers.csv --min-accuracy 0.9
says "--min-accuracy needs gold items"
expect_exit 2 "$flywheel" agree answers.csv --min-alpha high
: >empty.csv
expect_exit 2 "$flywheel" agree empty.csv
says "there are no answers"
printf 'task,labeller,label\nx,a\374,1\nx,b,2\n' >latin.csv
expect_exit 0 "$flywheel" agree latin.csv
expect_exit 2 "$flywheel" agree latin.csv --json
says "the name of labeller 1 is not UTF-8"
done_testing
