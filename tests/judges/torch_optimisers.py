"""Trajectories of PyTorch's optimisers and schedules in f64, for optimisers.rs.

    pip install torch; python tests/judges/torch_optimisers.py > tests/judges/data/optimisers.txt

A line is an optimiser: its name, then after each of 100 steps the three elements of `a.weight`, then the two of `b.bias`.
The loss is Σ (w − goal)² scale + cos(3 w), so that gradients have different sizes and signs.
"""

import torch

torch.set_default_dtype(torch.float64)
SCALE = torch.tensor([0.5, 3.0, 0.05])
GOAL = torch.tensor([1.0, -2.0, 3.0])


def optimisers():
    o, s = torch.optim, torch.optim.lr_scheduler
    yield "sgd", lambda p: o.SGD(p, 0.02), None, None
    yield "momentum", lambda p: o.SGD(p, 0.01, momentum=0.9), None, None
    yield "nesterov", lambda p: o.SGD(p, 0.01, momentum=0.9, nesterov=True), None, None
    yield "l2", lambda p: o.SGD([{"params": p[:1], "weight_decay": 0.1}, {"params": p[1:]}], 0.02), None, None
    yield "rmsprop", lambda p: o.RMSprop(p, 0.01), None, None
    yield "adagrad", lambda p: o.Adagrad(p, 0.1), None, None
    yield "adam", lambda p: o.Adam(p, 0.05), None, None
    yield "adamw", lambda p: o.AdamW([{"params": p[:1], "weight_decay": 0.1}, {"params": p[1:], "weight_decay": 0.0}], 0.05), None, None
    yield "clip value", lambda p: o.SGD(p, 0.02), lambda p: torch.nn.utils.clip_grad_value_(p, 0.5), None
    yield "clip norm", lambda p: o.Adam(p, 0.05), lambda p: torch.nn.utils.clip_grad_norm_(p, 0.75), None
    yield "groups", lambda p: o.SGD([{"params": p[:1]}, {"params": p[1:], "lr": 0.1}], 0.01), None, None
    yield "steps", lambda p: o.SGD(p, 0.05), None, lambda o: s.StepLR(o, 20, 0.5)
    yield "exponential", lambda p: o.SGD(p, 0.05), None, lambda o: s.ExponentialLR(o, 0.97)
    yield "inverse", lambda p: o.SGD(p, 0.05), None, lambda o: s.LambdaLR(o, lambda t: 1 / (1 + 0.1 * t))
    yield "cosine", lambda p: o.SGD(p, 0.05), None, lambda o: s.CosineAnnealingLR(o, 100, 0.001)
    yield "warm", lambda p: o.SGD(p, 0.05), None, lambda o: s.SequentialLR(
        o, [s.LinearLR(o, 0.1, 1.0, 20), s.CosineAnnealingLR(o, 80)], [20])
    yield "one cycle", lambda p: o.SGD(p, 0.05), None, lambda o: s.OneCycleLR(o, 0.05, 100, cycle_momentum=False)
    yield "piecewise", lambda p: o.SGD(p, 0.05), None, lambda o: s.LambdaLR(o, lambda t: 1 if t < 30 else 0.4 if t < 60 else 0.1)


for name, make, clip, schedule in optimisers():
    a = torch.tensor([0.3, -0.7, 2.0], requires_grad=True)
    b = torch.tensor([1.5, -0.2], requires_grad=True)
    optimiser = make([a, b])
    scheduler = schedule(optimiser) if schedule else None
    row = []
    for _ in range(100):
        optimiser.zero_grad()
        loss = ((a - GOAL) ** 2 * SCALE).sum() + torch.cos(3 * a).sum() + ((b - 0.5) ** 2 * 2).sum() + torch.cos(3 * b).sum()
        loss.backward()
        if clip:
            clip([a, b])
        optimiser.step()
        if scheduler:
            scheduler.step()
        row += [repr(float(v)) for v in torch.cat([a, b])]
    print(name + "|" + " ".join(row))
