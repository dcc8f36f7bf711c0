#!/usr/bin/env python3
"""Random programs with loops and choices, nested too, and their values and derivatives according to JAX.

    pip install jax==0.10.2 safetensors
    python tests/judges/jax_loops.py tests/judges/data

writes `jax_loops.json` and `jax_loops.safetensors`, of the form that `jax_graphs.py` tells. Some of the steps are

    ["scan", carries, {"slices", "length", "reverse", "keep", "body": {"steps", "carry", "stack"}}]
    ["while", carries, {"by", "most", "body": {"steps", "carry"}}]    as long as the mean of the first carry is below "by"
    ["cond", [x], {"by", "yes": {"steps", "stack"}, "no": ...}]        by whether the mean of x is below "by"

and give several values: last carries, then what is stacked (or chosen). In a body, positions count all values outside
first, which are captured, then its carries, then its slices, then the results of its steps.

JAX has no reverse mode through `while_loop`; its derivatives are taken of a scan of "most" steps which carries on
nothing more when the test fails, after value and jvp of the two were seen to agree.
"""
import argparse
import json
import multiprocessing
import os
import pathlib
import random

os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")  # it compiles far longer than it runs

import jax
import numpy as np
from jax import lax
from safetensors.numpy import load_file, save_file

from jax_graphs import CLEAR, OVER, PAIRWISE, POINTWISE, SATURATING, Program, broadcasts
from jax_judge import judge
from jax_ops import OPS, Jax, NumPy, Refused, clearance

PROGRAMS = 200
DEEPEST = 2
SMOOTH = "sin cos tanh sigmoid softplus square scale shift gelu silu neg".split()
SHAPES = "flip softmax cumsum logsumexp matmul permute select concat stack take expand".split()


class Open(Jax):
    """A while loop as JAX has it."""


def within(m, values, params, body):
    """All values that a body sees and makes."""
    values = [*values, *params]
    carry_out(m, body["steps"], values)
    return values


def below(m, x, by):
    if m is NumPy and abs(np.mean(x) - by) < CLEAR:
        raise Refused
    return m.np.mean(x) < by


def scan(m, values, carries, a):
    slices = [values[i] for i in a["slices"]]

    def step(c, x):
        inside = within(m, values, [*c, *x], a["body"])
        return [inside[i] for i in a["body"]["carry"]], [inside[i] for i in a["body"]["stack"]]

    if m is not NumPy:
        c, stacks = lax.scan(step, carries, slices, length=a["length"], reverse=a["reverse"])
        return [*c, *stacks]
    stacks = {}
    for i in range(a["length"])[:: -1 if a["reverse"] else 1]:
        carries, stacks[i] = step(carries, [x[i] for x in slices])
    return [*carries, *(np.stack(all) for all in zip(*(stacks[i] for i in sorted(stacks))))]


def while_loop(m, values, carries, a):
    def step(c):
        inside = within(m, values, c, a["body"])
        return [inside[i] for i in a["body"]["carry"]]

    goes_on = lambda c: below(m, c[0], a["by"])
    if m is Open:
        return lax.while_loop(goes_on, step, carries)
    if m is Jax:
        bounded = lambda c, _: (lax.cond(goes_on(c), step, lambda c: c, c), None)
        return lax.scan(bounded, carries, None, length=a["most"])[0]
    for _ in range(a["most"]):
        if not goes_on(carries):
            step(carries)  # what is masked is to be smooth as well
            return carries
        carries = step(carries)
    if goes_on(carries):
        raise Refused
    return carries


def cond(m, values, x, a):
    def branch(name):
        inside = within(m, values, [], a[name])
        return [inside[i] for i in a[name]["stack"]]

    test = below(m, x[0], a["by"])
    if m is NumPy:
        yes, no = branch("yes"), branch("no")
        return yes if test else no
    return lax.cond(test, lambda: branch("yes"), lambda: branch("no"))


LOOPS = {"scan": scan, "while": while_loop, "cond": cond}


def carry_out(m, steps, values):
    """Appends the results of the steps. Those of NumPy are refused near kinks and edges."""
    for op, args, a in steps:
        x = [values[i] for i in args]
        if op in LOOPS:
            values.extend(LOOPS[op](m, values, x, a))
            continue
        if m is NumPy and (clearance(op, x, a) < CLEAR or op in SATURATING and np.any(np.abs(x[0]) > 4)):
            raise Refused
        values.append(OPS[op](m, x, a))
        if m is NumPy and not np.all(np.abs(values[-1]) < 30):
            raise Refused


class Looped(Program):
    """A program, or the body of one, in which steps may be loops."""

    def __init__(self, rng, around=None, params=()):
        self.rng, self.around = rng, around
        if around is None:
            super().__init__(rng)
            if any(0 in shape for shape in self.inputs) or sum(v.size for v in self.values) > 24:
                raise Refused
            # Something to slice.
            self.inputs.append([rng.randint(1, 5), *rng.choice([[], [2], [3]])])
            self.values.append(self.np_rng.uniform(-1.2, 1.2, self.inputs[-1]))
            self.unused.add(len(self.values) - 1)
            self.depth = 0
            return
        self.depth = around.depth + 1
        self.inputs, self.steps = [], []
        self.values = [*around.values, *params]
        self.outside = len(around.values)
        self.unused = set(range(self.outside, len(self.values)))

    def add_loop(self, op, args, **a):
        new = LOOPS[op](NumPy, self.values, [self.values[i] for i in args], a)
        new = [np.asarray(v, dtype=np.float64) for v in new]
        if any(v.size > 48 for v in new):
            raise Refused
        self.steps.append([op, args, a])
        self.unused -= {*args, *a.get("slices", [])}
        self.unused |= set(range(len(self.values), len(self.values) + len(new)))
        self.values.extend(new)

    def some(self, wanted):
        mark = len(self.steps), len(self.values), set(self.unused)
        families = [SMOOTH, SMOOTH, PAIRWISE, PAIRWISE, POINTWISE, OVER, SHAPES]
        while wanted:
            loop = self.depth < DEEPEST and self.rng.random() < (0.5 if self.depth == 0 else 0.2)
            try:
                if loop:
                    getattr(self, self.rng.choice(["scan", "scan", "scan", "while_", "cond"]))()
                else:
                    self.grow(self.rng.choice(self.rng.choice(families)))
                mark = len(self.steps), len(self.values), set(self.unused)
                wanted -= 1
            except (Refused, IndexError):
                del self.steps[mark[0] :], self.values[mark[1] :]
                self.unused = set(mark[2])
                if self.rng.random() < 0.02:
                    raise Refused

    def fitted(self, i, shape):
        """A value of this shape made of value `i`."""
        v = self.values[i]
        if not broadcasts(v.shape, shape):
            i = self.add("mean", [i], axes=list(range(v.ndim)))
        return i if self.values[i].shape == tuple(shape) else self.add("broadcast_to", [i], shape=list(shape))

    def advance(self, carry):
        """A new carry of the type of the old one, and not much larger."""
        i = self.fitted(self.pick(lambda v: v.size), self.values[carry].shape)
        i = self.add(self.rng.choice(["add", "sub", "mul"]), [carry, i])
        return self.add(self.rng.choice(["tanh", "sin", "cos"]), [i])

    def body(self, carries, slices=()):
        params = [self.values[i] for i in carries] + [self.values[i][0] for i in slices]
        body = Looped(self.rng, self, params)
        body.some(self.rng.randint(1, 3))
        return body

    def new_carries(self, body, carries):
        places = range(body.outside, body.outside + len(carries))
        new = [body.advance(i) for i in places]
        # Sometimes one stays as it is, or two change places.
        alike = len(new) == 2 and body.values[new[0]].shape == body.values[new[1]].shape
        chance = self.rng.random()
        if len(new) == 2 and chance < 0.1:
            new[1] = places[1]
        elif alike and chance < 0.5:
            new = [places[1], new[0]]
        return new

    def scan(self):
        rng = self.rng
        slices, length = [], rng.randint(1, 5)
        if rng.random() < 0.8:
            slices = [self.pick(lambda v: v.ndim and 0 < v.shape[0] <= 5)]
            length = self.values[slices[0]].shape[0]
            more = [i for i, v in enumerate(self.values) if v.ndim and v.shape[0] == length and i not in slices]
            slices += rng.sample(more, 1) if more and rng.random() < 0.4 else []
        carries = [self.pick(lambda v: 0 < v.size <= 9) for _ in range(rng.choice([1, 1, 2] if slices else [1, 2]))]
        if slices and rng.random() < 0.1:
            carries = []
        body = self.body(carries, slices)
        carry = self.new_carries(body, carries)
        made = [i for i in range(body.outside, len(body.values)) if body.values[i].size * length <= 24]
        stack = rng.sample(made, min(len(made), rng.choice([0, 1, 1, 2]) if carries else 1))
        self.add_loop(
            "scan",
            carries,
            slices=slices,
            length=length,
            reverse=rng.random() < 0.4,
            keep=rng.choice([0, 0, 1, 2, 3, -1]),
            body=dict(steps=body.steps, carry=carry, stack=stack),
        )

    def while_(self):
        carries = [self.pick(lambda v: 0 < v.size <= 9) for _ in range(self.rng.choice([1, 2]))]
        body = self.body(carries)
        # The first carry, which is tested, grows; by how much is computed.
        clock = body.outside
        growth = body.fitted(body.pick(lambda v: v.size), body.values[clock].shape)
        growth = body.add("softplus", [growth])
        carry = [body.add("add", [clock, growth]), *self.new_carries(body, carries)[1:]]
        inside = dict(steps=body.steps, carry=carry)
        steps, c = self.rng.randint(0, 5), [self.values[i] for i in carries]
        for _ in range(steps):
            before = np.mean(c[0])
            all = within(NumPy, self.values, c, inside)
            c = [all[i] for i in carry]
        by = (before + np.mean(c[0])) / 2 if steps else np.mean(c[0]) - 0.1
        self.add_loop("while", carries, by=round(float(by), 3), most=steps + self.rng.randint(1, 3), body=inside)

    def cond(self):
        i = self.pick(lambda v: v.size)
        by = np.mean(self.values[i]) + self.rng.choice([-1, 1]) * self.rng.uniform(0.02, 0.4)
        yes, no = self.body([]), self.body([])
        small = lambda v: 0 < v.size <= 9
        outs = [yes.pick(small) for _ in range(self.rng.choice([1, 1, 2]))]
        other = [no.fitted(no.pick(small), yes.values[i].shape) for i in outs]
        branch = lambda body, stack: dict(steps=body.steps, stack=stack)
        self.add_loop("cond", [i], by=round(float(by), 3), yes=branch(yes, outs), no=branch(no, other))

    def carry_out(self, m, inputs):
        values = list(inputs)
        carry_out(m, self.steps, values)
        return values[-1]

    def smooth(self, instead):
        inputs = [instead.get(i, v) for i, v in enumerate(self.values[: len(self.inputs)])]
        try:
            with np.errstate(all="ignore"):
                self.carry_out(NumPy, inputs)
            return True
        except Refused:
            return False


def loops(steps):
    """The loops among the steps, those inside of loops too."""
    for op, _, a in steps:
        if op in LOOPS:
            yield op
            for body in (a[name] for name in ("body", "yes", "no") if name in a):
                yield from loops(body["steps"])


def make(seed):
    rng = random.Random(seed)
    try:
        program = Looped(rng)
        program.some(rng.randint(1, 3))
        if not any(True for _ in loops(program.steps)):
            raise Refused
        program.gather_loose_ends()
        if program.values[-1].size > 12 or not program.smooth({}):
            raise Refused
        flat, facts = judge(program, matrices=False)
        if "while" in loops(program.steps):
            x = tuple(program.values[: len(program.inputs)])
            both = lambda *x: [program.carry_out(m, x) for m in (Jax, Open)]
            for a, b in jax.jit(lambda *x: jax.jvp(both, x, x))(*x):
                assert np.allclose(a, b, rtol=1e-13, atol=1e-13), (seed, a, b)
    except (Refused, IndexError):
        return None
    return dict(inputs=program.inputs, steps=program.steps, **facts), flat


def write(out, programs, arrays):
    out.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(p, separators=(",", ":")) for p in programs)
    (out / "jax_loops.json").write_text(f"[\n{lines}\n]\n")
    save_file(arrays, str(out / "jax_loops.safetensors"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--programs", type=int, default=PROGRAMS)
    parser.add_argument("--after", type=int, help="add to the programs there are, from the seed behind this one on")
    args = parser.parse_args()
    programs, arrays, first = [], {}, 0
    if args.after is not None:
        programs = json.loads((args.out / "jax_loops.json").read_text())
        arrays, first = load_file(args.out / "jax_loops.safetensors"), args.after + 1
    seeds = range(first, first + 100 * args.programs)
    with multiprocessing.get_context("spawn").Pool(2, maxtasksperchild=200) as pool:
        for seed, made in zip(seeds, pool.imap(make, seeds)):
            if made:
                arrays[str(len(programs))] = made[1]
                programs.append(made[0])
                print(seed, len(programs), made[1].size, flush=True)
                write(args.out, programs, arrays)  # it takes an hour: what there is can be looked at
            if len(programs) == args.programs:
                break
        pool.terminate()
    write(args.out, programs, arrays)
    used = [op for p in programs for op in loops(p["steps"])]
    print(f"{len(programs)} programs, the last of seed {seed}, {sum(a.nbytes for a in arrays.values())} bytes of arrays")
    print({op: used.count(op) for op in LOOPS})


if __name__ == "__main__":
    main()
