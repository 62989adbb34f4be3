#!/bin/sh
# From a fresh Debian 12 machine to a passed test suite:
#
#     sh tests/run.sh [PRESET...]      (default: dev asan tsan)
#
# Installs the packages that are missing, then builds and tests each preset of CMakePresets.json.
# FLYWHEEL_DATA=FOLDER lets the tests that want real datasets find them; without it they say skipped.
set -eu
source=$(cd "$(dirname "$0")/.." && pwd)
cd "$source"
[ $# -gt 0 ] || set -- dev asan tsan
sh cmake/packages.sh build test
export CTEST_OUTPUT_ON_FAILURE=1
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
jobs=$(nproc)
for preset; do
    printf '\n== %s\n' "$preset"
    cmake --preset "$preset" >/dev/null
    cmake --build --preset "$preset" --parallel "$jobs"
    # Tests of processes and injected faults depend on when things happen: one that fails is tried once more.
    ctest --preset "$preset" --parallel "$jobs" --repeat until-pass:2
done
