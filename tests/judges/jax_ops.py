"""The operations of `jax_graphs.py`, by chainrule's names: twice the same functions, once in NumPy to look at values
while a program grows, once in JAX to judge it; and how far values are from where a function is not smooth.
"""
import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg
import scipy.special

jax.config.update("jax_enable_x64", True)


class Refused(Exception):
    """These values do not fit."""


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
    gelu = staticmethod(lambda x: 0.5 * x * (1 + scipy.special.erf(x / np.sqrt(2))))
    elu = staticmethod(lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))))
    selu = staticmethod(lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0))))
    celu = staticmethod(lambda x: np.where(x > 0, x, 1.5 * np.expm1(np.minimum(x, 0) / 1.5)))
    silu = staticmethod(lambda x: x * scipy.special.expit(x))
    mish = staticmethod(lambda x: x * np.tanh(np.logaddexp(x, 0.0)))
    soft_sign = staticmethod(lambda x: x / (1 + np.abs(x)))
    triangular = staticmethod(scipy.linalg.solve_triangular)

    @staticmethod
    def scatter_add(x, index, updates):
        x = x.copy()
        np.add.at(x, index, updates)
        return x


class Jax:
    """The same, for the judgement."""

    np = jnp
    sigmoid, erf = jax.nn.sigmoid, jax.scipy.special.erf
    logsumexp, softmax, log_softmax = jax.scipy.special.logsumexp, jax.nn.softmax, jax.nn.log_softmax
    softplus, relu, leaky_relu = jax.nn.softplus, jax.nn.relu, jax.nn.leaky_relu
    rsqrt, stop_gradient = jax.lax.rsqrt, jax.lax.stop_gradient
    elu, selu, silu, mish, soft_sign = jax.nn.elu, jax.nn.selu, jax.nn.silu, jax.nn.mish, jax.nn.soft_sign
    gelu = staticmethod(lambda x: jax.nn.gelu(x, approximate=False))
    celu = staticmethod(lambda x: jax.nn.celu(x, 1.5))
    scatter_add = staticmethod(lambda x, index, updates: x.at[index].add(updates))
    triangular = staticmethod(jax.scipy.linalg.solve_triangular)


def slices(x, a):
    index = [slice(None)] * x.ndim
    index[a["axis"]] = slice(a["start"], a["end"], a["step"])
    return x[tuple(index)]


def pads(x, a):
    return [(a["before"], a["after"]) if i == a["axis"] else (0, 0) for i in range(x.ndim)]


def picked(x, a):
    """The index with which NumPy takes entries `a["index"]` of an axis; negative ones count from the end."""
    index = np.reshape(np.array(a["index"], dtype=np.int64), a["shape"]) % x.shape[a["axis"]]
    return (*[slice(None)] * (a["axis"] % x.ndim), index)


def along(x, a):
    """The index with which NumPy takes one element for each element of `a["index"]`, along an axis."""
    index = np.reshape(np.array(a["index"], dtype=np.int64), a["shape"]) % x.shape[a["axis"]]
    grid = list(np.indices(index.shape, sparse=True))
    grid[a["axis"]] = index
    return tuple(grid)


def ordered(m, x, a):
    """Sorted up or down along an axis; the first `k` where that is asked for."""
    y = m.np.sort(x, axis=a["axis"])
    y = m.np.flip(y, a["axis"]) if a["descending"] else y
    return y if "k" not in a else slices(y, dict(axis=a["axis"], start=0, end=a["k"], step=1))


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
    "tan": lambda m, x, a: m.np.tan(x[0]),
    "asin": lambda m, x, a: m.np.arcsin(x[0]),
    "acos": lambda m, x, a: m.np.arccos(x[0]),
    "atan": lambda m, x, a: m.np.arctan(x[0]),
    "sinh": lambda m, x, a: m.np.sinh(x[0]),
    "cosh": lambda m, x, a: m.np.cosh(x[0]),
    "asinh": lambda m, x, a: m.np.arcsinh(x[0]),
    "acosh": lambda m, x, a: m.np.arccosh(x[0]),
    "atanh": lambda m, x, a: m.np.arctanh(x[0]),
    "gelu": lambda m, x, a: m.gelu(x[0]),
    "elu": lambda m, x, a: m.elu(x[0]),
    "selu": lambda m, x, a: m.selu(x[0]),
    "celu": lambda m, x, a: m.celu(x[0]),
    "silu": lambda m, x, a: m.silu(x[0]),
    "mish": lambda m, x, a: m.mish(x[0]),
    "softsign": lambda m, x, a: m.soft_sign(x[0]),
    "cumsum": lambda m, x, a: m.np.cumsum(x[0], axis=a["axis"]),
    "cumprod": lambda m, x, a: m.np.cumprod(x[0], axis=a["axis"]),
    "sort": lambda m, x, a: ordered(m, x[0], a),
    "top_k": lambda m, x, a: ordered(m, x[0], a),
    "take": lambda m, x, a: x[0][picked(x[0], a)],
    "take_along_axis": lambda m, x, a: x[0][along(x[0], a)],
    "scatter_add": lambda m, x, a: m.scatter_add(x[0], picked(x[0], a), x[1]),
    "scatter_add_along_axis": lambda m, x, a: m.scatter_add(x[0], along(x[0], a), x[1]),
    "tril": lambda m, x, a: m.np.tril(x[0], a["k"]),
    "triu": lambda m, x, a: m.np.triu(x[0], a["k"]),
    "diagonal": lambda m, x, a: m.np.diagonal(x[0], axis1=-2, axis2=-1),
    "trace": lambda m, x, a: m.np.trace(x[0], axis1=-2, axis2=-1),
    "einsum": lambda m, x, a: m.np.einsum(a["spec"], *x),
    "ridge": lambda m, x, a: x[0] + a["by"] * np.eye(x[0].shape[-1]),
    "solve": lambda m, x, a: m.np.linalg.solve(x[0], x[1]),
    "solve_lower": lambda m, x, a: m.triangular(x[0], x[1], lower=True),
    "solve_upper": lambda m, x, a: m.triangular(x[0], x[1], lower=False),
    "inverse": lambda m, x, a: m.np.linalg.inv(x[0]),
    "cholesky": lambda m, x, a: m.np.linalg.cholesky(x[0]),
    "logdet": lambda m, x, a: m.np.linalg.slogdet(x[0])[1],
    "det": lambda m, x, a: m.np.linalg.det(x[0]),
}

def apart(x, axis):
    """Least distance between neighbours in value along an axis."""
    gaps = np.diff(np.sort(x, axis=axis), axis=axis)
    return gaps.min(initial=np.inf)


def clearance(op, x, a):
    """How far the arguments are from where `op` is not smooth or not defined."""
    least = lambda v: np.min(v, initial=np.inf)
    if op in ("abs", "relu", "leaky_relu", "elu", "selu", "celu", "softsign"):
        return least(np.abs(x[0]))
    if op in ("sqrt", "rsqrt", "ln", "pow"):
        return least(x[0]) - 0.1
    if op == "acosh":
        return least(x[0]) - 1.1
    if op in ("atanh", "asin", "acos"):
        return 0.9 - np.max(np.abs(x[0]), initial=0.0)
    if op == "tan":
        return least(np.abs(np.cos(x[0]))) - 0.2
    if op in ("sort", "top_k"):
        return apart(x[0], a["axis"])
    if op == "logdet":
        return least(np.linalg.det(x[0])) - 0.1
    if op in ("solve", "inverse"):
        return least(np.abs(np.linalg.det(x[0]))) - 0.2
    if op in ("solve_lower", "solve_upper"):
        return least(np.abs(np.diagonal(x[0], axis1=-2, axis2=-1))) - 0.2
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
