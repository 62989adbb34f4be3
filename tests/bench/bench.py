"""Shared by the benchmarks: finding the data, preparing projects, running flywheel, tables."""
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
FLYWHEEL = os.environ.get("FLYWHEEL", str(ROOT / "build" / "flywheel"))
SEEDS = int(os.environ.get("FLYWHEEL_SEEDS", "3"))


def find_data(*names):
    """The first of these that is below FLYWHEEL_DATA; an archive or table in a folder by itself."""
    base = os.environ.get("FLYWHEEL_DATA")
    for name in names if base else ():
        path = pathlib.Path(base) / name
        if path.exists():
            return path
    print(f"skipped: none of {', '.join(names)} below FLYWHEEL_DATA ({base or 'not set'})")
    sys.exit(77)


class Work:
    """A scratch folder that goes away; FLYWHEEL_KEEP=1 leaves it and says where."""

    def __enter__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="flywheel-bench-"))
        return self.path

    def __exit__(self, *_):
        if os.environ.get("FLYWHEEL_KEEP"):
            print(f"kept: {self.path}")
        else:
            subprocess.run(["chmod", "-R", "u+w", str(self.path)], check=False)
            shutil.rmtree(self.path, ignore_errors=True)


def prepare(example, source, work, *options):
    subprocess.run([sys.executable, ROOT / "examples" / example / "prepare.py", source, work,
                    *map(str, options)], check=True, stdout=subprocess.DEVNULL)
    shutil.copy(ROOT / "examples" / example / "flywheel.yaml", work)


def run(project, *sets):
    """Runs the project to its stop and returns the record."""
    if not (project / ".git").exists():
        subprocess.run(["git", "init", "-q", project], check=True)
    command = [FLYWHEEL, "run", "--json", "--quiet"]
    for one in sets:
        command += ["--set", one]
    done = subprocess.run(command, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} in {project} ended with {done.returncode}:\n{done.stderr}")
    return json.loads(done.stdout)


def baseline_only(text):
    """A flywheel.yaml without the stages that propose fixes: one measurement, then the stop."""
    out, skip = [], False
    for line in text.splitlines():
        if line.startswith("  ") and not line.startswith("   ") and line.strip().endswith(":"):
            skip = line.strip() in ("relabel:", "collect:", "augment:")
        elif line.startswith(("  relabel:", "  collect:", "  analyse:")):
            skip = True
        elif not line.startswith("   "):
            skip = False
        if not skip:
            out.append(line)
    return "\n".join(out) + "\n"


def asked(iteration):
    """Samples that were looked at by labellers in this iteration."""
    return sum(f.get(k) or 0 for f in iteration["fixes"] for k in ("relabel", "confirm", "remove"))


def score(entry):
    """The metric's value of an iteration or of an entry of the sealed test."""
    return entry.get("score", entry)["value"]


def mean(values):
    values = [v for v in values if v is not None]
    return statistics.fmean(values) if values else None


def table(head, rows):
    cells = [[str(c) for c in row] for row in [head, *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    for number, row in enumerate(cells):
        print("| " + " | ".join(c.ljust(w) for c, w in zip(row, widths)) + " |")
        if number == 0:
            print("|" + "|".join("-" * (w + 2) for w in widths) + "|")


def percent(value):
    return "–" if value is None else f"{100 * value:.1f} %"


def verdict(passed, text):
    print(f"\n{'PASS' if passed else 'SHORT'}: {text}\n")
    return 0 if passed else 1
