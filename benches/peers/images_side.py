"""JAX's networks of images, with the channels last: what makes the parameters, and what gives the scores; without a key
of random draws there is no dropout."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

WIDTH, HEADS = 64, 4
drawn = np.random.default_rng(0)


def affine(inputs, outputs, kind):
    return jnp.asarray(drawn.normal(0, (2 / inputs) ** 0.5, (inputs, outputs)), kind), jnp.zeros(outputs, kind)


def filters(side, inputs, outputs, kind):
    shape = (side, side, inputs, outputs)
    return jnp.asarray(drawn.normal(0, (2 / (side * side * inputs)) ** 0.5, shape), kind), jnp.zeros(outputs, kind)


def conv(layer, x, padding="VALID"):
    return lax.conv_general_dilated(x, layer[0], (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC")) + layer[1]


def pool(x):
    """The largest of 2×2; by a reshape, whose gradient is much faster here than that of a window."""
    n, h, w, c = x.shape
    return x.reshape(n, h // 2, 2, w // 2, 2, c).max((2, 4))


def dense(layer, x):
    return x @ layer[0] + layer[1]


def dropout(x, share, key):
    return x if key is None else jnp.where(jax.random.bernoulli(key, 1 - share, x.shape), x / (1 - share), 0)


def lenet(kind):
    return [filters(5, 1, 6, kind), filters(5, 6, 16, kind), affine(400, 120, kind), affine(120, 84, kind), affine(84, 10, kind)]


def lenet_scores(net, x, _):
    x = jax.nn.relu(pool(conv(net[0], x, "SAME")))
    x = jax.nn.relu(pool(conv(net[1], x))).reshape(len(x), -1)
    return dense(net[4], jax.nn.relu(dense(net[3], jax.nn.relu(dense(net[2], x)))))


def cnn(kind):
    return [filters(3, 1, 32, kind), filters(3, 32, 64, kind), affine(9216, 128, kind), affine(128, 10, kind)]


def cnn_scores(net, x, key):
    keys = (None, None) if key is None else jax.random.split(key)
    x = jax.nn.relu(pool(conv(net[1], jax.nn.relu(conv(net[0], x)))))
    x = jax.nn.relu(dense(net[2], dropout(x.reshape(len(x), -1), 0.25, keys[0])))
    return dense(net[3], dropout(x, 0.5, keys[1]))


def norm(layer, x):
    x = x - x.mean(-1, keepdims=True)
    return layer[0] * x * lax.rsqrt((x * x).mean(-1, keepdims=True) + 1e-5) + layer[1]


def vit(kind):
    plain = lambda: (jnp.ones(WIDTH, kind), jnp.zeros(WIDTH, kind))
    maps = ((WIDTH, 3 * WIDTH), (WIDTH, WIDTH), (WIDTH, 4 * WIDTH), (4 * WIDTH, WIDTH))
    block = lambda: (plain(), plain(), *(affine(*shape, kind) for shape in maps))
    positions = jnp.asarray(0.02 * drawn.normal(size=(16, WIDTH)), kind)
    return [affine(49, WIDTH, kind), positions, block(), block(), plain(), affine(WIDTH, 10, kind)]


def attention(heads, out, x):
    n, length, _ = x.shape
    q, k, v = dense(heads, x).reshape(n, length, 3, HEADS, WIDTH // HEADS).transpose(2, 0, 3, 1, 4)
    weights = jax.nn.softmax(q @ k.swapaxes(2, 3) * (WIDTH // HEADS) ** -0.5)
    return dense(out, (weights @ v).swapaxes(1, 2).reshape(n, length, WIDTH))


def vit_scores(net, x, _):
    patches = x.reshape(-1, 4, 7, 4, 7).swapaxes(2, 3).reshape(-1, 16, 49)
    x = dense(net[0], patches) + net[1]
    for before, between, heads, out, up, down in net[2:4]:
        x = x + attention(heads, out, norm(before, x))
        x = x + dense(down, jax.nn.gelu(dense(up, norm(between, x))))
    return dense(net[5], norm(net[4], x).mean(1))


NETWORKS = {"lenet": (lenet, lenet_scores), "cnn": (cnn, cnn_scores), "vit": (vit, vit_scores)}
