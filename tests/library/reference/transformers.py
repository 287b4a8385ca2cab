"""Figures of PyTorch for whole transformers: prints transformers.json, a network a line.

Values are f64. Each case holds the parameters by the names that they have in tapegrad, the samples, the labels, what
comes out, the cross-entropy and its gradients. The networks are written with PyTorch's own functions; the blocks are
those of `torch.nn.TransformerEncoderLayer` with norm_first, but for the activation, x·σ(1.702x), which it does not have
by a name.
"""

import json

import torch
import torch.nn.functional as F

torch.manual_seed(15)
torch.set_default_dtype(torch.float64)


def block_shapes(width, hidden):
    shapes = {f"norm{i}.{name}": (1, width) for i in (1, 2) for name in ("gamma", "beta")}
    for name in ("query", "key", "value", "out"):
        shapes |= {f"attention.{name}.weight": (width, width), f"attention.{name}.bias": (1, width)}
    shapes |= {"up.weight": (width, hidden), "up.bias": (1, hidden)}
    return shapes | {"down.weight": (hidden, width), "down.bias": (1, width)}


def linear(x, p, name):
    return F.linear(x, p[name + ".weight"].T, p[name + ".bias"][0])


def norm(x, p, name):
    gamma, beta = p[name + ".gamma"][0], p[name + ".beta"][0]
    return F.layer_norm(x, gamma.shape, gamma, beta)


def block(x, p, name, heads, causal):
    """x is m×l×d."""
    m, l, d = x.shape
    p = {key.removeprefix(name + "."): value for key, value in p.items() if key.startswith(name + ".")}
    y = norm(x, p, "norm1")
    q, k, v = (
        linear(y, p, "attention." + part).reshape(m, l, heads, d // heads).transpose(1, 2)
        for part in ("query", "key", "value")
    )
    y = F.scaled_dot_product_attention(q, k, v, is_causal=causal).transpose(1, 2).reshape(m, l, d)
    x = x + linear(y, p, "attention.out")
    y = linear(norm(x, p, "norm2"), p, "up")
    return x + linear(y * torch.sigmoid(1.702 * y), p, "down")


def trunk(x, p, blocks, heads, causal):
    for i in range(1, blocks + 1):
        x = block(x, p, f"block{i}", heads, causal)
    return norm(x, p, "norm")


def vit(x, p):
    """Images of 2×6×9 in squares of 3×3, the channels of a pixel side by side."""
    m = len(x)
    image = x.reshape(m, 6, 9, 2).permute(0, 3, 1, 2)
    weight = p["patches.weight"].reshape(3, 3, 2, -1).permute(3, 2, 0, 1)
    tokens = F.conv2d(image, weight, p["patches.bias"][0], stride=3).flatten(2).transpose(1, 2)
    y = trunk(tokens + p["positions.table"], p, 2, 2, False)
    return linear(y.mean(1), p, "head")


def vit_shapes(d):
    shapes = {"patches.weight": (18, d), "patches.bias": (1, d), "positions.table": (6, d)}
    for i in (1, 2):
        shapes |= {f"block{i}.{name}": shape for name, shape in block_shapes(d, 2 * d).items()}
    shapes |= {"norm.gamma": (1, d), "norm.beta": (1, d)}
    return shapes | {"head.weight": (d, 3), "head.bias": (1, 3)}


def gpt(x, p):
    """Texts of 5 tokens out of 7: a row for each token."""
    tokens = F.embedding(x.long(), p["embedding.weight"]) + p["embedding.positions"]
    return linear(trunk(tokens, p, 2, 2, True), p, "head").flatten(0, 1)


def gpt_shapes(d):
    shapes = {"embedding.weight": (7, d), "embedding.positions": (5, d)}
    for i in (1, 2):
        shapes |= {f"block{i}.{name}": shape for name, shape in block_shapes(d, 2 * d).items()}
    shapes |= {"norm.gamma": (1, d), "norm.beta": (1, d)}
    return shapes | {"head.weight": (d, 7), "head.bias": (1, 7)}


def matrix(x):
    return {"rows": x.shape[0], "cols": x.shape[1], "data": x.flatten().tolist()}


def case(net, shapes, x, labels):
    p = {name: torch.randn(shape).mul(0.4).requires_grad_() for name, shape in shapes.items()}
    y = net(x, p)
    loss = F.cross_entropy(y, labels)
    gradients = torch.autograd.grad(loss, list(p.values()))
    return {
        "parameters": {name: matrix(value) for name, value in p.items()},
        "x": matrix(x),
        "labels": labels.tolist(),
        "output": matrix(y),
        "loss": loss.item(),
        "gradients": {name: matrix(value) for name, value in zip(p, gradients)},
    }


cases = {"vit": case(vit, vit_shapes(4), torch.rand(3, 108), torch.tensor([2, 0, 1]))}
texts = torch.randint(7, (3, 6))
cases["gpt"] = case(gpt, gpt_shapes(4), texts[:, :-1].double(), texts[:, 1:].flatten())
print("{")
print(",\n".join(f'"{name}": {json.dumps(value)}' for name, value in cases.items()))
print("}")
