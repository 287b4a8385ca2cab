"""Figures of PyTorch for the operations on sequences: prints sequences.json, one case a line.

Values are f64. Each case holds the inputs, an upstream gradient w, the value y, the gradients of sum(w * y), and the
expression that made y. Rows of matrices are tokens, sequence by sequence; heads stand side by side.
"""

import json

import torch
import torch.nn.functional as F

torch.manual_seed(14)
torch.set_default_dtype(torch.float64)
S, L = 2, 3


def heads(x, h):
    """(S·n)×(h·d) as S×h×n×d."""
    return x.reshape(S, -1, h, x.shape[1] // h).transpose(1, 2)


def rows(x):
    """S×h×n×d as (S·n)×(h·d)."""
    return x.transpose(1, 2).flatten(2).flatten(0, 1)


def recurrent(kind, x, u, state, bias=None):
    """Gates are the input itself: the weights of the input are the identity."""
    h, gates = u.shape
    net = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[kind](gates, h, batch_first=True)
    hidden = torch.zeros(gates) if bias is None else torch.cat([torch.zeros(2 * h), bias[0]])
    weights = {
        "weight_ih_l0": torch.eye(gates),
        "weight_hh_l0": u.T,
        "bias_ih_l0": torch.zeros(gates),
        "bias_hh_l0": hidden,
    }
    before = state[:, :h].unsqueeze(0).contiguous()
    if kind == "lstm":
        before = (before, state[:, h:].unsqueeze(0).contiguous())
    y, _ = torch.func.functional_call(net, weights, (x.reshape(S, L, gates), before))
    return y.flatten(0, 1)


def padded():
    mask = torch.zeros(S, 1, L, L, dtype=torch.bool)
    mask[0, :, :, :2] = True
    mask[1] = True
    return mask


def rotated(x, h, base):
    d = x.shape[1] // h
    angles = torch.outer(torch.arange(L), base ** (-2 * torch.arange(d // 2) / d))
    z = torch.view_as_complex(x.reshape(S, L, h, d // 2, 2)) * torch.polar(torch.ones_like(angles), angles)[:, None]
    return torch.view_as_real(z).reshape(x.shape)


attend = F.scaled_dot_product_attention
TOKENS = torch.tensor([[2, 0, 2], [1, 4, 2]])
CASES = {
    "embedding": ([(5, 4)], lambda t: F.embedding(TOKENS, t).flatten(0, 1)),
    "add_positions": ([(6, 4), (5, 4)], lambda x, t: (x.reshape(S, L, -1) + t[:L]).flatten(0, 1)),
    "rotary": ([(6, 8)], lambda x: rotated(x, 2, 100.0)),
    "rms_norm": ([(4, 6), (1, 6)], lambda x, g: F.rms_norm(x, (6,), g[0], 1e-5)),
    "group_norm": (
        [(3, 20), (1, 4), (1, 4)],
        lambda x, g, b: F.group_norm(x.reshape(3, 5, 4).transpose(1, 2), 2, g[0], b[0], 1e-5).transpose(1, 2).flatten(1),
    ),
    "cross_entropy_ignoring": (
        [(5, 4)],
        lambda x: F.cross_entropy(x, torch.tensor([3, 0, 1, 0, 2]), ignore_index=0).reshape(1, 1),
    ),
    "attention": (
        [(6, 4), (8, 4), (8, 6)],
        lambda q, k, v: rows(attend(heads(q, 2), heads(k, 2), heads(v, 2))),
    ),
    "attention_causal": (
        [(6, 4), (6, 4), (6, 6)],
        lambda q, k, v: rows(attend(heads(q, 2), heads(k, 2), heads(v, 2), is_causal=True)),
    ),
    "attention_padded": (
        [(6, 4), (6, 4), (6, 6)],
        lambda q, k, v: rows(attend(heads(q, 2), heads(k, 2), heads(v, 2), attn_mask=padded())),
    ),
    "attention_long": (
        [(140, 3), (140, 3), (140, 2)],
        lambda q, k, v: rows(attend(heads(q, 1), heads(k, 1), heads(v, 1), is_causal=True)),
    ),
    "rnn": ([(6, 3), (3, 3), (2, 3)], lambda x, u, s: recurrent("rnn", x, u, s)),
    "lstm": ([(6, 12), (3, 12), (2, 6)], lambda x, u, s: recurrent("lstm", x, u, s)),
    "gru": ([(6, 9), (3, 9), (2, 3), (1, 3)], lambda x, u, s, b: recurrent("gru", x, u, s, b)),
}


def matrix(x):
    x = x.detach()
    return {"rows": x.shape[0], "cols": x.shape[1], "data": x.flatten().tolist()}


lines = []
for name, (shapes, f) in CASES.items():
    inputs = [torch.randn(shape).requires_grad_() for shape in shapes]
    y = f(*inputs)
    upstream = torch.randn(y.shape)
    y.backward(upstream)
    case = {
        "inputs": [matrix(x) for x in inputs],
        "upstream": matrix(upstream),
        "output": matrix(y),
        "gradients": [matrix(x.grad) for x in inputs],
    }
    lines.append(f"{json.dumps(name)}: {json.dumps(case)}")
print("{\n" + ",\n".join(lines) + "\n}")
