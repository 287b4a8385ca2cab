"""Writes metrics.json: figures of scikit-learn 1.9.1 with NumPy 2.4.6.

    python metrics.py > metrics.json

Scores are rounded so that many are equal, some weights are 0, and some classes do not occur. What
scikit-learn has no function for, the expected calibration error, is computed here in exact fractions.
"""

import json
import sys
import warnings
from fractions import Fraction

import numpy as np
import sklearn
from sklearn import metrics
from sklearn.calibration import calibration_curve

assert sklearn.__version__ == "1.9.1" and np.__version__ == "2.4.6"
rng = np.random.default_rng(7)
warnings.simplefilter("error")


def calibration(labels, probabilities, bins, weights):
    """sum over bins ((m-1)/M, m/M] of the share of samples times |share right - mean confidence|."""
    groups = {}
    weights = weights if weights is not None else [1.0] * len(labels)
    for label, row, weight in zip(labels, probabilities, weights):
        row = [Fraction(p) for p in row]
        top = max(row)
        right = row.count(top) == 1 and row.index(top) == label
        m = next(m for m in range(1, bins + 1) if float(top) <= m / bins)
        group = groups.setdefault(m, [Fraction(0)] * 2)
        group[0] += Fraction(weight) * top
        group[1] += Fraction(weight) * right
    total = sum(Fraction(w) for w in weights)
    return float(sum(abs(conf - right) for conf, right in groups.values()) / total)


def binary(name, labels, scores, weights):
    w = dict(sample_weight=weights)
    return dict(
        name=name, labels=labels, scores=scores, weights=weights,
        roc_auc=metrics.roc_auc_score(labels, scores, **w),
        average_precision=metrics.average_precision_score(labels, scores, **w),
    )


def multiclass(name, labels, predicted, probabilities, weights):
    labels, probabilities = np.array(labels), np.array(probabilities)
    classes = probabilities.shape[1]
    every, w = list(range(classes)), dict(sample_weight=weights)
    occurs = [k for k in every if weights is None or np.sum(np.array(weights)[labels == k]) > 0]
    occurs = [k for k in occurs if np.any(labels == k)]
    out = dict(
        name=name, classes=classes, labels=labels.tolist(), predicted=list(predicted),
        scores=probabilities.ravel().tolist(), weights=weights,
    )
    out["accuracy"] = metrics.accuracy_score(labels, predicted, **w)
    with warnings.catch_warnings():
        # A class that is predicted but does not occur.
        warnings.simplefilter("ignore")
        out["balanced_accuracy"] = metrics.balanced_accuracy_score(labels, predicted, **w)
    out["log_loss"] = metrics.log_loss(labels, probabilities, labels=every, **w)
    positive = probabilities if classes > 2 else probabilities[:, 1]
    out["brier"] = metrics.brier_score_loss(labels, positive, labels=every, **w)
    out["ece_10"] = calibration(labels, probabilities.tolist(), 10, weights)
    out["ece_7"] = calibration(labels, probabilities.tolist(), 7, weights)
    out["confusion"] = metrics.confusion_matrix(labels, predicted, labels=every).ravel().tolist()
    p, r, f, _ = metrics.precision_recall_fscore_support(
        labels, predicted, labels=every, zero_division=np.nan, **w)
    # None where it is 0/0.
    clean = lambda xs: [None if np.isnan(x) else float(x) for x in xs]
    out["precision"], out["recall"], out["f1"] = clean(p), clean(r), clean(f)
    by_class = lambda metric: [
        float(metric(labels == k, probabilities[:, k], **w)) if k in occurs and len(occurs) > 1 else None
        for k in every
    ]
    out["roc_auc_by_class"] = by_class(metrics.roc_auc_score)
    out["average_precision_by_class"] = [
        float(metrics.average_precision_score(labels == k, probabilities[:, k], **w)) if k in occurs else None
        for k in every
    ]
    if len(occurs) == classes and classes > 2:
        for average in ["macro", "weighted"]:
            out["roc_auc_" + average] = metrics.roc_auc_score(
                labels, probabilities, multi_class="ovr", average=average, **w)
            out["average_precision_" + average] = metrics.average_precision_score(
                labels, probabilities, average=average, **w)
    if classes > 2:
        # scikit-learn has a rule of its own for equal scores: these are all different.
        distinct = rng.permuted(np.arange(labels.size * classes)).reshape(-1, classes) / 64
        out["distinct"] = distinct.ravel().tolist()
        out["top_2"] = metrics.top_k_accuracy_score(labels, distinct, k=2, labels=every, **w)
    return out


def regression(name, targets, predictions, weights):
    targets, predictions = np.array(targets), np.array(predictions)
    w = dict(sample_weight=weights)
    return dict(
        name=name, width=targets.shape[1], targets=targets.ravel().tolist(),
        predictions=predictions.ravel().tolist(), weights=weights,
        r2=metrics.r2_score(targets, predictions, **w),
        rmse=metrics.root_mean_squared_error(targets, predictions, **w),
        mae=metrics.mean_absolute_error(targets, predictions, **w),
    )


def sixteenths(n, classes):
    """Rows of multiples of 1/16 that sum to exactly 1, with many ties and some zeros."""
    return (rng.multinomial(16, np.ones(classes) / classes, n) / 16).tolist()


def some_weights(n):
    weights = np.round(rng.exponential(1.0, n), 2)
    weights[rng.random(n) < 0.15] = 0.0
    return weights.tolist()


cases = dict(binary=[], multiclass=[], regression=[])
for n, decimals in [(2, 1), (30, 1), (200, 2), (50, 0)]:
    labels = [0, 1] + rng.integers(0, 2, n - 2).tolist()
    scores = np.round(np.array(labels) * 0.4 + rng.normal(size=n), decimals).tolist()
    for weights in [None, some_weights(n)] if n > 2 else [None, [0.25, 3.0]]:
        cases["binary"].append(binary(f"{n} samples, {decimals} decimals", labels, scores, weights))
one = [1] + [0] * 19
cases["binary"].append(binary("all scores equal", one, [0.5] * 20, None))
cases["binary"].append(binary("one positive, the last", one, list(range(20)), None))
cases["binary"].append(binary("perfect", [0, 0, 1, 1], [0.1, 0.2, 0.2000001, 9.0], [1.0, 2.0, 3.0, 4.0]))
cases["binary"].append(binary("tiny and huge scores", [0, 1, 0, 1, 1], [-1e300, 1e-300, 0.0, -0.0, 1e300], None))

for n, classes, absent in [(40, 2, None), (60, 3, None), (60, 4, 2), (150, 5, None), (25, 6, 0)]:
    labels = rng.integers(0, classes, n)
    labels = [int(k) if k != absent else (int(k) + 1) % classes for k in labels]
    predicted = [k if rng.random() < 0.6 else int(rng.integers(0, classes)) for k in labels]
    p = sixteenths(n, classes)
    for weights in [None, some_weights(n)]:
        without = "" if absent is None else f", class {absent} absent"
        cases["multiclass"].append(multiclass(f"{n} samples, {classes} classes{without}", labels, predicted, p, weights))

for n, width, shift, scale in [(2, 1, 0.0, 1.0), (50, 1, 0.0, 1.0), (50, 3, 0.0, 10.0), (80, 1, 1e6, 1.0)]:
    targets = shift + scale * rng.normal(size=(n, width))
    predictions = targets + 0.3 * scale * rng.normal(size=(n, width))
    for weights in [None, some_weights(n)] if n > 2 else [None, [0.25, 3.0]]:
        cases["regression"].append(regression(f"{n}×{width}, {shift} ± {scale}", targets, predictions, weights))

# The binning is that of calibration_curve.
check = [c for c in cases["multiclass"] if c["classes"] == 2 and c["weights"] is None][0]
p = np.array(check["scores"]).reshape(-1, 2)
top, right = p.max(axis=1), (p.argmax(axis=1) == check["labels"]) & (p[:, 0] != p[:, 1])
share, confidence = calibration_curve(right, top, n_bins=10)
bins = np.searchsorted(np.linspace(0, 1, 11)[1:-1], top)
counts = np.array([np.sum(bins == b) for b in np.unique(bins)])
assert abs(np.sum(counts * np.abs(share - confidence)) / len(top) - check["ece_10"]) < 1e-14

json.dump(cases, sys.stdout, ensure_ascii=False, separators=(",", ":"))
print()
