"""Values and gradients of PyTorch's convolutions, pooling, resizing and padding in f64, for windows.rs.

    pip install torch; python tests/judges/torch_windows.py > tests/judges/data/windows.txt

A line is a case: operation, options, shapes of the value and of the kernel (empty if there is none), the shape of the
result, the result, and the gradients of Σ result·cos(i) by value and kernel. Element i of a value is sin(1.7 i + 0.3), of
a kernel sin(2.3 i + 0.1).
"""

import random

import torch
import torch.nn.functional as F

random.seed(4)
torch.set_default_dtype(torch.float64)


def filled(shape, step, start):
    n = 1
    for length in shape:
        n *= length
    return torch.sin(step * torch.arange(n, dtype=torch.float64) + start).reshape(shape).requires_grad_()


def numbers(t):
    return " ".join(f"{float(v):.13g}" for v in t.flatten()) if t is not None else ""


def pick(*choices):
    return random.choice(choices)


def case(op, options, shape, kernel, f):
    x = filled(shape, 1.7, 0.3)
    w = filled(kernel, 2.3, 0.1) if kernel else None
    try:
        y = f(x, w)
    except RuntimeError:
        return False
    if y.numel() == 0 or y.numel() > 120:
        return False
    ct = torch.cos(torch.arange(y.numel(), dtype=torch.float64)).reshape(y.shape)
    (y * ct).sum().backward()
    text = ",".join(f"{k}={v}" for k, v in options.items())
    shapes = [" ".join(map(str, s)) for s in (shape, kernel or [], y.shape)]
    print("|".join([op, text, *shapes, numbers(y.detach()), numbers(x.grad), numbers(w.grad if w is not None else None)]))
    return True


def each(n, *choices):
    return [pick(*choices) for _ in range(n)]


def text(numbers):
    return "x".join(map(str, numbers))


CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}
MAX = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
AVG = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
ADAPTIVE_MAX = {1: F.adaptive_max_pool1d, 2: F.adaptive_max_pool2d, 3: F.adaptive_max_pool3d}
ADAPTIVE_AVG = {1: F.adaptive_avg_pool1d, 2: F.adaptive_avg_pool2d, 3: F.adaptive_avg_pool3d}


def convolution(transposed):
    n = pick(1, 1, 2, 2, 2, 3)
    groups = pick(1, 1, 2, 3)
    inside, outside = pick(1, 2), pick(1, 2)
    size = each(n, 1, 2, 3)
    stride, dilation, padding = each(n, 1, 1, 2, 3), each(n, 1, 1, 2), each(n, 0, 0, 1, 2)
    spatial = each(n, *((1, 2, 3) if transposed else (2, 3, 4, 5)))
    more = pick(0, 0, 1) if transposed and all(s > 1 for s in stride) else 0
    options = {"groups": groups, "stride": text(stride), "dilation": text(dilation), "padding": text(padding), "more": more}
    shape = [pick(1, 2), inside * groups, *spatial]
    if transposed:
        kernel = [inside * groups, outside, *size]
        f = lambda x, w: TRANSPOSED[n](x, w, None, stride, padding, more, groups, dilation)
        return case("conv_transpose", options, shape, kernel, f)
    kernel = [outside * groups, inside, *size]
    return case("conv", options, shape, kernel, lambda x, w: CONV[n](x, w, None, stride, padding, dilation, groups))


def pooling(op):
    n = pick(1, 2, 2, 3)
    size = each(n, 1, 2, 3)
    stride = each(n, 1, 2, 3)
    padding = [pick(0, s // 2) for s in size]
    dilation = each(n, 1, 1, 2) if op == "max_pool" else [1] * n
    shape = [pick(1, 2), pick(1, 2), *each(n, 3, 4, 5)]
    counts = pick(True, False)
    options = {"size": text(size), "stride": text(stride), "padding": text(padding), "dilation": text(dilation), "counts": int(counts)}
    if op == "max_pool":
        return case(op, options, shape, None, lambda x, _: MAX[n](x, size, stride, padding, dilation))
    return case(op, options, shape, None, lambda x, _: AVG[n](x, size, stride, padding, False, counts))


def adaptive(op):
    n = pick(1, 2, 3)
    to = each(n, 1, 2, 3)
    shape = [pick(1, 2), 2, *each(n, 2, 3, 5)]
    f = ADAPTIVE_MAX[n] if op == "adaptive_max_pool" else ADAPTIVE_AVG[n]
    return case(op, {"to": text(to)}, shape, None, lambda x, _: f(x, to))


def resizing():
    n = 2
    to = each(n, 1, 2, 3, 5, 7)
    how = pick("nearest", "linear", "corners", "antialias")
    shape = [1, 2, *each(n, 1, 2, 3, 5, 6)]
    mode = "nearest" if how == "nearest" else "bilinear"
    more = {} if how == "nearest" else {"align_corners": how == "corners", "antialias": how == "antialias"}
    return case("resize", {"to": text(to), "how": how}, shape, None, lambda x, _: F.interpolate(x, to, mode=mode, **more))


def padding():
    around = pick("reflect", "replicate", "circular", "constant")
    shape = [1, 2, pick(3, 4), pick(3, 4, 5)]
    sides = [pick(0, 1, 2) for _ in range(4)]
    options = {"sides": text(sides), "around": around}
    value = {"value": 0.75} if around == "constant" else {}
    return case("pad", options, shape, None, lambda x, _: F.pad(x, sides, mode=around, **value))


def several(count, make):
    while count:
        count -= make()


several(150, lambda: convolution(False))
several(90, lambda: convolution(True))
several(50, lambda: pooling("max_pool"))
several(50, lambda: pooling("avg_pool"))
several(25, lambda: adaptive("adaptive_avg_pool"))
several(25, lambda: adaptive("adaptive_max_pool"))
several(60, resizing)
several(40, padding)
