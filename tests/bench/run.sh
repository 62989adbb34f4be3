#!/bin/sh
# Measures what the project promises, and prints a table for each promise.
#
#   sh tests/bench/run.sh [NAME ...]
#
# NAME is a program of this folder without its ending (default: all of them):
#   label_issues   confident learning beside cleanlab and NumPy: time, memory, the same flags
#   neu_steel      label cleaning: accuracy regained, asking suspects first against random order
#   steel_plates   collecting: targeted against random, and against all of the data
#   crowd          several labellers: Dawid-Skene's time, the consensus of real crowds
#   bootstrap      the paired bootstrap beside NumPy: time, memory, the same interval
#   neighbours     exact nearest neighbours beside scikit-learn's
#   near_texts     nearly equal texts: a million of them; beside the same method in NumPy
#   exchange       clean or collect: how often the measured advice is right
#   gate           the gate's false and missed alarms, by simulation
#   select         targeted collection: seconds of each strategy as the pool grows
#   slices         found slices: ours against the paper's enumeration in NumPy and SciPy
#   drift          fields beside SciPy on a million rows; false and missed alarms, by simulation
#   sms_spam       a skewed class: no step that raises accuracy and lowers F1 is accepted
#
# FLYWHEEL_DATA   folder with the public datasets: neu-det/, steel-plates/, sms-spam/; a benchmark
#                 whose data is not there is skipped
# FLYWHEEL        the program (default: build/flywheel)
# FLYWHEEL_ROWS   rows a side (drift; default: 1000000)
# FLYWHEEL_SEEDS  how many repetitions, each with its own split and noise (default: 3)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
FLYWHEEL=${FLYWHEEL:-$here/../../build/flywheel}
export FLYWHEEL
[ -x "$FLYWHEEL" ] || { echo "$FLYWHEEL is not built" >&2; exit 2; }
if [ $# = 0 ]; then
    set -- $(cd "$here" && ls ./*.py ./*.c | sed 's|^\./||; s|\.[a-z]*$||' | grep -v '^bench$' | sort -u)
fi
# program NAME: where bench_NAME was built, to $found
program() {
    for build in "${FLYWHEEL%/*}" "$here/../../build-dev" "$here/../../build"; do
        found=$build/tests/bench_$1
        [ ! -x "$found" ] || return 0
    done
    echo "bench_$1 is not built: cmake --preset dev && cmake --build --preset dev" >&2
    exit 2
}
# Debian's own Python has the packages that the peers need.
python=python3
[ ! -x /usr/bin/python3 ] || python=/usr/bin/python3
failed=0
for name in "$@"; do
    code=0
    if [ -f "$here/$name.py" ]; then
        $python "$here/$name.py" || code=$?
    elif [ -f "$here/$name.c" ]; then
        program $name
        "$found" || code=$?
    else
        echo "there is no benchmark '$name'" >&2
        exit 2
    fi
    case $code in
    0) ;;
    77) echo "$name: skipped" ;;
    *) failed=1 ;;
    esac
done
exit $failed
