"""Writes the tables in this folder: inputs over the whole range, and outputs of 300 bits rounded once.

pip install mpmath; python make.py
"""

import random
import struct

from mpmath import mp, mpf

mp.prec = 300

WIDTHS = {"np.float32": ("<f", "<I", 8, 3.4e38), "np.float64": ("<d", "<Q", 16, 1.7e308)}


def bits(value, width):
    float_code, int_code, digits, _ = WIDTHS[width]
    return f"0x{struct.unpack(int_code, struct.pack(float_code, value))[0]:0{digits}x}"


def rounded(exact, width):
    """The nearest float of an exact number, ties to even, subnormals included."""
    if exact == 0:
        return 0.0
    precision, least = (24, -149) if width == "np.float32" else (53, -1074)
    exponent = int(mp.floor(mp.log(abs(exact), 2)))
    while mpf(2) ** (exponent + 1) <= abs(exact):
        exponent += 1
    while mpf(2) ** exponent > abs(exact):
        exponent -= 1
    unit = max(exponent - precision + 1, least)
    return float(mp.ldexp(mp.nint(mp.ldexp(exact, -unit)), unit))


def single(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


FUNCTIONS = {
    "logistic": (lambda x: 1 / (1 + mp.exp(-x)), -800, 60, True),
    "softplus": (lambda x: mp.log1p(mp.exp(x)), -800, 900, True),
    "erf": (mp.erf, -7, 7, True),
    "rsqrt": (lambda x: 1 / mp.sqrt(x), 0, 1000, False),
    "sqrt": (mp.sqrt, 0, 1000, False),
}


def inputs(first, last, negative, width, draw):
    bottom, top = (-44, 38) if width == "np.float32" else (-320, 308)
    if width == "np.float32" and first < -110:
        first, last = -110, min(last, 120)
    xs = [draw.uniform(first, last) for _ in range(120)]
    xs += [draw.uniform(-2 if negative else 0, 2) for _ in range(80)]
    wide = [draw.uniform(1, 9) * 10.0 ** draw.randint(bottom, top - 1) for _ in range(100)]
    xs += wide + ([-x for x in wide] if negative else [])
    xs = [single(x) if width == "np.float32" else x for x in xs]
    return sorted({x for x in xs if x != 0})


for name, (function, first, last, negative) in FUNCTIONS.items():
    draw = random.Random(name)
    with open(f"{name}.csv", "w") as table:
        table.write("dtype,input,output,ulperrortol\n")
        for width in WIDTHS:
            for x in inputs(first, last, negative, width, draw):
                # Far out the functions are 0, 1, x or ±1 to more digits than any float has.
                near = max(min(mpf(x), mpf(2000)), mpf(-2000)) if negative else mpf(x)
                exact = mpf(x) if name == "softplus" and x > 2000 else function(near)
                y = rounded(exact, width)
                if abs(y) < WIDTHS[width][3]:
                    table.write(f"{width},{bits(x, width)},{bits(y, width)},4\n")
