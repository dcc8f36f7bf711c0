"""Values and gradients of PyTorch's losses in f64, for losses.rs.

    pip install torch; python tests/judges/torch_losses.py > tests/judges/data/losses.txt

A line is a case: its name, then four lists of numbers: predictions, targets, the loss, its gradient. Predictions are (4, 3) or, of
the cases "pixels", (2, 2, 3, 3): 2 images of 2 x 3 pixels, the 3 classes last.
"""

import torch
import torch.nn.functional as F

torch.manual_seed(1)
torch.set_default_dtype(torch.float64)
INF = float("inf")
Z = torch.randn(4, 3) * 2
ORDINARY = {"": Z, "huge ": Z + 1e8, "far ": Z * 300}
LABELS = torch.tensor([2, 0, 1, 2])
SHARES = torch.softmax(torch.randn(4, 3), 1)
PART = SHARES * torch.tensor([[1.0], [0.0], [0.5], [1.0]])
WEIGHTS = torch.tensor([0.5, 2.0, 1.25])
TRUTH = torch.tensor([[0.0, 1, 1], [1, 0, 0], [0, 0, 1], [1, 1, 0]])
COUNTS = torch.tensor([[0.0, 1, 4], [2, 0, 0], [3, 5, 1], [1, 1, 0]])



def focal(z, y):
    p = torch.sigmoid(z)
    wrong = torch.where(y > 0, torch.sigmoid(-z), p)
    share = torch.where(y > 0, torch.tensor(0.25), torch.tensor(0.75))
    return (share * wrong**2 * F.binary_cross_entropy_with_logits(z, y, reduction="none")).mean()


CASES = []
for size, z in ORDINARY.items():
    CASES += [
        (size + "labels", z, LABELS, F.cross_entropy),
        (size + "shares", z, SHARES, F.cross_entropy),
        (size + "part", z, PART, F.cross_entropy),
        (size + "weights", z, LABELS, lambda x, y: F.cross_entropy(x, y, weight=WEIGHTS)),
        (size + "weighted shares", z, SHARES, lambda x, y: F.cross_entropy(x, y, weight=WEIGHTS)),
        (size + "ignoring", z, LABELS, lambda x, y: F.cross_entropy(x, y, weight=WEIGHTS, ignore_index=0)),
        (size + "smoothing", z, LABELS, lambda x, y: F.cross_entropy(x, y, label_smoothing=0.1)),
        (size + "all", z, LABELS,
         lambda x, y: F.cross_entropy(x, y, weight=WEIGHTS, ignore_index=0, label_smoothing=0.1)),
        (size + "smooth shares", z, SHARES, lambda x, y: F.cross_entropy(x, y, label_smoothing=0.1)),
        (size + "sum", z, LABELS, lambda x, y: F.cross_entropy(x, y, weight=WEIGHTS, reduction="sum")),
    ]
for size, z in {"": Z, "far ": Z * 300}.items():
    CASES += [
        (size + "binary", z, TRUTH, F.binary_cross_entropy_with_logits),
        (size + "binary shares", z, SHARES, F.binary_cross_entropy_with_logits),
        (size + "huber", z, TRUTH, lambda x, y: F.huber_loss(x, y, delta=0.75)),
        (size + "smooth l1", z, TRUTH, lambda x, y: F.smooth_l1_loss(x, y, beta=0.75)),
        (size + "positive", z, TRUTH,
         lambda x, y: F.binary_cross_entropy_with_logits(x, y, weight=WEIGHTS, pos_weight=torch.tensor(3.0))),
        (size + "focal", z, TRUTH, focal),
        (size + "cosine", z, SHARES, lambda x, y: (1 - F.cosine_similarity(x, y, dim=1)).mean()),
        (size + "embedding", z, SHARES,
         lambda x, y: F.cosine_embedding_loss(x, y, torch.tensor([1.0, -1, -1, 1]), margin=0.25)),
        (size + "triplet", z, SHARES, lambda x, y: F.triplet_margin_loss(x, y, y.flip(0), margin=0.5)),
        (size + "hinge", z, 2 * TRUTH - 1, lambda x, y: (1 - x * y).clamp(min=0).mean()),
        (size + "squared hinge", z, 2 * TRUTH - 1, lambda x, y: (1 - x * y).clamp(min=0).square().mean()),
        (size + "nll", torch.log_softmax(z, 1), LABELS, F.nll_loss),
        (size + "kl", torch.log_softmax(z, 1), SHARES, F.kl_div),
        (size + "kl part", torch.log_softmax(z, 1), PART, F.kl_div),
        (size + "kl log", torch.log_softmax(z, 1), SHARES.log(), lambda x, y: F.kl_div(x, y, log_target=True)),
    ]
CASES += [
    ("probabilities", torch.sigmoid(Z), TRUTH, F.binary_cross_entropy),
    ("poisson", Z, COUNTS, F.poisson_nll_loss),
    ("poisson rate", Z.exp(), COUNTS, lambda x, y: F.poisson_nll_loss(x, y, log_input=False)),
    ("squares", Z, COUNTS, F.mse_loss),
]

PIXELS = torch.randn(2, 2, 3, 3) * 2
PIXEL_LABELS = torch.randint(0, 3, (2, 2, 3))
PIXEL_LABELS[0, 0] = torch.tensor([0, 1, 2])
PIXEL_SHARES = torch.softmax(torch.randn(2, 2, 3, 3), 3)
PIXEL_TRUTH = (torch.rand(2, 2, 3, 3) < 0.5).double()


def pixels(**options):
    """PyTorch has the classes on axis 1."""
    first = lambda x: x.permute(0, 3, 1, 2).contiguous() if x.dim() == 4 else x
    return lambda x, y: F.cross_entropy(first(x), first(y), **options)


for size, z in {"": PIXELS, "huge ": PIXELS + 1e8, "far ": PIXELS * 300}.items():
    CASES += [
        (size + "pixels labels", z, PIXEL_LABELS, pixels()),
        (size + "pixels shares", z, PIXEL_SHARES, pixels()),
        (size + "pixels weights", z, PIXEL_LABELS, pixels(weight=WEIGHTS)),
        (size + "pixels weighted shares", z, PIXEL_SHARES, pixels(weight=WEIGHTS)),
        (size + "pixels ignoring", z, PIXEL_LABELS, pixels(weight=WEIGHTS, ignore_index=0)),
        (size + "pixels smoothing", z, PIXEL_LABELS, pixels(label_smoothing=0.1)),
        (size + "pixels all", z, PIXEL_LABELS, pixels(weight=WEIGHTS, ignore_index=0, label_smoothing=0.1)),
        (size + "pixels sum", z, PIXEL_LABELS, pixels(weight=WEIGHTS, reduction="sum")),
    ]
for size, z in {"": PIXELS, "far ": PIXELS * 300}.items():
    CASES += [
        (size + "pixels binary", z, PIXEL_TRUTH, F.binary_cross_entropy_with_logits),
        (size + "pixels positive", z, PIXEL_TRUTH,
         lambda x, y: F.binary_cross_entropy_with_logits(x, y, weight=WEIGHTS, pos_weight=torch.tensor(3.0))),
        (size + "pixels focal", z, PIXEL_TRUTH, focal),
        (size + "pixels nll", torch.log_softmax(z, 3), PIXEL_LABELS, lambda x, y: F.nll_loss(x.permute(0, 3, 1, 2).contiguous(), y)),
    ]

for name, x, y, loss in CASES:
    x = x.clone().requires_grad_()
    value = loss(x, y)
    value.backward()
    lists = [x.detach(), y, value.detach(), x.grad]
    print("|".join([name] + [" ".join(repr(float(v)) for v in t.flatten()) for t in lists]))
