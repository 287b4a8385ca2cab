"""Writes second_order.json: gradients of gradients of PyTorch 2.15 in float64.

    python second_order.py > second_order.json

With y = f(tanh(x), further inputs), upstream weights w and the gradients g of the sum of w·y, `second` is the gradient of
the sum of all factors·g for each input. Images are rows as this crate has them: line, column, channel.
"""

import json
import sys

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

assert torch.__version__.startswith("2.15.")
torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)


def image(x, c, h, w):
    return x.reshape(-1, h, w, c).permute(0, 3, 1, 2)


def rows(y):
    return y.permute(0, 2, 3, 1).reshape(y.shape[0], -1)


def filters(w, kh, kw, c):
    return w.reshape(kh, kw, c, -1).permute(3, 2, 0, 1)


def attention(q, k, v, causal):
    def heads(x):
        return x.reshape(2, 3, 2, 2).transpose(1, 2)

    # The fused kernel has no second derivative there.
    with sdpa_kernel(SDPBackend.MATH):
        y = F.scaled_dot_product_attention(heads(q), heads(k), heads(v), is_causal=causal)
    return y.transpose(1, 2).reshape(6, 4)


# Shapes of the inputs, and the function.
CASES = {
    "conv2d": (
        [(2, 2 * 5 * 4), (3 * 2 * 2, 3), (1, 3)],
        lambda x, w, b: rows(
            F.conv2d(image(x, 2, 5, 4), filters(w, 3, 2, 2), b[0], stride=2, padding=1, dilation=(1, 2))
        ),
    ),
    "conv2d_groups": (
        [(2, 4 * 3 * 3), (2 * 2 * 2, 6), (1, 6)],
        lambda x, w, b: rows(F.conv2d(image(x, 4, 3, 3), filters(w, 2, 2, 2), b[0], groups=2)),
    ),
    "conv2d_depthwise": (
        [(2, 3 * 3 * 3), (2 * 2 * 1, 3), (1, 3)],
        lambda x, w, b: rows(F.conv2d(image(x, 3, 3, 3), filters(w, 2, 2, 1), b[0], padding=1, groups=3)),
    ),
    "conv2d_transpose": (
        [(2, 3 * 2 * 3), (3 * 3 * 2, 3), (1, 2)],
        lambda x, w, b: rows(
            F.conv_transpose2d(
                image(x, 3, 2, 3), filters(w, 3, 3, 2), b[0], stride=2, padding=1, output_padding=(1, 0)
            )
        ),
    ),
    "max_pool": ([(2, 2 * 5 * 4)], lambda x: rows(F.max_pool2d(image(x, 2, 5, 4), 3, stride=2, padding=1))),
    "avg_pool": (
        [(2, 2 * 5 * 4)],
        lambda x: rows(F.avg_pool2d(image(x, 2, 5, 4), 3, stride=2, padding=1, count_include_pad=False)),
    ),
    "global_avg_pool": ([(2, 3 * 2 * 2)], lambda x: image(x, 3, 2, 2).mean((2, 3))),
    "upsample": ([(2, 2 * 2 * 3)], lambda x: rows(F.interpolate(image(x, 2, 2, 3), scale_factor=2))),
    "attention": ([(6, 4), (6, 4), (6, 4)], lambda q, k, v: attention(q, k, v, False)),
    "attention_causal": ([(6, 4), (6, 4), (6, 4)], lambda q, k, v: attention(q, k, v, True)),
    "layer_norm": ([(3, 4), (1, 4), (1, 4)], lambda x, g, b: F.layer_norm(x, (4,), g[0], b[0], 1e-2)),
    "rms_norm": ([(3, 4), (1, 4)], lambda x, g: F.rms_norm(x, (4,), g[0], 1e-2)),
    "group_norm": (
        [(2, 4 * 2 * 2), (1, 4), (1, 4)],
        lambda x, g, b: rows(F.group_norm(image(x, 4, 2, 2), 2, g[0], b[0], 1e-2)),
    ),
    "batch_norm": (
        [(4, 3), (1, 3), (1, 3)],
        lambda x, g, b: F.batch_norm(x, None, None, g[0], b[0], training=True, eps=1e-2),
    ),
    "embedding": ([(4, 3)], lambda x: F.embedding(torch.tensor([2, 0, 2, 1, 2]), x)),
    "cross_entropy": ([(3, 4)], lambda x: F.cross_entropy(x, torch.tensor([3, 0, 1])).reshape(1, 1)),
    "gelu_erf": ([(3, 4)], lambda x: F.gelu(x)),
    "gelu_tanh": ([(3, 4)], lambda x: F.gelu(x, approximate="tanh")),
    "silu": ([(3, 4)], lambda x: F.silu(x)),
    "norm": ([(3, 4)], lambda x: x.norm(dim=1, keepdim=True)),
    "logsumexp": ([(3, 4)], lambda x: x.logsumexp(1, keepdim=True)),
    "variance": ([(3, 4)], lambda x: x.var(0, correction=1, keepdim=True)),
}


def wave(n, start):
    return (start + 2.3 * torch.arange(n)).sin() * 0.8


def matrix(x):
    return {"rows": x.shape[0], "cols": x.shape[1], "data": x.detach().reshape(-1).tolist()}


cases = {}
for name, (shapes, f) in CASES.items():
    inputs = [wave(m * n, 1.0 + k).reshape(m, n).requires_grad_() for k, (m, n) in enumerate(shapes)]
    y = f(inputs[0].tanh(), *inputs[1:])
    upstream = (0.7 + 1.9 * torch.arange(y.numel())).cos().reshape(y.shape)
    first = torch.autograd.grad((upstream * y).sum(), inputs, create_graph=True)
    factors = [wave(x.numel(), 3.0 + k).reshape(x.shape) for k, x in enumerate(inputs)]
    total = sum((v * g).sum() for v, g in zip(factors, first))
    second = torch.autograd.grad(total, inputs, allow_unused=True, materialize_grads=True)
    cases[name] = {
        "inputs": [matrix(x) for x in inputs],
        "upstream": matrix(upstream),
        "factors": [matrix(v) for v in factors],
        "first": [matrix(g) for g in first],
        "second": [matrix(g) for g in second],
    }
json.dump(cases, sys.stdout, separators=(",", ":"))
print()
