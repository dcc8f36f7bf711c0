"""What JAX says of the programs of `jax_graphs.py` and `jax_loops.py`."""
import jax
import jax.numpy as jnp
import numpy as np

from jax_ops import Jax, Refused

JACOBIAN = 150  # most elements of one Jacobian
HESSIAN = 9  # most elements of an input with a Hessian


def judge(program, matrices=True):
    """The array of a program, and what it has: "jacobian", "hessian", "mapped"; the first two only if `matrices`."""
    rng = program.np_rng
    x = program.values[: len(program.inputs)]
    y = program.values[-1]
    t = [rng.uniform(-1, 1, v.shape) for v in x]
    ct = rng.uniform(-1, 1, y.shape)
    jacobian = matrices and all(0 < y.size * v.size <= JACOBIAN for v in x)
    hessian = matrices and 0 < x[0].size <= HESSIAN
    # At least one input has examples, the others are shared.
    mapped = sorted(program.rng.sample(range(len(x)), program.rng.randint(1, len(x))))
    examples = program.near(mapped)
    every = tuple(range(len(x)))

    f = lambda *inputs: program.carry_out(Jax, inputs)

    def everything(x, t, ct, examples):
        scalar = lambda *x: jnp.sum(ct * jnp.sin(f(*x)))
        y, jvp = jax.jvp(f, x, t)
        _, hvp = jax.jvp(jax.grad(scalar, argnums=every), x, t)
        vjp = jax.vjp(f, *x)[1](ct)
        jac = jax.jacobian(f, argnums=every)(*x) if jacobian else ()
        hess = [jax.hessian(scalar)(*x)] if hessian else []

        def of_one(*x):
            y, jvp = jax.jvp(f, x, t)
            return [y, jvp, *jax.grad(scalar, argnums=every)(*x)]

        axes = tuple(0 if i in mapped else None for i in every)
        inputs = [examples[mapped.index(i)] if i in mapped else x[i] for i in every]
        return [y, jvp, *vjp, *hvp, *jac, *hess, *jax.vmap(of_one, in_axes=axes)(*inputs)]

    found = jax.jit(everything)(tuple(x), tuple(t), ct, tuple(examples))
    arrays = [np.asarray(v, dtype=np.float64).ravel() for v in [*x, *t, ct, *examples, *found]]
    flat = np.concatenate(arrays)
    if not np.all(np.abs(flat) < 1e6):
        raise Refused
    if y.size and not any(np.any(a) for a in arrays[2 * len(x) + len(examples) + 2 :]):
        raise Refused  # nothing but zeros judges nothing
    return flat, dict(jacobian=jacobian, hessian=hessian, mapped=mapped)
