"""Write a flywheel plugin in Python: one file, standard library only, Python 3.9 or newer.

Put this file beside the plugin, or anywhere on sys.path. A complete plugin:

    #!/usr/bin/env python3
    import collections, json
    from flywheel_plugin import Plugin, write_predictions

    plugin = Plugin("majority", version="1", params={
        "smoothing": {"type": "number", "default": 1, "minimum": 0,
                      "description": "added to the count of each class"}})

    @plugin.stage("train")
    def train(request):
        counts = collections.Counter(row["label"] for row in request.samples())
        with open(request.output("model"), "w") as f:
            json.dump({c: counts[c] + request.params["smoothing"] for c in request.classes}, f)

    @plugin.stage("evaluate")
    def evaluate(request):
        with open(request.input("model")) as f:
            counts = json.load(f)
        total = sum(counts.values())
        probs = [counts[c] / total for c in request.classes]
        ids = [row["id"] for row in request.samples()]
        write_predictions(request.output("predictions"), ids, probs=[probs] * len(ids),
                          classes=request.classes)

    if __name__ == "__main__":
        plugin.main()

A stage function returns when the work is done. It raises Failed("reason") for a failure the user
can understand, or Waiting("reason") when people or another system must act first; any other
exception fails the stage with its traceback in the log. What is printed goes to the stage's log.
"""

import array
import json
import os
import shutil
import struct
import sys
import traceback

PROTOCOL = 1
EXIT_WAITING = 75

# What each kind reads and writes.
CONTRACTS = {
    "train": (["dataset"], ["model"]),
    "evaluate": (["model", "dataset"], ["predictions"]),
    "error-analysis": (["predictions", "dataset"], ["analysis"]),
    "targeted-collection": (["analysis", "dataset"], ["patch"]),
    "augment": (["analysis", "dataset"], ["patch"]),
    "relabel": (["analysis", "dataset"], ["patch"]),
    "drift": (["dataset", "production"], ["drift"]),
    "custom": ([], []),
}


class Failed(Exception):
    """The stage cannot be carried out; the text is what the user is told."""


class Waiting(Exception):
    """People or an outside system must act first; the run parks and asks again later."""

    def __init__(self, reason, count=None, poll_after=None):
        super().__init__(reason)
        self.reason, self.count, self.poll_after = reason, count, poll_after


# Events: JSON lines on the descriptor that flywheel opened for them.


def _event(**fields):
    fields = {k: v for k, v in fields.items() if v is not None}
    try:
        fd = int(os.environ["FLYWHEEL_EVENTS_FD"])
        os.write(fd, (json.dumps(fields, allow_nan=False) + "\n").encode())
    except (KeyError, ValueError, OSError):
        pass  # run by hand, or a number that JSON cannot say: events are never worth failing for


def progress(done, total=None, unit=None):
    _event(type="progress", done=done, total=total, unit=unit)


def metric(name, value, step=None):
    _event(type="metric", name=name, value=float(value), step=step)


def message(text, level="info"):
    """level: "debug", "info", "warning" or "error"."""
    _event(type="message", level=level, text=str(text))


class Request:
    """What flywheel asks for; `json` is the whole request."""

    def __init__(self, request):
        self.json = request
        self.run = request.get("run")
        self.iteration = request.get("iteration", 0)
        self.stage = request.get("stage")
        self.node = request.get("node")
        self.kind = request.get("kind")
        self.seed = request.get("seed", 0)
        self.project = request.get("project")
        self.task = request.get("task", "classification")
        self.classes = request.get("classes") or []
        self.metric = request.get("metric")
        self.split = request.get("split")
        self.params = request.get("params", {})
        self.inputs = request.get("inputs", {})
        self.outputs = request.get("outputs", {})
        self.resources = request.get("resources", {})
        self.deadline = request.get("deadline")
        self.scratch = request.get("scratch")

    def input(self, name):
        """The path of an input."""
        path = self.inputs.get(name)
        if not path:
            raise Failed(f"this stage was given no input '{name}'")
        if not os.path.exists(path):
            raise Failed(f"the input '{name}' does not exist: {path}")
        return path

    def output(self, name):
        """The path at which to create an output: a file or a folder."""
        path = self.outputs.get(name)
        if not path:
            raise Failed(f"this stage was asked for no output '{name}'")
        return path

    def samples(self, name="dataset"):
        """The rows of a dataset, one dict each, in order."""
        yield from read_jsonl(os.path.join(self.input(name), "samples.jsonl"))

    def file(self, row, name="dataset"):
        """The absolute path of the file a row names, or None when it names none."""
        return os.path.join(self.input(name), row["file_name"]) if row.get("file_name") else None

    def predictions(self, name="predictions"):
        """Predictions as an iterator of (id, prediction, probabilities or None), the probabilities
        in the order of `classes`."""
        path = self.input(name)
        if os.path.isdir(path) and os.path.exists(os.path.join(path, "ids.txt")):
            yield from _read_npy_predictions(path, self.classes)
            return
        if os.path.isdir(path):
            path = os.path.join(path, "predictions.jsonl")
        for row in read_jsonl(path):
            probs = row.get("probs")
            if isinstance(probs, dict):
                probs = [probs.get(c, 0.0) for c in self.classes]
            yield row["id"], row["prediction"], probs

    def load(self, name):
        """An input that is one JSON document, e.g. "analysis"."""
        with open(self.input(name), encoding="utf-8") as f:
            return json.load(f)


def read_jsonl(path):
    """The objects of a file of JSON lines; a bad line is named by its place."""
    try:
        with open(path, encoding="utf-8") as f:
            for number, line in enumerate(f, 1):
                if not line.strip():
                    continue
                try:
                    row = json.loads(line)
                except ValueError as e:
                    raise Failed(f"{path}:{number}: not valid JSON: {e}") from None
                if not isinstance(row, dict):
                    raise Failed(f"{path}:{number}: not a JSON object")
                yield row
    except OSError as e:
        raise Failed(f"cannot read {path}: {e.strerror}") from None


# Outputs.


def write_json(path, value):
    with open(path, "w", encoding="utf-8") as f:
        json.dump(value, f, ensure_ascii=False, indent=1, allow_nan=False)
        f.write("\n")


def write_predictions(path, ids, predictions=None, probs=None, classes=None):
    """Writes a folder with predictions.jsonl. Give predictions (class names, or numbers for
    regression), or probs (one row a sample, in the order of classes), or both; with probs alone the
    most probable class is predicted, the first one on a tie."""
    os.makedirs(path, exist_ok=True)
    with open(os.path.join(path, "predictions.jsonl"), "w", encoding="utf-8") as f:
        for i, sample in enumerate(ids):
            row = {"id": sample}
            p = None if probs is None else [float(x) for x in probs[i]]
            if predictions is not None:
                value = predictions[i]
                row["prediction"] = value.item() if hasattr(value, "item") else value
            else:
                row["prediction"] = classes[max(range(len(p)), key=p.__getitem__)]
            if p is not None:
                row["probs"] = [float(f"{x:.6g}") for x in p]
            f.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")


def write_probs(path, ids, probs):
    """Writes a folder with ids.txt and probs.npy (float32, N × K, C order), the compact form of
    predictions for many samples. probs: a NumPy array, or rows of numbers."""
    os.makedirs(path, exist_ok=True)
    if any("\n" in i or "\r" in i for i in ids):
        raise Failed("ids.txt cannot hold an id with a line break; use write_predictions")
    with open(os.path.join(path, "ids.txt"), "w", encoding="utf-8") as f:
        f.writelines(i + "\n" for i in ids)
    k = len(probs[0]) if len(ids) else 0
    if hasattr(probs, "astype"):
        data = probs.astype("<f4").tobytes(order="C")
    else:
        values = array.array("f", (float(x) for row in probs for x in row))
        if sys.byteorder == "big":
            values.byteswap()
        data = values.tobytes()
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({len(ids)}, {k}), }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    with open(os.path.join(path, "probs.npy"), "wb") as f:
        f.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data)


def _read_npy_predictions(path, classes):
    with open(os.path.join(path, "ids.txt"), encoding="utf-8") as f:
        ids = f.read().split("\n")[:-1]
    with open(os.path.join(path, "probs.npy"), "rb") as f:
        magic = f.read(10)
        if magic[:8] != b"\x93NUMPY\x01\x00":
            raise Failed(f"{path}/probs.npy is not a NumPy file of version 1.0")
        header = f.read(struct.unpack("<H", magic[8:])[0]).decode("latin-1")
        values = array.array("d" if "<f8" in header else "f", f.read())
    if sys.byteorder == "big":
        values.byteswap()
    k = len(classes)
    if "'fortran_order': False" not in header or len(values) != len(ids) * k:
        raise Failed(f"{path}/probs.npy does not hold {len(ids)} × {k} numbers in C order")
    for i, sample in enumerate(ids):
        p = values[i * k : (i + 1) * k].tolist()
        yield sample, classes[max(range(k), key=p.__getitem__)], p


class Patch:
    """The fixes a stage proposes, written in order:

        with Patch(request.output("patch")) as patch:
            patch.relabel("img-7", "scratch", "dent", reason="two labellers agree", by=["ann"])

    Further fields of a fix are keyword arguments: reason, by, labels, cost, slice, score.
    """

    def __init__(self, path):
        self.path = path
        self.fixes = 0
        os.makedirs(path, exist_ok=True)
        self._file = open(os.path.join(path, "patch.jsonl"), "w", encoding="utf-8")

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self._file.close()

    def _write(self, fix, more):
        more = {k: v for k, v in more.items() if v is not None}
        self._file.write(json.dumps({**fix, **more}, ensure_ascii=False, allow_nan=False) + "\n")
        self.fixes += 1

    def relabel(self, sample, old, new, **more):
        """The label of a sample becomes `new`; refused by the engine unless it is `old` now."""
        self._write({"op": "relabel", "id": sample, "from": old, "to": new}, more)

    def remove(self, sample, old=None, **more):
        fix = {"op": "remove", "id": sample}
        self._write(fix if old is None else {**fix, "from": old}, more)

    def add(self, row, parent=None, file=None, **more):
        """A new train sample. file: what to copy to the row's file_name. parent: the id of the
        sample it was made from."""
        if file is not None:
            target = os.path.join(self.path, "files", row["file_name"])
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copyfile(file, target)
        row = {k: v for k, v in row.items() if k != "split"}
        fix = {"op": "add", "sample": row}
        self._write(fix if parent is None else {**fix, "parent": parent}, more)

    def confirm(self, sample, label, **more):
        """Looked at and found right: not asked again."""
        self._write({"op": "confirm", "id": sample, "label": label}, more)

    def guideline(self, name, text, **more):
        """Replaces the section of a class in the labelling instructions."""
        self._write({"op": "guideline", "class": name, "text": text}, more)


class Plugin:
    """A plugin: its description, and one function for each kind of stage it carries out."""

    def __init__(self, name, version="1", params=None, deterministic=True, network=False, code=(),
                 inputs=None, outputs=None, description=None):
        """params: name → {"type", "default", "minimum", "maximum", "enum", "description",
        "required"}. deterministic: the same request gives the same bytes. code: files beside the
        plugin that make up its behaviour. inputs, outputs: only for custom stages."""
        self.description = {"protocol": PROTOCOL, "name": name, "version": version,
                            "params": params or {}, "deterministic": deterministic,
                            "network": network, "code": list(code)}
        if description:
            self.description["description"] = description
        self._inputs, self._outputs = inputs, outputs
        self.stages = {}

    def stage(self, kind):
        """Decorator: this function carries out stages of this kind."""
        if kind not in CONTRACTS:
            raise ValueError(f"unknown kind '{kind}': one of {', '.join(CONTRACTS)}")

        def register(function):
            self.stages[kind] = function
            return function

        return register

    def describe(self):
        kinds = list(self.stages)
        d = dict(self.description, kind=kinds[0] if len(kinds) == 1 else kinds)
        d["inputs"] = self._inputs or sorted({i for k in kinds for i in CONTRACTS[k][0]})
        d["outputs"] = self._outputs or sorted({o for k in kinds for o in CONTRACTS[k][1]})
        # This file is part of the plugin's behaviour when it stands in the plugin's folder.
        folder = os.path.dirname(os.path.realpath(sys.argv[0]))
        helper = os.path.relpath(os.path.realpath(__file__), folder)
        if not helper.startswith("..") and helper not in d["code"]:
            d["code"] = d["code"] + [helper]
        return d

    def main(self, argv=None):
        """Answers `describe` and `run`; does not return."""
        argv = sys.argv[1:] if argv is None else argv
        if argv == ["describe"]:
            print(json.dumps(self.describe(), ensure_ascii=False))
            sys.exit(0)
        if argv != ["run"]:
            print(f"usage: {os.path.basename(sys.argv[0])} describe|run", file=sys.stderr)
            sys.exit(2)
        sys.exit(self._run())

    def _run(self):
        try:
            path = os.environ.get("FLYWHEEL_REQUEST")
            if not path:
                raise Failed("FLYWHEEL_REQUEST is not set: this is a flywheel plugin, which "
                             "flywheel runs; try `flywheel plugin test`")
            with open(path, encoding="utf-8") as f:
                request = Request(json.load(f))
            if request.json.get("protocol") != PROTOCOL:
                raise Failed(f"flywheel speaks protocol {request.json.get('protocol')}, this "
                             f"plugin {PROTOCOL}")
            function = self.stages.get(request.kind)
            if not function:
                raise Failed(f"this plugin does not carry out '{request.kind}' stages")
            function(request)
            return 0
        except Waiting as e:
            _event(type="waiting", reason=e.reason, count=e.count, poll_after=e.poll_after)
            return EXIT_WAITING
        except Failed as e:
            print(f"error: {e}", file=sys.stderr)
            return 1
        except Exception:  # noqa: BLE001 — whatever it is, the log must show it
            traceback.print_exc()
            return 1
