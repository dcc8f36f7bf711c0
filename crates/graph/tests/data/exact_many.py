"""Values and slopes of functions of many numbers at 300 bits: `python exact_many.py > exact_many.csv` (needs mpmath).

Each row: function, base and step of the numbers, value, slope in the first, middle, and last of them; 21 digits.
The i-th of 1,000 numbers is base + step · ((7919 i + 13) mod 1009), exact at 32 bits by the choice of both.
"""

import mpmath as m

m.mp.prec = 300
N = 1000
AT = (0, N // 2, N - 1)


def mean(x):
    return m.fsum(x) / N


def variance(x):
    return m.fsum((v - mean(x)) ** 2 for v in x) / N


def norm(x):
    return m.sqrt(m.fsum(v * v for v in x))


def logsumexp(x):
    return m.log(m.fsum(m.exp(v) for v in x))


def softmax(x, i):
    return m.exp(x[i] - logsumexp(x))


def standard(x, i):
    """The i-th number, standardised, and its slopes (Ioffe and Szegedy 2015)."""
    u, s = mean(x), m.sqrt(variance(x))
    z = lambda j: (x[j] - u) / s
    return z(i), lambda j: ((1 if i == j else 0) - m.mpf(1) / N - z(i) * z(j) / N) / s


def product(x):
    return m.fprod(x)


FUNCTIONS = {
    # name: base, step, value, slope in the j-th
    "sum of positive numbers": (1, 2**-10, m.fsum, lambda x, j: m.mpf(1)),
    "mean far from 0": (4096, 2**-10, mean, lambda x, j: m.mpf(1) / N),
    "variance far from 0": (4096, 2**-10, variance, lambda x, j: 2 * (x[j] - mean(x)) / N),
    "variance near the greatest": (0, 2**50, variance, lambda x, j: 2 * (x[j] - mean(x)) / N),
    "standard deviation far from 0": (
        4096,
        2**-10,
        lambda x: m.sqrt(variance(x)),
        lambda x, j: (x[j] - mean(x)) / N / m.sqrt(variance(x)),
    ),
    "standardised far from 0": (4096, 2**-10, lambda x: standard(x, 0)[0], lambda x, j: standard(x, 0)[1](j)),
    "norm": (1, 2**-10, norm, lambda x, j: x[j] / norm(x)),
    "norm near the greatest": (2**100, 2**100, norm, lambda x, j: x[j] / norm(x)),
    "norm near the least": (2**-100, 2**-110, norm, lambda x, j: x[j] / norm(x)),
    "logsumexp of large logits": (512, 2**-4, logsumexp, lambda x, j: softmax(x, j)),
    "softmax of large logits": (
        512,
        2**-8,
        lambda x: softmax(x, 0),
        lambda x, j: softmax(x, 0) * ((1 if j == 0 else 0) - softmax(x, j)),
    ),
    "log_softmax of large logits": (
        512,
        2**-8,
        lambda x: x[0] - logsumexp(x),
        lambda x, j: (1 if j == 0 else 0) - softmax(x, j),
    ),
    "product": (0.5, 2**-10, product, lambda x, j: product(x) / x[j]),
    "last running sum": (1, 2**-10, m.fsum, lambda x, j: m.mpf(1)),
    "last running product": (0.5, 2**-10, product, lambda x, j: product(x) / x[j]),
    "dot product with itself": (1, 2**-10, lambda x: norm(x) ** 2, lambda x, j: 2 * x[j]),
    "sum of sums over rows": (1, 2**-10, m.fsum, lambda x, j: m.mpf(1)),
    "scatter_add into one place": (1, 2**-10, m.fsum, lambda x, j: m.mpf(1)),
}


def main():
    for name, (base, step, value, slope) in FUNCTIONS.items():
        x = [m.mpf(base) + m.mpf(step) * ((7919 * i + 13) % 1009) for i in range(N)]
        cells = [value(x)] + [slope(x, j) for j in AT]
        print(f"{name},{float(base)!r},{float(step)!r}," + ",".join(m.nstr(c, 21) for c in cells))


main()
