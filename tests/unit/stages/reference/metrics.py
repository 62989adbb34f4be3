"""Writes metrics.json beside this file: cases of every metric with scikit-learn's values.

Made with scikit-learn 1.2.1 and NumPy 1.24.2. Where scikit-learn has no such function or another
convention, the value is computed here by the definition in stages/evaluate/metrics.h.
"""
import json
import pathlib
import warnings

import numpy as np
import sklearn.metrics as sk

warnings.simplefilter("ignore")


def one_vs_rest(function, y, p, w, k, average):
    values = [function(y == c, p[:, c], sample_weight=w) if 0 < (y == c).sum() < len(y) else
              1.0 if (y == c).all() and function is sk.average_precision_score else np.nan for c in range(k)]
    size = np.array([w[y == c].sum() for c in range(k)])
    ok = ~np.isnan(values)
    if average is None:
        return values
    if not ok.any():
        return np.nan
    return np.average(np.array(values)[ok], weights=size[ok] if average == "weighted" else None)


def calibration_error(y, p, w, bins=15):
    sure, right = p.max(1).astype(float), p.argmax(1) == y
    at = np.clip(np.ceil(sure * bins).astype(int) - 1, 0, bins - 1)
    return sum(abs((w * (sure - right))[at == b].sum()) for b in range(bins)) / w.sum()


def classification(y, p, pred, w, k):
    out = {"accuracy": sk.accuracy_score(y, pred, sample_weight=w),
           "balanced_accuracy": sk.balanced_accuracy_score(y, pred, sample_weight=w),
           "mcc": sk.matthews_corrcoef(y, pred, sample_weight=w)}
    betas = {"precision": None, "recall": None, "f1": 1, "f2": 2, "f0.5": .5}
    for name, beta in betas.items():
        def score(average, labels=None):
            if name in ("precision", "recall"):
                f = sk.precision_score if name == "precision" else sk.recall_score
                return f(y, pred, average=average, labels=labels, sample_weight=w, zero_division=0)
            return sk.fbeta_score(y, pred, beta=beta, average=average, labels=labels, sample_weight=w,
                                  zero_division=0)
        for average in ("macro", "micro", "weighted"):
            out[f"{average}_{name}"] = score(average)
        for c, value in enumerate(score(None, labels=list(range(k)))):
            out[f"{name}:c{c}"] = value
    full = p.astype(float)
    out["log_loss"] = sk.log_loss(y, full / full.sum(1, keepdims=True), labels=list(range(k)),
                                  sample_weight=w, eps=1e-15)
    out["brier"] = np.average(((full - np.eye(k)[y]) ** 2).sum(1), weights=w)
    out["ece"] = calibration_error(y, p, w)
    for top in range(1, min(k, 4)):
        # scikit-learn lets the higher index win a tie: turn the classes around
        if k > 2:
            out[f"top_{top}"] = sk.top_k_accuracy_score(k - 1 - y, p[:, ::-1], k=top,
                                                        labels=list(range(k)), sample_weight=w)
    for name, f in (("roc_auc", sk.roc_auc_score), ("average_precision", sk.average_precision_score)):
        for c, value in enumerate(one_vs_rest(f, y, p, w, k, None)):
            out[f"{name}:c{c}"] = value
        for average in ("macro", "weighted"):
            out[f"{average}_{name}"] = one_vs_rest(f, y, p, w, k, average)
    return out


def case(name, y, p, weighted, rng):
    y, k = np.asarray(y), p.shape[1]
    w = np.round(rng.random(len(y)) * 4 + .05, 3) if weighted else np.ones(len(y))
    p = p.astype(np.float32)
    pred = p.argmax(1)
    values = classification(y, p, pred, w, k)
    return {"name": name + (", weighted" if weighted else ""), "k": k, "truth": y.tolist(),
            "pred": pred.tolist(), "probs": [float(v) for v in p.ravel()],
            "weight": w.tolist() if weighted else None,
            "values": {n: None if np.isnan(v) else float(v) for n, v in values.items()}}


def regression(name, y, g, weighted, rng):
    w = np.round(rng.random(len(y)) * 4 + .05, 3) if weighted else None
    return {"name": name, "k": 0, "truth": list(y), "pred": list(g),
            "weight": None if w is None else w.tolist(),
            "values": {"mae": sk.mean_absolute_error(y, g, sample_weight=w),
                       "rmse": sk.mean_squared_error(y, g, sample_weight=w, squared=False),
                       "r2": sk.r2_score(y, g, sample_weight=w)}}


def main():
    rng = np.random.default_rng(7)
    cases = []
    for weighted in (False, True):
        for n, k, decimals in ((60, 4, 3), (50, 3, 1), (40, 2, 2), (30, 7, 1)):
            y = rng.integers(0, k, n)
            p = rng.dirichlet(np.ones(k), n) + .6 * np.eye(k)[np.where(rng.random(n) < .6, y,
                                                                        rng.integers(0, k, n))]
            p = np.round(p / p.sum(1, keepdims=True), decimals)
            p[p.sum(1) == 0] = 1 / k
            if decimals == 1:  # rows of tenths need not sum to one: give the rest to the last class
                p[:, -1] = np.maximum(0, np.round(1 - p[:, :-1].sum(1), 1))
            cases.append(case(f"random {n} x {k}, {decimals} decimals", y, p, weighted, rng))
        y = np.array([0, 0, 1, 1, 3, 3, 0])
        p = rng.dirichlet(np.ones(5), 7)
        cases.append(case("classes nobody has", y, p, weighted, rng))
        cases.append(case("all scores equal", rng.integers(0, 3, 12), np.full((12, 3), 1 / 3), weighted, rng))
        cases.append(case("one class only", np.full(6, 1), rng.dirichlet(np.ones(3), 6), weighted, rng))
        cases.append(case("one sample", [2], np.array([[.2, .5, .3]]), weighted, rng))
        cases.append(case("certain and wrong", [0, 1, 2], np.eye(3)[[1, 2, 0]], weighted, rng))
    for weighted in (False, True):
        y = np.round(rng.normal(size=25), 3)
        cases.append(regression("values", y, np.round(y + rng.normal(size=25) / 2, 3), weighted, rng))
        cases.append(regression("a constant", np.full(4, 2.5), np.array([2.5, 2, 3, 2.5]), weighted, rng))
    text = json.dumps(cases, separators=(",", ":")).replace('{"name"', '\n{"name"')
    (pathlib.Path(__file__).parent / "metrics.json").write_text(text + "\n")


main()
