#!/bin/sh
# The gate's calibration by simulation; see gate.c.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
for build in "${FLYWHEEL%/*}" "$here/../../build-dev" "$here/../../build"; do
    [ -x "$build/tests/bench_gate" ] && exec "$build/tests/bench_gate" "$@"
done
echo "bench_gate is not built: cmake --preset dev && cmake --build --preset dev" >&2
exit 2
