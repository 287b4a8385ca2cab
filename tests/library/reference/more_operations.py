"""Writes more_operations.json: values and gradients of PyTorch 2.15 in float64, for the operations that
op_gradients.json does not have.

    python more_operations.py > more_operations.json

Each takes two matrices of 3×4, the second one positive; the gradients are those of the sum of w·y.
"""

import json
import sys

import torch
import torch.nn.functional as F

assert torch.__version__.startswith("2.15.")
torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)


def huber(a, b, delta):
    return F.huber_loss(a, b, delta=delta)


def where(condition, a, b):
    return torch.where(condition > 0, a, b)


def max_over(x, dim):
    return x.max(dim=dim, keepdim=True).values


OPERATIONS = {
    "matmul_nt": lambda a, b: a @ b.T,
    "matmul_tn": lambda a, b: a.T @ b,
    "linear": lambda a, b: F.linear(a, b, a[1, :3]),
    "scale": lambda a, b: -1.3 * a,
    "shift": lambda a, b: a + 0.7,
    "powi_negative": lambda a, b: b**-2,
    "powf_negative": lambda a, b: b**-0.5,
    "clamp": lambda a, b: a.clamp(-0.4, 0.6),
    "maximum": lambda a, b: torch.maximum(a, b),
    "minimum": lambda a, b: torch.minimum(a, b),
    "leaky_relu": lambda a, b: F.leaky_relu(a, 0.1),
    "silu": lambda a, b: F.silu(a),
    "sin": lambda a, b: a.sin(),
    "cos": lambda a, b: a.cos(),
    "expm1": lambda a, b: a.expm1(),
    "select": lambda a, b: where(a, b, a.square()),
    "cumsum_rows": lambda a, b: a.cumsum(0),
    "cumsum_cols": lambda a, b: a.cumsum(1),
    "tril": lambda a, b: a.tril(1),
    "triu": lambda a, b: a.triu(-1),
    "norm": lambda a, b: a.norm().reshape(1, 1),
    "norm_rows": lambda a, b: a.norm(dim=0, keepdim=True),
    "norm_cols": lambda a, b: a.norm(dim=1, keepdim=True),
    "pick_cols": lambda a, b: a.gather(1, torch.tensor([[2], [0], [3]])),
    "mean_rows": lambda a, b: a.mean(0, keepdim=True),
    "mean_cols": lambda a, b: a.mean(1, keepdim=True),
    "max": lambda a, b: a.max().reshape(1, 1),
    "max_rows": lambda a, b: max_over(a, 0),
    "max_cols": lambda a, b: max_over(a, 1),
    "variance": lambda a, b: a.var(correction=0).reshape(1, 1),
    "variance_rows": lambda a, b: a.var(0, correction=0, keepdim=True),
    "variance_cols": lambda a, b: a.var(1, correction=0, keepdim=True),
    "unbiased_variance": lambda a, b: a.var(correction=1).reshape(1, 1),
    "unbiased_variance_rows": lambda a, b: a.var(0, correction=1, keepdim=True),
    "unbiased_variance_cols": lambda a, b: a.var(1, correction=1, keepdim=True),
    "reshape": lambda a, b: a.reshape(2, 6),
    "concat_rows": lambda a, b: torch.cat([a, b, a], 0),
    "concat_cols": lambda a, b: torch.cat([a, b, a], 1),
    "slice_rows": lambda a, b: a[1:3],
    "slice_cols": lambda a, b: a[:, 1:3],
    "gather_rows": lambda a, b: a[torch.tensor([2, 0, 2, 2])],
    "mae": lambda a, b: F.l1_loss(a, b),
    "huber": lambda a, b: huber(a, b, 0.9),
    "bce_soft_targets": lambda a, b: F.binary_cross_entropy_with_logits(a, b),
    "cross_entropy_smoothed": lambda a, b: F.cross_entropy(a, torch.tensor([3, 0, 1]), label_smoothing=0.1),
    "l2_penalty": lambda a, b: 0.5 * 0.3 * (a.square().sum() + b.square().sum()),
    "layer_norm": lambda a, b: F.layer_norm(a, (4,), b[0], b[1], 1e-5),
    "batch_norm": lambda a, b: F.batch_norm(a, None, None, b[0], b[1], training=True, eps=1e-2),
    "div_by_root": lambda a, b: a / b.sqrt(),
    "ln_of_sum": lambda a, b: b.sum().log().reshape(1, 1),
    "square_of_difference": lambda a, b: (a - b).square(),
}


def matrix(x):
    x = x.detach()
    x = x.reshape(1, 1) if x.dim() == 0 else x
    return {"rows": x.shape[0], "cols": x.shape[1], "data": x.reshape(-1).tolist()}


cases = {}
for name, operation in OPERATIONS.items():
    wave = (1.0 + 2.3 * torch.arange(12)).sin() * 0.8
    a = wave.reshape(3, 4).requires_grad_()
    b = (wave.detach().abs() + 0.15).reshape(3, 4).requires_grad_()
    y = operation(a, b)
    w = (0.7 + 1.9 * torch.arange(y.numel())).cos().reshape(y.shape)
    (w * y).sum().backward()
    gradients = [x.grad if x.grad is not None else torch.zeros_like(x) for x in (a, b)]
    cases[name] = {
        "inputs": [matrix(a), matrix(b)],
        "upstream": matrix(w),
        "output": matrix(y),
        "gradients": [matrix(g) for g in gradients],
    }
json.dump(cases, sys.stdout, separators=(",", ":"))
print()
