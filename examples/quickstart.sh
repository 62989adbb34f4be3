#!/bin/sh
# From a fresh Debian 12 machine to a finished run and its report:
#
#     sh examples/quickstart.sh [FOLDER]        (default: ./flywheel-quickstart)
#
# Installs the packages that are missing, builds flywheel in build/, makes a small set of SIMULATED
# pictures of steel-surface defects with flawed labels in FOLDER, and lets the flywheel improve it.
set -eu
source=$(cd "$(dirname "$0")/.." && pwd)
work=${1:-flywheel-quickstart}
mark=.made-by-flywheel-quickstart

say() { printf '%s\n' "$*"; }
step() { printf '\n== %s\n' "$*"; }

case $work in
-*) say "usage: sh examples/quickstart.sh [FOLDER]" >&2; exit 2 ;;
esac
if [ -e "$work" ] && [ ! -e "$work/$mark" ]; then
    say "$work exists and is not from an earlier quickstart: it is left as it is." >&2
    say "Give another folder: sh $0 FOLDER" >&2
    exit 2
fi

step "Packages"
sh "$source/cmake/packages.sh" build
say "all there"

step "Building flywheel in $source/build"
if [ ! -e "$source/build/CMakeCache.txt" ]; then
    generator=
    command -v ninja >/dev/null 2>&1 && generator="-G Ninja"
    # shellcheck disable=SC2086
    cmake -S "$source" -B "$source/build" $generator -DCMAKE_BUILD_TYPE=Release -DFW_TESTS=OFF >/dev/null
fi
log=$source/build/quickstart.log
if ! cmake --build "$source/build" --parallel >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    say "The build failed; the whole log is $log" >&2
    exit 1
fi
say "built"
PATH=$source/build:$PATH
export PATH

step "A small dataset in $work (simulated pictures; one train label in five is wrong)"
[ ! -e "$work" ] || chmod -R u+w "$work" # views of snapshots are read-only
rm -rf "$work"
mkdir -p "$work"
: >"$work/$mark"
"$source/build/examples/steel-generate" "$work"
cp "$source/examples/steel/flywheel.yaml" "$work/"
cd "$work"
work=$(pwd)
git init -q .
say "$(wc -l <data/samples.jsonl) pictures in data/, $(wc -l <pool/samples.jsonl) more in pool/"

step "flywheel run"
flywheel run
flywheel report --output report.html

step "Done"
say "The report:            $work/report.html"
say ""
say "In $work, with flywheel at $source/build/flywheel, look further with"
say "    flywheel show                         what each iteration did, and what it was worth"
say "    git log --stat flywheel/steel-surface the versions of the dataset, as git commits"
say "    flywheel run --set metric.target=0.97 go on from the best version"
