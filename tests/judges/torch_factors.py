"""Values and gradients of PyTorch's norms, decompositions and what is made of them in f64, for factors.rs.

    pip install torch; python tests/judges/torch_factors.py > tests/judges/data/factors.txt

A line is a case: its name, the shape of the matrices, then three lists of numbers: the matrices, a value that no choice of
signs changes, its gradient.
"""

import torch

torch.manual_seed(1)
torch.set_default_dtype(torch.float64)
L = torch.linalg


def svd(a):
    u, s, vh = L.svd(a, full_matrices=False)
    return ((u * u) @ (s.unsqueeze(-1) * (vh * vh))).sum()


def eigh(a):
    w, v = L.eigh((a + a.mT) / 2)
    return ((v * v) * w.unsqueeze(-2).exp()).square().sum()


def qr(a):
    q, r = L.qr(a)
    return ((q * q) @ (r * r)).square().sum()


ANY = {
    "svd": svd,
    "qr": qr,
    "singular values": lambda a: L.svdvals(a).pow(3).sum(),
    "nuclear": lambda a: L.matrix_norm(a, "nuc").sum(),
    "spectral": lambda a: L.matrix_norm(a, 2).sum(),
    "frobenius": lambda a: L.matrix_norm(a, "fro").sum(),
    "one": lambda a: L.matrix_norm(a, 1).sum(),
    "infinity": lambda a: L.matrix_norm(a, float("inf")).sum(),
    "norm 3": lambda a: L.vector_norm(a, 3, dim=-1).sum(),
    "norm 0.5": lambda a: L.vector_norm(a, 0.5, dim=-2).sum(),
    "pinv": lambda a: L.pinv(a).square().sum(),
    "std": lambda a: a.std(dim=-1).sum(),
    "var 0": lambda a: a.var(dim=(-2, -1), correction=0).sum(),
    "logsumexp": lambda a: a.logsumexp(dim=(-2, -1)).sum(),
    "logaddexp": lambda a: torch.logaddexp(a, a * a).sum(),
    "cummax": lambda a: (a.cummax(dim=-1).values ** 2).sum(),
    "cummin": lambda a: (a.cummin(dim=-2).values ** 2).sum(),
    "roll": lambda a: (a.roll(1, -1) * a).sum(),
    "diagonal": lambda a: a.diagonal(1, -2, -1).square().sum(),
}
TALL = {"lstsq": lambda a: L.lstsq(a, a * a).solution.square().sum()}
SQUARE = {
    "eigh": eigh,
    "eigenvalues": lambda a: L.eigvalsh((a + a.mT) / 2).pow(3).sum(),
    "power 5": lambda a: L.matrix_power(a, 5).sum(),
    "power -2": lambda a: L.matrix_power(a, -2).sum(),
}

for shape in [(3, 3), (5, 3), (3, 5), (2, 4, 4), (2, 6, 2)]:
    cases = dict(ANY)
    if shape[-2] >= shape[-1]:
        cases |= TALL
    if shape[-2] == shape[-1]:
        cases |= SQUARE
    for name, f in cases.items():
        a = torch.randn(shape, requires_grad=True)
        y = f(a)
        (d,) = torch.autograd.grad(y, a)
        lists = [shape, a.detach().flatten().tolist(), [y.item()], d.flatten().tolist()]
        print(name, *[" ".join(map(repr, x)) for x in lists], sep="|")
