"""JAX: everything jitted, whole loops where a loop is what counts, buffers donated, waited for."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

import images_side
import side

jax.config.update("jax_enable_x64", True)
# Products of f32 are to be of f32.
jax.config.update("jax_default_matmul_precision", "highest")

OPERATIONS = {
    "exp": jnp.exp,
    "relu": jax.nn.relu,
    "sigmoid": jax.nn.sigmoid,
    "tanh": jnp.tanh,
    "gelu_tanh": lambda x: jax.nn.gelu(x, approximate=True),
    "gelu_erf": lambda x: jax.nn.gelu(x, approximate=False),
    "softmax": lambda x: jax.nn.softmax(x, 1),
    "log_softmax": lambda x: jax.nn.log_softmax(x, 1),
}


def mean(x):
    return float(np.asarray(x, np.float64).mean())


def run(clock, f, *args):
    """The time of the jitted `f` and what it returned."""
    f = jax.jit(f)
    work = lambda: jax.block_until_ready(f(*args))
    return clock.time(work), work()


def gemm(clock, kind, size, form):
    a, b = map(jnp.asarray, side.operands(kind, size, form))
    f = lambda a, b: (a.T if form == "tn" else a) @ (b.T if form == "nt" else b)
    seconds, c = run(clock, f, a, b)
    return seconds, mean(c)


def cholesky(clock, kind, n):
    f = lambda a: lax.linalg.cholesky(a, symmetrize_input=False)
    seconds, l = run(clock, f, jnp.asarray(side.definite(kind, int(n))))
    return seconds, 2 * np.log(np.diag(l).astype(np.float64)).sum()


def op(clock, kind, name, direction):
    f = OPERATIONS[name]
    x = jnp.asarray(side.filled((side.SIDE, side.SIDE), 1, -3, 3, kind))
    if direction == "forward":
        # With what the way back needs, as the other sides keep it.
        forward = jax.jit(lambda x: jax.vjp(f, x))
        return clock.time(lambda: jax.block_until_ready(forward(x))), mean(forward(x)[0])
    upstream = jnp.asarray(side.filled((side.SIDE, side.SIDE), 2, 0, 1, kind))
    _, back = jax.vjp(f, x)
    seconds, gradient = run(clock, lambda back, upstream: back(upstream)[0], back, upstream)
    return seconds, mean(jnp.abs(gradient))


def logits(net, x):
    for w, b in net[:-1]:
        x = jax.nn.relu(x @ w + b)
    w, b = net[-1]
    return x @ w + b


def cross_entropy(scores, y):
    return -jnp.take_along_axis(jax.nn.log_softmax(scores), y[:, None], 1).mean()


def start(widths, kind):
    return of_adam([(jnp.asarray(w), jnp.zeros(w.shape[1], w.dtype)) for w in side.weights(widths, kind)])


def of_adam(net):
    """The state of Adam before the first step."""
    zeros = jax.tree.map(jnp.zeros_like, net)
    return net, zeros, jax.tree.map(jnp.copy, zeros), jnp.zeros((), jnp.int32)


def adam(state, x, y, scores=lambda net, x, _: logits(net, x)):
    """A step: the state after it, and the loss before it."""
    net, m, v, t = state
    loss, gradients = jax.value_and_grad(lambda net: cross_entropy(scores(net, x, t), y))(net)
    t = t + 1
    m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, gradients)
    v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, gradients)
    power = t.astype(loss.dtype)
    first, second = 1 - 0.9**power, 1 - 0.999**power
    move = lambda p, m, v: p - 1e-3 * (m / first) / (jnp.sqrt(v / second) + 1e-8)
    return (jax.tree.map(move, net, m, v), m, v, t), loss


def step(clock, kind, shape):
    widths = side.widths(shape)
    x, y = map(jnp.asarray, side.small(widths, kind))
    many = lambda count: jax.jit(
        lambda state, x, y: lax.scan(lambda s, _: adam(s, x, y), state, None, length=count), donate_argnums=0
    )
    check = float(many(side.STEPS)(start(widths, kind), x, y)[1][-1])
    hundred, held = many(100), [start(widths, kind)]

    def work():
        held[0], losses = jax.block_until_ready(hundred(held[0], x, y))
        return losses

    return clock.time(work) / 100, check


def epoch(clock, kind, shape):
    if shape in images_side.NETWORKS:
        return epoch_of_images(clock, kind, shape)
    x, y, test_x, test_y = map(jnp.asarray, side.images(kind))
    whole = len(x) // side.BATCH_ROWS * side.BATCH_ROWS

    def train(state, x, y, order):
        body = lambda state, rows: adam(state, x[rows], y[rows])
        state, losses = lax.scan(body, state, order[:whole].reshape(-1, side.BATCH_ROWS))
        total = losses.sum() * side.BATCH_ROWS
        if whole < len(x):
            state, loss = adam(state, x[order[whole:]], y[order[whole:]])
            total += loss * (len(x) - whole)
        return state, total

    train = jax.jit(train, donate_argnums=0)
    right = jax.jit(lambda net, x, y: (logits(net, x).argmax(1) == y).mean())
    held, accuracies, orders = [start(side.widths(shape), kind)], [], np.random.default_rng(0)

    def work():
        order = jnp.asarray(orders.permutation(len(x)).astype(np.int32))
        held[0], total = train(held[0], x, y, order)
        accuracies.append(float(right(held[0][0], test_x, test_y)))
        return float(total)

    return clock.time(work), accuracies[0]


def epoch_of_images(clock, kind, name):
    """Steps one by one: inside of a compiled loop this backend has convolutions on one thread only."""
    x, y, test_x, test_y = map(jnp.asarray, side.images(kind))
    x, test_x = (x.reshape(-1, 28, 28, 1) for x in (x, test_x))
    net, scores = images_side.NETWORKS[name]
    # The state of the random draws is the number of the step.
    noisy = lambda net, x, t: scores(net, x, jax.random.fold_in(jax.random.key(0), t))
    one = jax.jit(lambda state, x, y, rows: adam(state, x[rows], y[rows], noisy), donate_argnums=0)
    right = jax.jit(lambda net, x, y: (scores(net, x, None).argmax(1) == y).sum())
    held, accuracies, orders = [of_adam(net(x.dtype))], [], np.random.default_rng(0)

    def work():
        order, total = jnp.asarray(orders.permutation(len(x)).astype(np.int32)), 0
        for at in range(0, len(x), side.BATCH_ROWS):
            rows = order[at : at + side.BATCH_ROWS]
            held[0], loss = one(held[0], x, y, rows)
            total += loss * len(rows)
        found = sum(right(held[0][0], test_x[at : at + 250], test_y[at : at + 250]) for at in range(0, len(test_x), 250))
        accuracies.append(float(found) / len(test_x))
        return float(total)

    return clock.time(work), accuracies[0]


def predict(clock, kind, shape, rows):
    widths = side.widths(shape)
    net = start(widths, kind)[0]
    x = jnp.asarray(side.filled((int(rows), widths[0]), 1, 0, 1, kind))
    seconds, p = run(clock, lambda net, x: jax.nn.softmax(logits(net, x), 1), net, x)
    return seconds, float(p[0, 0])


def rbf(x):
    norms = (x * x).sum(1)
    return jnp.maximum(norms[:, None] + norms[None, :] - 2 * (x @ x.T), 0)


def gram(clock, kind, kernel, n):
    def matern(x):
        r = jnp.sqrt(rbf(x)) * (math.sqrt(5) / 3)
        return (1 + r + r * r / 3) * jnp.exp(-r)

    f = (lambda x: jnp.exp(-0.1 * rbf(x))) if kernel == "rbf" else matern
    seconds, k = run(clock, f, jnp.asarray(side.filled((int(n), 64), 1, 0, 1, kind)))
    return seconds, mean(k)


def features(clock, kind, n):
    x = jnp.asarray(side.filled((int(n), 64), 1, 0, 1, kind))
    omega = jnp.asarray(math.sqrt(0.2) * np.random.default_rng(0).standard_normal((64, 1000)), x.dtype)

    def f(x, omega):
        z = x @ omega
        return jnp.concatenate([jnp.cos(z), jnp.sin(z)], 1) * math.sqrt(1 / 1000)

    return run(clock, f, x, omega)[0], math.nan


ROWS = {
    "gemm": gemm,
    "cholesky": cholesky,
    "op": op,
    "step": step,
    "epoch": epoch,
    "predict": predict,
    "gram": gram,
    "features": features,
}
