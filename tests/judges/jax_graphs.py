#!/usr/bin/env python3
"""Random programs with their values and derivatives according to JAX, for `jax.rs` to compare with chainrule.

    pip install jax==0.10.2 safetensors
    python tests/judges/jax_graphs.py tests/judges/data

writes `jax.json`, the programs, and `jax.safetensors`, one flat f64 array a program. Seeded: the same
versions give the same files.

A program is `{"inputs": [shape, ...], "steps": [[op, [argument, ...], {attribute: value}], ...]}`. Arguments
are positions in the list of inputs followed by the results of the steps; the last step is the output y.
Its array holds, one after the other:

    inputs x . tangents t (as x) . cotangent ct (as y) . y . jvp (as y) . vjp (as x) . hvp (as x)
    and, if "jacobian" is true, the Jacobian dy/dx of every input, of shape y.shape + x.shape.

The hvp is that of the scalar sum(ct * sin(y)) along t: it has second derivatives of every program, also of
linear ones.

Programs stay where comparison is meaningful: a step is taken back if its values leave +-30, or if it comes
within 1e-2 of a kink, a tie or the edge of its domain; a program if a derivative exceeds 1e6.
"""
import argparse
import json
import pathlib
import random

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg
import scipy.special
from safetensors.numpy import save_file

jax.config.update("jax_enable_x64", True)

PROGRAMS = 320
CLEAR = 1e-2  # distance from kinks, ties and domain edges
JACOBIAN = 150  # most elements of one Jacobian


class NumPy:
    """How the functions whose names differ are called while a program grows."""

    np = np
    sigmoid, erf = staticmethod(scipy.special.expit), staticmethod(scipy.special.erf)
    logsumexp = staticmethod(scipy.special.logsumexp)
    softmax, log_softmax = staticmethod(scipy.special.softmax), staticmethod(scipy.special.log_softmax)
    softplus = staticmethod(lambda x: np.logaddexp(x, 0.0))
    relu = staticmethod(lambda x: np.maximum(x, 0.0))
    leaky_relu = staticmethod(lambda x: np.where(x >= 0, x, 0.01 * x))
    rsqrt = staticmethod(lambda x: 1 / np.sqrt(x))
    stop_gradient = staticmethod(lambda x: x)


class Jax:
    """The same, for the judgement."""

    np = jnp
    sigmoid, erf = jax.nn.sigmoid, jax.scipy.special.erf
    logsumexp, softmax, log_softmax = jax.scipy.special.logsumexp, jax.nn.softmax, jax.nn.log_softmax
    softplus, relu, leaky_relu = jax.nn.softplus, jax.nn.relu, jax.nn.leaky_relu
    rsqrt, stop_gradient = jax.lax.rsqrt, jax.lax.stop_gradient


def slices(x, a):
    index = [slice(None)] * x.ndim
    index[a["axis"]] = slice(a["start"], a["end"], a["step"])
    return x[tuple(index)]


def pads(x, a):
    return [(a["before"], a["after"]) if i == a["axis"] else (0, 0) for i in range(x.ndim)]


# name: function of the library, the arguments and the attributes. The names are chainrule's.
OPS = {
    "neg": lambda m, x, a: -x[0],
    "abs": lambda m, x, a: m.np.abs(x[0]),
    "sqrt": lambda m, x, a: m.np.sqrt(x[0]),
    "rsqrt": lambda m, x, a: m.rsqrt(x[0]),
    "exp": lambda m, x, a: m.np.exp(x[0]),
    "expm1": lambda m, x, a: m.np.expm1(x[0]),
    "ln": lambda m, x, a: m.np.log(x[0]),
    "ln_1p": lambda m, x, a: m.np.log1p(x[0]),
    "sin": lambda m, x, a: m.np.sin(x[0]),
    "cos": lambda m, x, a: m.np.cos(x[0]),
    "tanh": lambda m, x, a: m.np.tanh(x[0]),
    "sigmoid": lambda m, x, a: m.sigmoid(x[0]),
    "softplus": lambda m, x, a: m.softplus(x[0]),
    "erf": lambda m, x, a: m.erf(x[0]),
    "relu": lambda m, x, a: m.relu(x[0]),
    "leaky_relu": lambda m, x, a: m.leaky_relu(x[0]),
    "square": lambda m, x, a: m.np.square(x[0]),
    "stop_gradient": lambda m, x, a: m.stop_gradient(x[0]),
    "scale": lambda m, x, a: x[0] * a["by"],
    "shift": lambda m, x, a: x[0] + a["by"],
    "add": lambda m, x, a: x[0] + x[1],
    "sub": lambda m, x, a: x[0] - x[1],
    "mul": lambda m, x, a: x[0] * x[1],
    "div": lambda m, x, a: x[0] / x[1],
    "pow": lambda m, x, a: x[0] ** x[1],
    "maximum": lambda m, x, a: m.np.maximum(x[0], x[1]),
    "minimum": lambda m, x, a: m.np.minimum(x[0], x[1]),
    "select": lambda m, x, a: m.np.where(x[0] < x[1], x[2], x[3]),
    "matmul": lambda m, x, a: m.np.matmul(x[0], x[1]),
    "sum": lambda m, x, a: m.np.sum(x[0], axis=tuple(a["axes"])),
    "max": lambda m, x, a: m.np.max(x[0], axis=tuple(a["axes"])),
    "min": lambda m, x, a: m.np.min(x[0], axis=tuple(a["axes"])),
    "mean": lambda m, x, a: m.np.mean(x[0], axis=tuple(a["axes"])),
    "var": lambda m, x, a: m.np.var(x[0], axis=tuple(a["axes"])),
    "prod": lambda m, x, a: m.np.prod(x[0], axis=a["axis"]),
    "norm": lambda m, x, a: m.np.sqrt(m.np.sum(m.np.square(x[0]))),
    "logsumexp": lambda m, x, a: m.logsumexp(x[0], axis=a["axis"]),
    "softmax": lambda m, x, a: m.softmax(x[0], axis=a["axis"]),
    "log_softmax": lambda m, x, a: m.log_softmax(x[0], axis=a["axis"]),
    "reshape": lambda m, x, a: m.np.reshape(x[0], a["shape"]),
    "permute": lambda m, x, a: m.np.transpose(x[0], a["axes"]),
    "broadcast_to": lambda m, x, a: m.np.broadcast_to(x[0], a["shape"]),
    "expand": lambda m, x, a: m.np.expand_dims(x[0], a["axis"]),
    "slice_step": lambda m, x, a: slices(x[0], a),
    "pad": lambda m, x, a: m.np.pad(x[0], pads(x[0], a)),
    "concat": lambda m, x, a: m.np.concatenate(x, axis=a["axis"]),
    "stack": lambda m, x, a: m.np.stack(x, axis=a["axis"]),
    "flip": lambda m, x, a: m.np.flip(x[0], a["axis"]),
}

POINTWISE = [
    *("neg abs sqrt rsqrt exp expm1 ln ln_1p sin cos tanh sigmoid softplus erf relu leaky_relu square".split()),
    *("tanh sigmoid scale shift stop_gradient".split()),
]
PAIRWISE = "add sub mul div pow maximum minimum".split()
ALONG = "prod logsumexp softmax log_softmax flip slice_step pad".split()
OVER = "sum max min mean var".split()
OTHER = "matmul select reshape permute broadcast_to expand concat stack norm".split()


def apart(x, axis):
    """Least distance between neighbours in value along an axis."""
    gaps = np.diff(np.sort(x, axis=axis), axis=axis)
    return gaps.min(initial=np.inf)


def clearance(op, x, a):
    """How far the arguments are from where `op` is not smooth or not defined."""
    least = lambda v: np.min(v, initial=np.inf)
    if op in ("abs", "relu", "leaky_relu"):
        return least(np.abs(x[0]))
    if op in ("sqrt", "rsqrt", "ln", "pow"):
        return least(x[0]) - 0.1
    if op == "ln_1p":
        return least(x[0] + 0.8)
    if op == "div":
        return least(np.abs(x[1])) - 0.1
    if op in ("maximum", "minimum", "select"):
        return least(np.abs(x[0] - x[1]))
    if op in ("max", "min"):
        axes = tuple(a["axes"])
        kept = [i for i in range(x[0].ndim) if i not in axes]
        rows = np.transpose(x[0], (*kept, *axes))
        return apart(rows.reshape(*rows.shape[: len(kept)], int(np.prod([x[0].shape[i] for i in axes]))), -1)
    if op == "norm":
        return np.sqrt(np.sum(x[0] ** 2)) - 0.1
    return np.inf


class Refused(Exception):
    """This operation does not fit these values."""


class Program:
    """A program that grows step by step while its values are looked at."""

    def __init__(self, rng):
        self.rng = rng
        self.np_rng = np.random.default_rng(rng.getrandbits(32))
        rank = rng.choice([0, 1, 2, 2, 2, 3, 3])
        base = [self.length() for _ in range(rank)]
        self.inputs = [base]
        for _ in range(rng.choice([0, 1, 1, 2])):
            # Shapes that broadcast with the first: some axes left out in front, some of length 1.
            shape = base[rng.randint(0, rank) if rng.random() < 0.3 else 0 :]
            self.inputs.append([1 if rng.random() < 0.2 else n for n in shape])
        low, high = rng.choice([(-1.5, 1.5), (0.3, 1.8)])
        self.values = [self.np_rng.uniform(low, high, shape) for shape in self.inputs]
        self.steps = []
        self.unused = set(range(len(self.values)))

    def length(self):
        return self.rng.choice([0, 1, 1, 2, 2, 3, 3, 4]) if self.rng.random() < 0.35 else self.rng.choice([2, 3])

    def pick(self, fits=lambda v: True):
        """A value that fits, rather one not yet used."""
        all_fit = [i for i, v in enumerate(self.values) if fits(v)]
        if not all_fit:
            raise Refused
        fresh = [i for i in all_fit if i in self.unused]
        last = [i for i in all_fit if i >= len(self.values) - 2]
        return self.rng.choice(fresh if fresh and self.rng.random() < 0.7 else last or all_fit)

    def add(self, op, args, **attributes):
        x = [self.values[i] for i in args]
        with np.errstate(all="ignore"):
            try:
                if clearance(op, x, attributes) < CLEAR:
                    raise Refused
                y = np.asarray(OPS[op](NumPy, x, attributes), dtype=np.float64)
            except (ValueError, np.linalg.LinAlgError) as why:
                raise Refused from why
        if y.size > 48 or not np.all(np.abs(y) < 30) or (y.size and y.size < 3 and np.all(y == 0)):
            raise Refused
        self.values.append(y)
        self.steps.append([op, args, attributes])
        self.unused -= set(args)
        self.unused.add(len(self.values) - 1)
        return len(self.values) - 1

    def gather_loose_ends(self):
        """Lets the last value depend on every other, so that no step is in vain."""
        last = len(self.values) - 1
        for i in sorted(self.unused - {last}):
            v = self.values[i]
            if v.ndim:
                i = self.add("mean" if v.size else "sum", [i], axes=list(range(v.ndim)))
            i = self.add(self.rng.choice(["sin", "tanh", "softplus"]), [i])
            last = self.add(self.rng.choice(["add", "mul"]), [last, i])

    def axis(self, i):
        rank = self.values[i].ndim
        if rank == 0:
            raise Refused
        axis = self.rng.randrange(rank)
        return axis - rank if self.rng.random() < 0.3 else axis

    def grow(self, op):
        rng = self.rng
        some = lambda v: v.size > 0
        if op in ("scale", "shift"):
            return self.add(op, [self.pick()], by=rng.choice([-1.5, -0.7, 0.25, 0.5, 1.25]))
        if op in POINTWISE:
            return self.add(op, [self.pick()])
        if op in PAIRWISE:
            return self.add(op, [self.pick(), self.pick()])
        if op in ("logsumexp", "softmax", "log_softmax", "prod", "flip"):
            i = self.pick(some)
            return self.add(op, [i], axis=self.axis(i))
        if op == "slice_step":
            i = self.pick()
            axis = self.axis(i)
            n = self.values[i].shape[axis]
            start = rng.randint(0, n)
            return self.add(op, [i], axis=axis, start=start, end=rng.randint(start, n), step=rng.choice([1, 1, 2, 3]))
        if op == "pad":
            i = self.pick()
            axis = self.axis(i) % self.values[i].ndim
            return self.add(op, [i], axis=axis, before=rng.randint(0, 2), after=rng.randint(0, 1))
        if op in OVER:
            i = self.pick(some if op != "sum" else lambda v: True)
            rank = self.values[i].ndim
            if rank == 0:
                raise Refused
            return self.add(op, [i], axes=sorted(rng.sample(range(rank), rng.randint(1, rank))))
        return getattr(self, op)()

    def matmul(self):
        i = self.pick(lambda v: v.ndim >= 2)
        n = self.values[i].shape[-1]
        fits = [j for j, v in enumerate(self.values) if v.ndim >= 2 and v.shape[-2] == n]
        if fits:
            return self.add("matmul", [i, self.rng.choice(fits)])
        j = self.pick(lambda v: v.ndim >= 2 and v.shape[-1] == n)
        axes = [*range(self.values[j].ndim - 2), self.values[j].ndim - 1, self.values[j].ndim - 2]
        return self.add("matmul", [i, self.add("permute", [j], axes=axes)])

    def select(self):
        return self.add("select", [self.pick(), self.pick(), self.pick(), self.pick()])

    def reshape(self):
        i = self.pick()
        factors, left = [], self.values[i].size
        while left > 1:
            p = next(p for p in (2, 3, 5, 7, left) if left % p == 0)
            factors.append(p)
            left //= p
        self.rng.shuffle(factors)
        shape = [0] if self.values[i].size == 0 else []
        for p in factors:
            if shape and self.rng.random() < 0.4:
                shape[-1] *= p
            else:
                shape.append(p)
        if self.rng.random() < 0.3:
            shape.insert(self.rng.randint(0, len(shape)), 1)
        return self.add("reshape", [i], shape=shape)

    def permute(self):
        i = self.pick(lambda v: v.ndim >= 2)
        axes = list(range(self.values[i].ndim))
        self.rng.shuffle(axes)
        return self.add("permute", [i], axes=axes)

    def broadcast_to(self):
        i = self.pick()
        shape = [self.rng.randint(1, 3) if n == 1 else n for n in self.values[i].shape]
        return self.add("broadcast_to", [i], shape=([2] if self.rng.random() < 0.5 else []) + shape)

    def expand(self):
        i = self.pick()
        return self.add("expand", [i], axis=self.rng.randint(0, self.values[i].ndim))

    def concat(self):
        i = self.pick(lambda v: v.ndim >= 1)
        axis = self.axis(i) % self.values[i].ndim
        rest = lambda v: v.shape[:axis] + v.shape[axis + 1 :]
        j = self.pick(lambda v: v.ndim == self.values[i].ndim and rest(v) == rest(self.values[i]))
        return self.add("concat", [i, j, i] if self.rng.random() < 0.2 else [i, j], axis=axis)

    def stack(self):
        i = self.pick()
        j = self.pick(lambda v: v.shape == self.values[i].shape)
        return self.add("stack", [i, j], axis=self.rng.randint(0, self.values[i].ndim))

    def norm(self):
        return self.add("norm", [self.pick(lambda v: v.size > 0)])


def judge(program):
    """The array of a program, as JAX has it."""
    steps, rng = program.steps, program.np_rng
    x = program.values[: len(program.inputs)]
    y = program.values[-1]
    t = [rng.uniform(-1, 1, v.shape) for v in x]
    ct = rng.uniform(-1, 1, y.shape)
    jacobian = all(0 < y.size * v.size <= JACOBIAN for v in x)

    def f(*inputs):
        values = list(inputs)
        for op, args, attributes in steps:
            values.append(OPS[op](Jax, [values[i] for i in args], attributes))
        return values[-1]

    def everything(x, t, ct):
        every = tuple(range(len(x)))
        scalar = lambda *x: jnp.sum(ct * jnp.sin(f(*x)))
        y, jvp = jax.jvp(f, x, t)
        _, hvp = jax.jvp(jax.grad(scalar, argnums=every), x, t)
        vjp = jax.vjp(f, *x)[1](ct)
        jac = jax.jacobian(f, argnums=every)(*x) if jacobian else ()
        return [y, jvp, *vjp, *hvp, *jac]

    found = jax.jit(everything)(tuple(x), tuple(t), ct)
    arrays = [np.asarray(v, dtype=np.float64).ravel() for v in [*x, *t, ct, *found]]
    flat = np.concatenate(arrays)
    if not np.all(np.abs(flat) < 1e6):
        raise Refused
    if y.size and not any(np.any(a) for a in arrays[2 * len(x) + 2 :]):
        raise Refused  # nothing but zeros judges nothing
    return flat, jacobian


def make(seed):
    rng = random.Random(seed)
    program = Program(rng)
    wanted = rng.randint(3, 9)
    families = [POINTWISE, POINTWISE, PAIRWISE, PAIRWISE, ALONG, OVER, OTHER, OTHER]
    for _ in range(200):
        if len(program.steps) >= wanted:
            break
        mark = len(program.steps), set(program.unused)
        try:
            program.grow(rng.choice(rng.choice(families)))
        except Refused:
            del program.steps[mark[0] :], program.values[len(program.inputs) + mark[0] :]
            program.unused = mark[1]
    if len(program.steps) < wanted:
        raise Refused
    program.gather_loose_ends()
    flat, jacobian = judge(program)
    return dict(inputs=program.inputs, steps=program.steps, jacobian=jacobian), flat


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--programs", type=int, default=PROGRAMS)
    args = parser.parse_args()
    programs, arrays, seed = [], {}, 0
    while len(programs) < args.programs:
        try:
            program, flat = make(seed)
            arrays[str(len(programs))] = flat
            programs.append(program)
        except Refused:
            pass
        seed += 1
    args.out.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(p, separators=(",", ":")) for p in programs)
    (args.out / "jax.json").write_text(f"[\n{lines}\n]\n")
    save_file(arrays, str(args.out / "jax.safetensors"))
    used = {}
    for op in (step[0] for p in programs for step in p["steps"]):
        used[op] = used.get(op, 0) + 1
    print(f"{len(programs)} programs of {seed} seeds, {sum(a.nbytes for a in arrays.values())} bytes, {used}")
    print("never used:", sorted(set(OPS) - set(used)))


if __name__ == "__main__":
    main()
