"""Values and slopes of functions of one number at 300 bits: `python exact.py > exact.csv` (needs mpmath).

Each row: function, x (a number of 32 bits, so exact in both widths), value, slope; 21 digits.
"""

import struct

import mpmath as m

m.mp.prec = 300
PI = m.pi
SELU = (m.mpf("1.0507009873554804934193349852946"), m.mpf("1.6732632423543772848170429916717"))


def single(x):
    return struct.unpack("f", struct.pack("f", float(x)))[0]


def sigma(x):
    return 1 / (1 + m.exp(-x))


def phi(x):
    return m.erfc(-x / m.sqrt(2)) / 2


def density(x):
    return m.exp(-x * x / 2) / m.sqrt(2 * PI)


def elu(x):
    return x if x > 0 else m.expm1(x)


def softplus(x):
    return m.log1p(m.exp(x))


def mish_slope(x):
    t = m.tanh(softplus(x))
    return t + x * (1 - t * t) * sigma(x)


def gelu_tanh(x):
    return x * sigma(2 * m.sqrt(2 / PI) * (x + m.mpf("0.044715") * x**3))


def gelu_tanh_slope(x):
    c, a = 2 * m.sqrt(2 / PI), m.mpf("0.044715")
    s = sigma(c * (x + a * x**3))
    return s + x * s * sigma(-c * (x + a * x**3)) * c * (1 + 3 * a * x * x)


WIDE = [-3e38, -1e30, -1e10, -1e4]
FUNCTIONS = {
    # name: value, slope, least and greatest x
    "exp": (m.exp, m.exp, -87, 88),
    "expm1": (m.expm1, m.exp, -87, 88),
    "ln": (m.log, lambda x: 1 / x, 1e-37, 3e38),
    "ln_1p": (m.log1p, lambda x: 1 / (1 + x), -0.99, 3e38),
    "sqrt": (m.sqrt, lambda x: 1 / (2 * m.sqrt(x)), 1e-37, 3e38),
    "rsqrt": (lambda x: 1 / m.sqrt(x), lambda x: -1 / (2 * x * m.sqrt(x)), 1e-24, 3e24),
    "sin": (m.sin, m.cos, -1e5, 1e5),
    "cos": (m.cos, lambda x: -m.sin(x), -1e5, 1e5),
    "tan": (m.tan, lambda x: 1 / m.cos(x) ** 2, -1.5, 1.5),
    "asin": (m.asin, lambda x: 1 / m.sqrt(1 - x * x), -0.999, 0.999),
    "acos": (m.acos, lambda x: -1 / m.sqrt(1 - x * x), -0.999, 0.999),
    "atan": (m.atan, lambda x: 1 / (1 + x * x), -1e18, 1e18),
    "sinh": (m.sinh, m.cosh, -88, 88),
    "cosh": (m.cosh, m.sinh, -88, 88),
    "tanh": (m.tanh, lambda x: 1 - m.tanh(x) ** 2, -6, 6),
    "asinh": (m.asinh, lambda x: 1 / m.sqrt(1 + x * x), -3e38, 3e38),
    "acosh": (m.acosh, lambda x: 1 / m.sqrt((x - 1) * (x + 1)), 1.0001, 3e38),
    "atanh": (m.atanh, lambda x: 1 / ((1 - x) * (1 + x)), -0.999, 0.999),
    "sigmoid": (sigma, lambda x: sigma(x) * sigma(-x), -80, 10),
    "softplus": (softplus, sigma, -80, 1e30),
    "erf": (m.erf, lambda x: 2 / m.sqrt(PI) * m.exp(-x * x), -5, 5),
    "erfc": (m.erfc, lambda x: -2 / m.sqrt(PI) * m.exp(-x * x), -5, 9),
    "relu": (lambda x: max(x, 0), lambda x: 1 if x >= 0 else 0, -3e38, 3e38),
    "elu": (elu, lambda x: 1 if x > 0 else m.exp(x), -80, 1e30),
    "selu": (
        lambda x: SELU[0] * (x if x > 0 else SELU[1] * m.expm1(x)),
        lambda x: SELU[0] * (1 if x > 0 else SELU[1] * m.exp(x)),
        -80,
        1e30,
    ),
    "gelu": (lambda x: x * phi(x), lambda x: phi(x) + x * density(x), -12, 1e30),
    "gelu_tanh": (gelu_tanh, gelu_tanh_slope, -9, 1e10),
    "silu": (lambda x: x * sigma(x), lambda x: sigma(x) * (1 + x * sigma(-x)), -80, 1e30),
    "mish": (lambda x: x * m.tanh(softplus(x)), mish_slope, -40, 40),
    "softsign": (lambda x: x / (1 + abs(x)), lambda x: 1 / (1 + abs(x)) ** 2, -1e18, 1e18),
    "log_softmax of x and 0": (lambda x: -softplus(-x), lambda x: sigma(-x), -1e30, 80),
    "logsumexp of x and 0": (softplus, sigma, -80, 1e30),
    "cross-entropy of logits x and 0": (lambda x: softplus(-x), lambda x: -sigma(-x), -1e30, 80),
    "binary cross-entropy with logits": (
        lambda x: m.mpf(1) / 4 * softplus(-x) + m.mpf(3) / 4 * softplus(x),
        lambda x: m.mpf(3) / 4 * sigma(x) - m.mpf(1) / 4 * sigma(-x),
        -1e30,
        1e30,
    ),
    "x to the power 2.5": (lambda x: x ** m.mpf("2.5"), lambda x: m.mpf("2.5") * x ** m.mpf("1.5"), 1e-15, 1e15),
    "2.5 to the power x": (lambda x: m.mpf("2.5") ** x, lambda x: m.log(m.mpf("2.5")) * m.mpf("2.5") ** x, -90, 90),
}


def points(low, high):
    """Magnitudes from 1e-30 up, evenly by logarithm, of both signs; and evenly between the ends."""
    found = set()
    for k in range(-30, 39):
        for sign in (1, -1):
            for digits in (1, 2.7):
                found.add(single(sign * digits * 10.0**k) if digits * 10.0**k < 3.4e38 else 0.0)
    width = min(high, 100) - max(low, -100)
    for i in range(60):
        found.add(single(max(low, -100) + width * (i + 0.37) / 60))
    return sorted(x for x in found if low <= x <= high)


def main():
    for name, (value, slope, low, high) in FUNCTIONS.items():
        for x in points(low, high)[:: 2 if len(points(low, high)) > 150 else 1]:
            exact = m.mpf(x)
            print(f"{name},{x!r},{m.nstr(value(exact), 21)},{m.nstr(slope(exact), 21)}")


main()
