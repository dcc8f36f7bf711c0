"""The workloads in JAX: one compiled function each, which takes over the buffers of what it updates."""

from protocol import arguments, serve

NAME, KIND, RATE, params, data, direction = arguments()

import jax
import jax.numpy as jnp

params, data, direction = ([jnp.asarray(a) for a in arrays] for arrays in (params, data, direction))


def layers(p, x, activation):
    for i in range(0, len(p), 2):
        x = x @ p[i] + p[i + 1]
        if i + 2 < len(p):
            x = activation(x)
    return x


def cross_entropy(logits, y):
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], 1))


def logistic(p, x, y):
    z = layers(p, x, jnp.tanh)
    return jnp.mean(jax.nn.softplus(z) - y * z)


def classifier(p, x, y, activation=jax.nn.relu):
    return cross_entropy(layers(p, x, activation), y)


def formula(p):
    a, b, c = p
    return jnp.sum(jnp.tanh(a * b + c) * jax.nn.sigmoid(a) - jnp.exp(-a * a))


def conv(x, kernel, bias, padding):
    y = jax.lax.conv_general_dilated(x, kernel, (1, 1), padding)
    return y + bias[:, None, None]


def pool(x):
    return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")


def lenet(p, x, y):
    a = pool(jax.nn.relu(conv(x, p[0], p[1], "SAME")))
    a = pool(jax.nn.relu(conv(a, p[2], p[3], "VALID")))
    return classifier(p[4:], a.reshape(a.shape[0], -1), y)


def residual(p):
    h = jax.nn.relu(conv(p[4], p[0], p[1], "SAME"))
    return jnp.mean(jnp.square(jax.nn.relu(conv(h, p[2], p[3], "SAME") + p[4])))


def lstm(p, x):
    inputs = x @ p[0] + p[2]
    zero = jnp.zeros((x.shape[1], p[1].shape[0]))

    def cell(carry, x):
        h, c = carry
        i, f, g, o = jnp.split(x + h @ p[1], 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    return jnp.mean(jnp.square(jax.lax.scan(cell, (zero, zero), inputs)[1]))


def transformer(p):
    def normal(x, scale, shift):
        centred = x - jnp.mean(x, -1, keepdims=True)
        return centred / jnp.sqrt(jnp.mean(jnp.square(centred), -1, keepdims=True) + 1e-5) * scale + shift

    x = p[12]
    q, k, v = (normal(x, p[0], p[1]) @ p[2] + p[3]).reshape(8, 128, 3, 4, 64).transpose(2, 0, 3, 1, 4)
    a = jax.nn.softmax(jnp.einsum("bhid,bhjd->bhij", q, k) / 8) @ v
    x = x + a.transpose(0, 2, 1, 3).reshape(8, 128, 256) @ p[4] + p[5]
    h = jax.nn.gelu(normal(x, p[6], p[7]) @ p[8] + p[9], approximate=False)
    return jnp.mean(jnp.square(x + h @ p[10] + p[11]))


FORMULAS = {
    "W1": logistic, "W1t": logistic, "W2": logistic, "W5": formula, "W6a": lenet, "W6b": residual, "W7": lstm,
    "W8": transformer, "W9": lambda p, x, y: classifier(p, x, y, jnp.tanh),
}
loss_of = FORMULAS.get(NAME, classifier)


def update(state, *data):
    p, m, v, t = state
    loss, g = jax.value_and_grad(loss_of)(p, *data)
    t = t + 1
    if KIND == "sgd":
        p = [p - RATE * g for p, g in zip(p, g)]
    elif KIND == "momentum":
        m = [0.9 * m + g for m, g in zip(m, g)]
        p = [p - RATE * m for p, m in zip(p, m)]
    else:
        m = [0.9 * m + 0.1 * g for m, g in zip(m, g)]
        v = [0.999 * v + 0.001 * g * g for v, g in zip(v, g)]
        unbiased = 1 - 0.9**t, 1 - 0.999**t
        p = [
            p - RATE * (m / unbiased[0]) / (jnp.sqrt(v / unbiased[1]) + 1e-8) for p, m, v in zip(p, m, v)
        ]
    return loss, (p, m, v, t)


def training():
    memories = {"sgd": 0, "momentum": 1, "adam": 2}[KIND]
    zeros = [[jnp.zeros_like(p) for p in params] if i < memories else [] for i in range(2)]
    state = (params, *zeros, jnp.zeros(()))
    compiled = jax.jit(update, donate_argnums=0)

    def step():
        nonlocal state
        loss, state = compiled(state, *data)
        return loss, state

    return step


def function():
    if KIND == "gradient":
        compiled = jax.jit(jax.value_and_grad(loss_of))
        return lambda: compiled(params, *data)

    def hessian(p, v, *data):
        product = jax.jvp(lambda p: jax.grad(loss_of)(p, *data), (p,), (v,))[1]
        return sum(jnp.sum(jnp.square(h)) for h in product), product

    compiled = jax.jit(hessian)
    return lambda: compiled(params, direction, *data)


trains = KIND in ("sgd", "momentum", "adam")
serve(training() if trains else function(), lambda result: float(result[0]), jax.block_until_ready)
