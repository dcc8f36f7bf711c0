"""Values and gradients of PyTorch's layers over sequences in f64, for sequences.rs.

    pip install torch; python tests/judges/torch_sequences.py > tests/judges/data/sequences.txt

A line is a case: what it is, its options, and two numbers for each array: its sums with cos(0.7 i + 0.2) and with
sin(1.3 i), which no mistake leaves as they are. The arrays are the results, then the gradients of the results' sums with
cos(i), each result's added, in the order in which the inputs and parameters were made, then the gradient in the first
input of the sum of the squares of its own gradient. Values are sines of positions, so none needs to be kept.
"""

import itertools
import math
import random

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

torch.set_default_dtype(torch.float64)
random.seed(5)


class Made:
    """Inputs and parameters, each filled with other numbers."""

    def __init__(self):
        self.all = []

    def __call__(self, *shape, size=1.0):
        n, k = math.prod(shape), len(self.all)
        x = torch.sin(1.7 * torch.arange(n) + 0.37 * k + 0.3) * size
        self.all.append(x.reshape(shape).requires_grad_())
        return self.all[-1]


def digest(x):
    i = torch.arange(x.numel(), dtype=torch.float64)
    x = x.detach().flatten()
    return [float((x * torch.cos(0.7 * i + 0.2)).sum()), float((x * torch.sin(1.3 * i)).sum())]


def told(name, options, made, results, second=True):
    loss = 0
    for y in results:
        loss = loss + (y.flatten() * torch.cos(torch.arange(y.numel(), dtype=torch.float64))).sum()
    slopes = torch.autograd.grad(loss, made.all, create_graph=second)
    arrays = list(results) + list(slopes)
    if second:
        arrays.append(torch.autograd.grad(slopes[0].square().sum(), made.all[0])[0])
    numbers = [f"{v:.13g}" for x in arrays for v in digest(x)]
    print(f"{name}|" + ",".join(f"{k}={v}" for k, v in options.items()) + "|" + " ".join(numbers))


def recurrent(kind, layers, both, padded, state):
    made = Made()
    batch, steps, features, units = (random.randint(1, 3), random.randint(1, 5), random.randint(1, 3), random.randint(1, 3))
    lengths = [random.randint(1, steps) for _ in range(batch)]
    if padded:
        steps = max(lengths)
    cls = {"plain": nn.RNN, "relu": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[kind]
    more = {"nonlinearity": "relu"} if kind == "relu" else {}
    net = cls(features, units, layers, batch_first=True, bidirectional=both, **more)
    x = made(batch, steps, features)
    first = [made(layers * (1 + both), batch, units) for _ in range(2 if kind == "lstm" else 1)] if state else []
    params = {name: made(*p.shape, size=0.6) for name, p in net.named_parameters()}
    given = (tuple(first) if kind == "lstm" else first[0]) if state else None

    def run(x, given=None):
        inner = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False) if padded else x
        args = (inner,) if given is None else (inner, given)
        y, last = torch.func.functional_call(net, params, args)
        if padded:
            y, _ = nn.utils.rnn.pad_packed_sequence(y, batch_first=True)
        return [y] + list(last if kind == "lstm" else [last])

    options = dict(kind=kind, layers=layers, both=int(both), batch=batch, steps=steps, features=features, units=units,
                   lengths="x".join(map(str, lengths)) if padded else "", state=int(state))
    told("recurrent", options, made, run(x, given))


def attention(causal, masked, biased, heads, shared, block):
    made = Made()
    m, n, size, width = random.randint(1, 5), random.randint(1, 6), random.randint(1, 4), random.randint(1, 3)
    if causal:
        n = m
    q, k, v = made(2, heads, m, size), made(2, shared, n, size), made(2, shared, n, width)
    bias = made(heads, m, n) if biased else None
    allowed = torch.ones(m, n, dtype=torch.bool)
    if causal:
        allowed = allowed.tril()
    if masked:
        # Every query sees its own position, so that no row is empty.
        i, j = torch.arange(m)[:, None], torch.arange(n)[None]
        allowed = allowed & (((3 * i + 5 * j) % 4 != 0) | (i % n == j))
    added = torch.zeros(m, n).masked_fill(~allowed, -math.inf)
    added = added + bias if biased else added
    y = F.scaled_dot_product_attention(q, k, v, attn_mask=added, enable_gqa=heads != shared)
    options = dict(causal=int(causal), masked=int(masked), biased=int(biased), heads=heads, shared=shared, m=m, n=n,
                   size=size, width=width, block=block)
    told("attention", options, made, [y])


def projections(made, size, bias):
    """What MultiheadAttention and our four linear layers have."""
    w = [made(size, size, size=0.6) for _ in range(4)]
    b = [made(size) for _ in range(4)] if bias else []
    given = {"in_proj_weight": torch.cat(w[:3]), "out_proj.weight": w[3]}
    if bias:
        given |= {"in_proj_bias": torch.cat(b[:3]), "out_proj.bias": b[3]}
    return given


def multi_head(heads, per_head, bias, cross, causal, padded):
    made = Made()
    size = heads * per_head
    m, n = random.randint(1, 4), random.randint(1, 4)
    n = n if cross else m
    net = nn.MultiheadAttention(size, heads, bias=bias, batch_first=True)
    x = made(2, m, size)
    y = made(2, n, size) if cross else x
    params = projections(made, size, bias)
    mask = torch.ones(m, n, dtype=torch.bool).triu(1) if causal else None
    hidden = torch.arange(n)[None] >= torch.tensor([[n], [max(1, n - 1)]]) if padded else None
    z, _ = torch.func.functional_call(net, params, (x, y, y), dict(attn_mask=mask, key_padding_mask=hidden))
    options = dict(heads=heads, size=size, bias=int(bias), cross=int(cross), m=m, n=n, causal=int(causal), padded=int(padded))
    told("multi_head", options, made, [z])


def transformer(heads, pre, gelu, decoder, causal, padded):
    made = Made()
    size, hidden, m, n = heads * random.randint(1, 2) + (heads == 1), random.randint(1, 5), random.randint(1, 4), random.randint(1, 3)
    cls = nn.TransformerDecoderLayer if decoder else nn.TransformerEncoderLayer
    net = cls(size, heads, hidden, 0.0, "gelu" if gelu else "relu", batch_first=True, norm_first=pre)
    x = made(2, m, size)
    args = (x,)
    if decoder:
        args = (x, made(2, n, size))
    params = {"self_attn." + k: v for k, v in projections(made, size, True).items()}
    if decoder:
        params |= {"multihead_attn." + k: v for k, v in projections(made, size, True).items()}
    for name in ("linear1", "linear2", "norm1", "norm2") + (("norm3",) if decoder else ()):
        for part in ("weight", "bias"):
            params[f"{name}.{part}"] = made(*dict(net.named_parameters())[f"{name}.{part}"].shape)
    mask = torch.ones(m, m, dtype=torch.bool).triu(1) if causal else None
    hides = torch.arange(m)[None] >= torch.tensor([[m], [max(1, m - 1)]]) if padded else None
    names = ("tgt_mask", "tgt_key_padding_mask") if decoder else ("src_mask", "src_key_padding_mask")
    z = torch.func.functional_call(net, params, args, dict(zip(names, (mask, hides))))
    options = dict(heads=heads, size=size, hidden=hidden, m=m, n=n, pre=int(pre), gelu=int(gelu), decoder=int(decoder),
                   causal=int(causal), padded=int(padded))
    # With one number to normalise there is nothing left to differentiate twice.
    told("transformer", options, made, [z])


def ctc(steps, classes, longest, blank, reduction):
    made = Made()
    batch = random.randint(1, 3)
    z = made(batch, steps, classes, size=2.0)
    inputs = [random.randint(max(1, steps - 2), steps) for _ in range(batch)]
    lengths = [random.randint(0, min(longest, (n - 1) // 2 if n > 1 else 0)) for n in inputs]
    letters = [c for c in range(classes) if c != blank]
    labels = [[random.choice(letters) for _ in range(longest)] for _ in range(batch)]
    y = F.ctc_loss(F.log_softmax(z, -1).swapaxes(0, 1), torch.tensor(labels), torch.tensor(inputs), torch.tensor(lengths),
                   blank=blank, reduction=reduction)
    options = dict(batch=batch, steps=steps, classes=classes, blank=blank, reduction=reduction,
                   inputs="x".join(map(str, inputs)), lengths="x".join(map(str, lengths)),
                   labels="x".join(str(c) for row in labels for c in row))
    told("ctc", options, made, [y], second=False)


# The fast way has no second derivative.
with sdpa_kernel(SDPBackend.MATH):
    for _ in range(2):
        for choice in itertools.product(["plain", "relu", "lstm", "gru"], [1, 2], [False, True], [False, True], [False, True]):
            recurrent(*choice)
        for choice in itertools.product([False, True], [False, True], [False, True], [(1, 1), (4, 2), (3, 1)], [0, 2]):
            attention(*choice[:3], *choice[3], choice[4])
        for choice in itertools.product([1, 2], [1, 3], [False, True], [False, True], [False, True], [False, True]):
            if not (choice[3] and choice[4]):
                multi_head(*choice)
        for choice in itertools.product([1, 2], [False, True], [False, True], [False, True], [False, True], [False, True]):
            transformer(*choice)
        for choice in itertools.product([1, 4, 7], [2, 4], [1, 3], [0, 1], ["none", "sum", "mean"]):
            ctc(*choice)
