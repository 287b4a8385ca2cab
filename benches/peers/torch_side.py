"""PyTorch: eager, as its users write it, with the fused Adam."""

import math
import os
import sys
import time

import numpy as np
import torch
from torch.nn import functional as F

import side

torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))

OPERATIONS = {
    "exp": torch.exp,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "gelu_erf": F.gelu,
    "softmax": lambda x: torch.softmax(x, 1),
    "log_softmax": lambda x: torch.log_softmax(x, 1),
}


def gemm(clock, kind, size, form):
    a, b = map(torch.from_numpy, side.operands(kind, size, form))
    a, b = (a.T if form == "tn" else a), (b.T if form == "nt" else b)
    c = a @ b
    return clock.time(lambda: torch.matmul(a, b, out=c)), c.double().mean().item()


def cholesky(clock, kind, n):
    a = torch.from_numpy(side.definite(kind, int(n)))
    factor = lambda: torch.linalg.cholesky(a)
    return clock.time(factor), 2 * factor().diagonal().double().log().sum().item()


def op(clock, kind, name, direction):
    f = OPERATIONS[name]
    x = torch.from_numpy(side.filled((side.SIDE, side.SIDE), 1, -3, 3, kind)).requires_grad_()
    y = f(x)
    if direction == "forward":
        return clock.time(lambda: f(x)), y.double().mean().item()
    upstream = torch.from_numpy(side.filled((side.SIDE, side.SIDE), 2, 0, 1, kind))
    back = lambda: torch.autograd.grad(y, x, upstream, retain_graph=True)[0]
    return clock.time(back), back().double().abs().mean().item()


def chain(clock, kind, length):
    length = int(length)
    x = torch.tensor([[1.0]], dtype=getattr(torch, side.TYPES[kind].__name__), requires_grad=True)

    def work():
        y = x
        for i in range(length):
            y = y * x if i % 2 == 0 else y + x
        torch.autograd.grad(y, x)
        return y.item()

    return clock.time(work) / length, work()


def network(widths, kind):
    layers = []
    for k, w in enumerate(side.weights(widths, kind)):
        linear = torch.nn.Linear(*w.shape, dtype=getattr(torch, side.TYPES[kind].__name__))
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(w.T))
            linear.bias.zero_()
        layers += [linear] if k == len(widths) - 2 else [linear, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers)


def step(clock, kind, shape):
    widths = side.widths(shape)
    x, y = map(torch.from_numpy, side.small(widths, kind))
    net = network(widths, kind)
    adam = torch.optim.Adam(net.parameters(), lr=1e-3, fused=True)

    def one():
        loss = F.cross_entropy(net(x), y)
        adam.zero_grad()
        loss.backward()
        adam.step()
        return loss.item()

    check = [one() for _ in range(side.STEPS)][-1]
    return clock.time(one), check


class Patches(torch.nn.Module):
    """Squares of 7×7 as tokens, with learned positions."""

    def __init__(self):
        super().__init__()
        self.map = torch.nn.Conv2d(1, 64, 7, 7)
        self.positions = torch.nn.Parameter(0.02 * torch.randn(16, 64))

    def forward(self, x):
        return self.map(x).flatten(2).transpose(1, 2) + self.positions


class MeanOfTokens(torch.nn.Module):
    def forward(self, x):
        return x.mean(1)


def of_images(name):
    """The networks of images, as tapegrad has them."""
    n = torch.nn
    if name == "lenet":
        layers = [n.Conv2d(1, 6, 5, padding=2), n.MaxPool2d(2), n.ReLU(), n.Conv2d(6, 16, 5), n.MaxPool2d(2), n.ReLU()]
        layers += [n.Flatten(), n.Linear(400, 120), n.ReLU(), n.Linear(120, 84), n.ReLU(), n.Linear(84, 10)]
    elif name == "cnn":
        layers = [n.Conv2d(1, 32, 3), n.ReLU(), n.Conv2d(32, 64, 3), n.MaxPool2d(2), n.ReLU(), n.Dropout(0.25)]
        layers += [n.Flatten(), n.Linear(9216, 128), n.ReLU(), n.Dropout(0.5), n.Linear(128, 10)]
    elif name == "vit":
        block = lambda: n.TransformerEncoderLayer(64, 4, 256, 0.0, "gelu", batch_first=True, norm_first=True)
        layers = [Patches(), block(), block(), n.LayerNorm(64), MeanOfTokens(), n.Linear(64, 10)]
    else:
        return None
    return n.Sequential(*layers)


def training(net, x, y):
    """A step on the rows that it is given: its loss."""
    adam = torch.optim.Adam(net.parameters(), lr=1e-3, fused=True)

    def one(rows):
        loss = F.cross_entropy(net(x[rows]), y[rows])
        adam.zero_grad()
        loss.backward()
        adam.step()
        return loss.detach()

    return one


def fastest(name, x, y):
    """The network of images in the form that is fastest here: as it is, with the channels last, compiled."""
    plain = lambda: (of_images(name), x)
    last = lambda: tuple(part.to(memory_format=torch.channels_last) for part in plain())
    best = None
    for make in (plain, last, lambda: (torch.compile(of_images(name)), x)):
        net, images = make()
        one, rows = training(net, images, y), torch.arange(side.BATCH_ROWS)
        try:
            one(rows), one(rows)
            with torch.inference_mode():
                net.eval()(images[rows])
            net.train()
        except Exception as error:  # No compiler here, or one that it does not know.
            print(f"{name}: one form left out, {type(error).__name__}", file=sys.stderr)
            continue
        start = time.perf_counter()
        for _ in range(20):
            one(rows)
        seconds = time.perf_counter() - start
        if best is None or seconds < best[0]:
            best = seconds, make
    return best[1]()


def epoch(clock, kind, shape):
    x, y, test_x, test_y = map(torch.from_numpy, side.images(kind))
    if of_images(shape):
        x, test_x = (x.view(-1, 1, 28, 28) for x in (x, test_x))
        net, x = fastest(shape, x, y)
    else:
        net = network(side.widths(shape), kind)
    step, accuracies = training(net, x, y), []

    def one():
        total = torch.zeros((), dtype=x.dtype)
        order = torch.randperm(len(x))
        net.train()
        for rows in order.split(side.BATCH_ROWS):
            total += step(rows) * len(rows)
        net.eval()
        with torch.inference_mode():
            right = sum((net(a).argmax(1) == b).sum().item() for a, b in zip(test_x.split(256), test_y.split(256)))
        accuracies.append(right / len(test_y))
        return total.item()

    return clock.time(one), accuracies[0]


def predict(clock, kind, shape, rows):
    widths = side.widths(shape)
    net = network(widths, kind).eval()
    x = torch.from_numpy(side.filled((int(rows), widths[0]), 1, 0, 1, kind))
    with torch.inference_mode():
        ask = lambda: torch.softmax(net(x), 1)
        return clock.time(ask), ask()[0, 0].item()


def distances(x):
    norms = (x * x).sum(1)
    return (norms[:, None] + norms[None, :] - 2 * (x @ x.T)).clamp_(min=0)


def gram(clock, kind, kernel, n):
    x = torch.from_numpy(side.filled((int(n), 64), 1, 0, 1, kind))
    if kernel == "rbf":
        work = lambda: distances(x).mul_(-0.1).exp_()
    else:

        def work():
            r = distances(x).sqrt_().mul_(math.sqrt(5) / 3)
            return (1 + r + r * r / 3) * torch.exp(-r)

    return clock.time(work), work().double().mean().item()


def features(clock, kind, n):
    x = torch.from_numpy(side.filled((int(n), 64), 1, 0, 1, kind))
    omega = math.sqrt(0.2) * torch.randn(64, 1000, dtype=x.dtype)

    def work():
        z = x @ omega
        return torch.cat([z.cos(), z.sin()], 1).mul_(math.sqrt(1 / 1000))

    return clock.time(work), math.nan


def krr(clock, kind, n):
    n = int(n)
    x = torch.from_numpy(side.filled((n, 64), 1, 0, 1, kind))
    y = torch.from_numpy(side.filled((n, 1), 2, -1, 1, kind))

    def work():
        k = distances(x).mul_(-0.1).exp_()
        k.diagonal().add_(n * 1e-6)
        return torch.cholesky_solve(y, torch.linalg.cholesky(k))

    return clock.time(work), work().double().abs().mean().item()


ROWS = {
    "gemm": gemm,
    "cholesky": cholesky,
    "op": op,
    "chain": chain,
    "step": step,
    "epoch": epoch,
    "predict": predict,
    "gram": gram,
    "features": features,
    "krr": krr,
}
