"""scikit-learn's values of metrics, for metrics.rs.

    pip install scikit-learn; python tests/judges/sklearn_metrics.py > tests/judges/data/metrics.txt

A line is a kind and its numbers: first the data, then, behind the bar, the values in the order of metrics.rs.
"""

import numpy as np
from sklearn import metrics as m

rng = np.random.default_rng(7)


def row(kind, *lists):
    print("|".join([kind] + [" ".join(repr(float(v)) for v in np.ravel(x)) for x in lists]))


for n, ties in [(10, False), (50, True), (200, False), (31, True)]:
    y = rng.integers(0, 2, n)
    y[:2] = [0, 1]
    p = np.clip(0.5 + 0.3 * (y - 0.5) + 0.25 * rng.standard_normal(n), 0.01, 0.99)
    if ties:
        p = np.round(p, 1)
    p = np.clip(p, 0.01, 0.99)
    row("ranking", p, y, [m.roc_auc_score(y, p), m.average_precision_score(y, p), m.log_loss(y, p), m.brier_score_loss(y, p)])
for n, k in [(12, 2), (60, 3), (200, 5), (40, 4)]:
    y = rng.integers(0, k, n)
    p = np.where(rng.random(n) < 0.6, y, rng.integers(0, k, n))
    scores = rng.random((n, k))
    row("classes", p, y, [
        m.accuracy_score(y, p), m.balanced_accuracy_score(y, p), m.cohen_kappa_score(y, p), m.matthews_corrcoef(y, p),
        *m.fbeta_score(y, p, beta=2, average=None, labels=range(k)), *m.precision_score(y, p, average=None, labels=range(k), zero_division=0),
        *m.recall_score(y, p, average=None, labels=range(k)), *m.jaccard_score(y, p, average=None, labels=range(k))])
    row("top", scores, y, [m.top_k_accuracy_score(y, scores, k=2, labels=range(k)) if k > 2 else 1.0])
for n, offset in [(10, 0.0), (100, 1e6), (37, -3.0)]:
    y = offset + rng.standard_normal(n) * 3
    x = y + rng.standard_normal(n)
    row("regression", x, y, [
        m.mean_absolute_error(y, x), m.mean_squared_error(y, x), m.root_mean_squared_error(y, x), m.mean_absolute_percentage_error(y, x),
        m.max_error(y, x), m.r2_score(y, x), m.explained_variance_score(y, x), np.corrcoef(x, y)[0, 1]])
