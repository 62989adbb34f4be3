"""Exact k nearest neighbours beside scikit-learn's brute force, in the same run.

Both get the same 32-bit floats, all cores, and find 11 neighbours including the row itself (10
without). scikit-learn rounds its distances differently, so two sets count as equal when the sorted
distances agree within 1e-4 of the largest.

Target: at least as fast as the peer, with the same neighbours.
"""
import pathlib
import statistics
import subprocess
import sys

import bench

REPEATS, K = 3, 10
SHAPES = [(10000, 128, "cosine"), (10000, 128, "euclidean"), (5000, 768, "cosine"),
          (10000, 2, "euclidean"), (5000, 32, "euclidean")]


def program(name="neighbours"):
    for build in (pathlib.Path(bench.FLYWHEEL).parent, bench.ROOT / "build-dev", bench.ROOT / "build"):
        if (build / "tests" / f"bench_{name}").exists():
            return build / "tests" / f"bench_{name}"
    sys.exit(f"bench_{name} is not built: cmake --preset dev && cmake --build --preset dev")


PEER = """
import sys, time
import numpy as np
from sklearn.neighbors import NearestNeighbors
x = np.load(sys.argv[1])
start = time.monotonic()
found = NearestNeighbors(n_neighbors=int(sys.argv[2]), algorithm="brute", metric=sys.argv[3],
                         n_jobs=-1).fit(x)
distance, index = found.kneighbors()
took = time.monotonic() - start
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(took, peak)
np.save(sys.argv[4], index.astype("f4"))
np.save(sys.argv[5], distance.astype("f4"))
"""


def measure(command):
    seconds, peak = zip(*(map(float, subprocess.check_output(command, text=True).split())
                          for _ in range(REPEATS)))
    return statistics.median(seconds), max(peak) / 1024


def blas():
    """What multiplies the peer's matrices: it decides how fast the peer is."""
    import threadpoolctl
    names = {info["internal_api"] for info in threadpoolctl.threadpool_info()
             if info["user_api"] == "blas"}
    return ", ".join(sorted(names)) or "the reference BLAS (slow)"


def main():
    try:
        import numpy as np
        import sklearn
    except ImportError as missing:
        print(f"skipped: {missing}")
        return 77
    rows, ours_wins, same = [], True, True
    with bench.Work() as work:
        for n, d, metric in SHAPES:
            rng = np.random.default_rng(n + d)
            centres = rng.normal(size=(50, d)) * 2
            x = (centres[rng.integers(50, size=n)] + rng.normal(size=(n, d))).astype("f4")
            np.save(work / "x.npy", x)
            files = [[work / f"{who}-{what}.npy" for what in ("index", "distance")] for who in "ab"]
            ours = measure([program(), work / "x.npy", str(K), metric, *files[0]])
            peer = measure([sys.executable, "-c", PEER, work / "x.npy", str(K), metric, *files[1]])
            got, want = np.load(files[0][1]), np.load(files[1][1])
            equal = np.abs(got - want).max() <= 1e-4 * want.max()
            shared = np.mean([len(set(a) & set(b)) / K
                              for a, b in zip(np.load(files[0][0]), np.load(files[1][0]))])
            ours_wins, same = ours_wins and ours[0] <= peer[0], same and equal and shared > 0.999
            rows.append([f"{n} × {d}", metric, f"{ours[0]:.2f} s", f"{peer[0]:.2f} s",
                         f"{peer[0] / ours[0]:.1f}", f"{ours[1]:.0f} MB", f"{peer[1]:.0f} MB",
                         f"{100 * shared:.3f} %"])
    print(f"{K} nearest neighbours, medians of {REPEATS}, peer: scikit-learn {sklearn.__version__} "
          f"on {blas()}\n")
    bench.table(["rows", "distance", "flywheel", "peer", "ratio", "memory", "peer's memory",
                 "same neighbours"], rows)
    return bench.verdict(ours_wins and same, "as fast as the peer, with the same neighbours")


if __name__ == "__main__":
    sys.exit(main())
