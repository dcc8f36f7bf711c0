"""Minima and averages for minima.rs, by scikit-learn, SciPy and PyTorch.

    pip install scikit-learn scipy torch; python tests/judges/minima.py > tests/judges/data/minima.txt

Breast cancer, each feature standardised over all rows. Logistic regression with an l2 penalty over all 30 features, whose
minimum without one is at infinity since the classes can be parted by a plane; without a penalty over the first 10. A line is
the features, the penalty λ of λ/2m ‖w‖², the loss with it, the bias, the weights.

Then averages of weights along 40 steps of gradient descent, by torch.optim.swa_utils: a name and the averages after each step.
"""

import numpy as np
import torch
from scipy.optimize import minimize, rosen, rosen_der
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression

torch.set_default_dtype(torch.float64)
x, y = load_breast_cancer(return_X_y=True)
# The table is kept in f32.
x = x.astype(np.float32).astype(np.float64)
x = (x - x.mean(0)) / x.std(0)
m = len(y)
for features, penalty in [(30, 1.0), (30, 100.0), (10, 0.0)]:
    c = 1 / penalty if penalty else np.inf
    fit = LogisticRegression(C=c, tol=1e-14, max_iter=100000, solver="newton-cholesky").fit(x[:, :features], y)
    w, b = fit.coef_[0], fit.intercept_[0]
    z = x[:, :features] @ w + b
    loss = np.mean(np.logaddexp(0, z) - y * z) + penalty / (2 * m) * w @ w
    slope = x[:, :features].T @ (1 / (1 + np.exp(-z)) - y) / m + penalty / m * w
    assert np.abs(slope).max() < 1e-10, np.abs(slope).max()
    print("logistic|" + " ".join(repr(float(v)) for v in [features, penalty, loss, b, *w]))

start = np.array([-1.2, 1.0] * 5)
found = minimize(rosen, start, jac=rosen_der, method="L-BFGS-B", options={"gtol": 1e-9, "ftol": 1e-20, "maxiter": 10000})
print("rosenbrock|" + " ".join(repr(float(v)) for v in [found.fun, found.nit, found.nfev, *found.x]))

for name, make in [
    ("exponential", lambda p: torch.optim.swa_utils.AveragedModel(p, avg_fn=torch.optim.swa_utils.get_ema_avg_fn(0.8))),
    ("even", lambda p: torch.optim.swa_utils.AveragedModel(p)),
]:
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 1, bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[0.3, -0.7, 2.0]]))
    averaged, row = make(model), []
    optimiser = torch.optim.SGD(model.parameters(), 0.3)
    for step in range(1, 41):
        optimiser.zero_grad()
        ((model.weight - torch.tensor([1.0, -2.0, 3.0])) ** 2 * torch.tensor([0.5, 3.0, 0.05])).sum().backward()
        optimiser.step()
        if name == "exponential" or (step >= 10 and (step - 10) % 5 == 0):
            averaged.update_parameters(model)
        row += [repr(float(v)) for v in (model if name == "even" and step < 10 else averaged.module).weight[0].tolist()]
    print(name + "|" + " ".join(row))
