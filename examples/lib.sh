# shellcheck shell=sh
# Shared by the examples' run.sh. Sets $flywheel; `example_run NAME SOURCE WORK` does the rest.
root=$(cd "$(dirname "$0")/../.." && pwd)
flywheel=${FLYWHEEL:-$root/build/flywheel}
[ -x "$flywheel" ] || flywheel=$(command -v flywheel) || {
    echo "flywheel is not built: sh examples/quickstart.sh does that (or set FLYWHEEL=/path/to/flywheel)" >&2
    exit 2
}

# example_run NAME SOURCE WORK: prepares WORK from the data at SOURCE, runs, prints the result.
example_run() {
    name=$1 source=$2 work=$3
    [ -e "$source" ] || { echo "$source is not there" >&2; exit 2; }
    if [ -e "$work" ] && [ -n "$(ls -A "$work" 2>/dev/null)" ]; then
        echo "$work is not empty: give a new folder, it becomes a flywheel project" >&2
        exit 2
    fi
    mkdir -p "$work"
    python3 "$root/examples/$name/prepare.py" "$source" "$work"
    cp "$root/examples/$name/flywheel.yaml" "$work/"
    cd "$work"
    git init -q .
    "$flywheel" run
    "$flywheel" report --output report.html
    echo
    "$flywheel" show
    echo
    echo "The report: $(pwd)/report.html"
}
