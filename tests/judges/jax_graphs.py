#!/usr/bin/env python3
"""Random programs with their values and derivatives according to JAX, for `jax.rs` to compare with chainrule.

    pip install jax==0.10.2 safetensors
    python tests/judges/jax_graphs.py tests/judges/data

writes `jax.json`, the programs, and `jax.safetensors`, one flat f64 array a program. Seeded: the same
versions give the same files.

A program is `{"inputs": [shape, ...], "steps": [[op, [argument, ...], {attribute: value}], ...]}`. Arguments
are positions in the list of inputs followed by the results of the steps; the last step is the output y.
Its array holds, one after the other:

    inputs x . tangents t (as x) . cotangent ct (as y) . three examples of each input in "mapped" (3, *x.shape)
    y . jvp (as y) . vjp (as x) . hvp (as x)
    and, if "jacobian" is true, the Jacobian dy/dx of every input, of shape y.shape + x.shape,
    and, if "hessian" is true, the Hessian of s with respect to the first input, of shape x.shape + x.shape,
    and, if "mapped" is not empty, vmap of y, of jvp, and of the gradients of s with respect to every input over
    the examples, other inputs being shared; all with a leading axis of length 3.

The hvp and the Hessian are those of the scalar s = sum(ct * sin(y)), the hvp along t: it has second derivatives
for every program, also for linear ones.

Programs stay where comparison is meaningful: a step is taken back if its values leave +-30, or if it comes
within 1e-2 of a kink, a tie or the edge of its domain; a program if a derivative exceeds 1e6, or if a function
saturates so far that its derivative has lost its digits.
"""
import argparse
import json
import pathlib
import random

import numpy as np
from safetensors.numpy import save_file

from jax_judge import judge
from jax_ops import OPS, NumPy, Refused, clearance

PROGRAMS = 400
CLEAR = 1e-2  # distance from kinks, ties and domain edges
SATURATING = "tanh sigmoid erf softplus gelu silu mish".split()


POINTWISE = [
    *("neg abs sqrt rsqrt exp expm1 ln ln_1p sin cos tanh sigmoid softplus erf relu leaky_relu square".split()),
    *("tanh sigmoid scale shift stop_gradient tan asin acos atan sinh cosh asinh acosh atanh".split()),
    *("gelu elu selu celu silu mish softsign".split()),
]
PAIRWISE = "add sub mul div pow maximum minimum".split()
ALONG = "prod logsumexp softmax log_softmax flip slice_step pad cumsum cumprod sort top_k".split()
OVER = "sum max min mean var".split()
OTHER = "matmul select reshape permute broadcast_to expand concat stack norm".split()
INDEX = "take take_along_axis scatter_add scatter_add_along_axis".split()
MATRIX = "tril triu diagonal trace einsum einsum einsum".split()
SQUARE = "solve solve_lower solve_upper inverse cholesky logdet det".split()


def broadcasts(shape, to):
    """Whether a shape broadcasts to another."""
    return len(shape) <= len(to) and all(m in (1, n) for m, n in zip(reversed(shape), reversed(to)))


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

    def near(self, mapped):
        """Three examples of each input in `mapped`, so near to its values that the program stays where it is smooth."""
        reach = 0.3
        while reach > 1e-3:
            by = lambda i: self.np_rng.uniform(-reach, reach, (3, *self.values[i].shape))
            examples = {i: self.values[i] + by(i) for i in mapped}
            if all(self.smooth({i: v[k] for i, v in examples.items()}) for k in range(3)):
                return [examples[i] for i in mapped]
            reach /= 2
        raise Refused

    def carry_out(self, m, inputs):
        """The output for these inputs."""
        values = list(inputs)
        for op, args, attributes in self.steps:
            values.append(OPS[op](m, [values[i] for i in args], attributes))
        return values[-1]

    def smooth(self, instead):
        """Whether the program stays clear of kinks and edges with these inputs."""
        values = [instead.get(i, v) for i, v in enumerate(self.values[: len(self.inputs)])]
        for op, args, attributes in self.steps:
            x = [values[i] for i in args]
            with np.errstate(all="ignore"):
                if clearance(op, x, attributes) < CLEAR or op in SATURATING and np.any(np.abs(x[0]) > 4):
                    return False
                try:
                    values.append(np.asarray(OPS[op](NumPy, x, attributes)))
                except np.linalg.LinAlgError:
                    return False
        return all(np.all(np.abs(v) < 30) for v in values)

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
        if op in ("sort", "top_k"):
            i = self.pick(some)
            axis = self.axis(i)
            k = dict(k=rng.randint(1, self.values[i].shape[axis])) if op == "top_k" else {}
            return self.add(op, [i], axis=axis, descending=op == "top_k" or rng.random() < 0.5, **k)
        if op in INDEX:
            return self.index(op)
        if op in ("tril", "triu"):
            return self.add(op, [self.pick(lambda v: v.ndim >= 2)], k=rng.randint(-1, 1))
        if op in ("diagonal", "trace"):
            return self.add(op, [self.square_matrix()])
        if op in SQUARE:
            return self.linear_algebra(op)
        if op in ("logsumexp", "softmax", "log_softmax", "prod", "flip", "cumsum", "cumprod"):
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

    def index(self, op):
        rng = self.rng
        i = self.pick(lambda v: v.ndim >= 1 and v.size > 0)
        axis = self.axis(i)
        own = list(self.values[i].shape)
        n = own[axis]
        picks = lambda count: [rng.randint(-n, n - 1) for _ in range(count)]
        if op.endswith("along_axis"):
            axis = axis % len(own)
            shape = [rng.randint(1, 3) if k == axis else length for k, length in enumerate(own)]
            updates = shape
        else:
            shape = [rng.randint(1, 3) for _ in range(rng.choice([0, 1, 1, 2]))]
            updates = own[: axis % len(own)] + shape + own[axis % len(own) + 1 :]
        attributes = dict(axis=axis, index=picks(int(np.prod(shape))), shape=shape)
        if op.startswith("take"):
            return self.add(op, [i], **attributes)
        # Updates of the right shape: a value that broadcasts to it.
        fits = [j for j, v in enumerate(self.values) if broadcasts(v.shape, updates)]
        j = self.add("broadcast_to", [self.rng.choice(fits)] if fits else [self.scalar()], shape=updates)
        return self.add(op, [i, j], **attributes)

    def scalar(self):
        i = self.pick(lambda v: v.size > 0)
        return self.add("mean", [i], axes=list(range(self.values[i].ndim))) if self.values[i].ndim else i

    def square_matrix(self):
        i = self.pick(lambda v: v.ndim >= 2 and 0 < v.shape[-1] <= 3 and v.shape[-2] > 0)
        shape = self.values[i].shape
        if shape[-1] == shape[-2]:
            return i
        axes = [*range(len(shape) - 2), len(shape) - 1, len(shape) - 2]
        return self.add("matmul", [self.add("permute", [i], axes=axes), i])

    def linear_algebra(self, op):
        """On matrices made regular: tanh, and something on the diagonal."""
        i = self.add("tanh", [self.square_matrix()])
        if op == "cholesky":
            rank = self.values[i].ndim
            i = self.add("matmul", [i, self.add("permute", [i], axes=[*range(rank - 2), rank - 1, rank - 2])])
        i = self.add("ridge", [i], by=self.rng.choice([1.5, 2.0, 2.5]))
        if not op.startswith("solve"):
            return self.add(op, [i])
        shape = self.values[i].shape
        plain = op != "solve"  # triangular systems of NumPy have no batch
        if plain and len(shape) > 2:
            raise Refused
        fits = lambda v: v.ndim >= 2 and v.shape[-2] == shape[-1] and (v.ndim == len(shape) or v.ndim == 2)
        return self.add(op, [i, self.pick(lambda v: fits(v) and (not plain or v.ndim == 2))])

    def einsum(self):
        """One or two values with random letters, equal where lengths are, and a random choice of them kept."""
        rng, letters = self.rng, iter("ijklmnopq")
        args = [self.pick(lambda v: v.ndim >= 1) for _ in range(rng.choice([1, 2, 2]))]
        lengths, words = {}, []
        for i in args:
            word = ""
            for n in self.values[i].shape:
                known = [c for c, length in lengths.items() if length == n]
                repeated = known and rng.random() < (0.7 if words else 0.15)
                letter = rng.choice(known) if repeated else next(letters)
                lengths[letter] = n
                word += letter
            words.append(word)
        kept = [c for c in lengths if rng.random() < 0.5]
        rng.shuffle(kept)
        return self.add("einsum", args, spec=",".join(words) + "->" + "".join(kept))

    def norm(self):
        return self.add("norm", [self.pick(lambda v: v.size > 0)])


def grow(seed):
    rng = random.Random(seed)
    program = Program(rng)
    wanted = rng.randint(3, 9)
    families = [POINTWISE, POINTWISE, PAIRWISE, PAIRWISE, ALONG, OVER, OTHER, INDEX, MATRIX, SQUARE]
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
    if not program.smooth({}):
        raise Refused
    return program


def make(seed):
    program = grow(seed)
    flat, facts = judge(program)
    return dict(inputs=program.inputs, steps=program.steps, **facts), flat


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
