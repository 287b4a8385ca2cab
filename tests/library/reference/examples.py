"""Writes examples.json: what scikit-learn 1.9.1 and PyTorch 2.15 find where tests/examples do the same.

    cargo test --release --test library examples::print_rows -- --ignored --nocapture | grep '^{' > rows.json
    python tests/library/reference/examples.py rows.json > examples.json

from the top of the repository; `rows.json` has the rows of every test part, so that both sides train and test on
the same samples. An examples.json of before does as well. Networks are trained from seven seeds, with PyTorch's own
initial weights, and one figure a seed is written down.
"""

import csv
import json
import math
import sys

import numpy as np
import sklearn
import torch
from scipy.optimize import curve_fit
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeCV
from sklearn.metrics import average_precision_score, log_loss, r2_score, recall_score, roc_auc_score
from sklearn.metrics import root_mean_squared_error
from sklearn.preprocessing import StandardScaler
from torch import nn

assert sklearn.__version__ == "1.9.1" and torch.__version__.startswith("2.15.")
torch.set_num_threads(1)
ROWS = json.load(open(sys.argv[1]))["rows"]
SEEDS = range(7)


def table(name):
    """Features and targets, texts as the place in their alphabet."""
    lines = list(csv.reader(open(f"data/{name}.csv")))[1:]
    x = np.array([line[:-1] for line in lines], float)
    y = [line[-1] for line in lines]
    try:
        return x, np.array(y, float)
    except ValueError:
        return x, np.unique(y, return_inverse=True)[1]


def parts(x, y, test):
    train = np.setdiff1d(np.arange(len(y)), test)
    return x[train], y[train], x[test], y[test]


def standardized(x, z):
    scaler = StandardScaler().fit(x)
    return torch.tensor(scaler.transform(x), dtype=torch.float32), torch.tensor(
        scaler.transform(z), dtype=torch.float32
    )


def trained(net, optimizer, loss, x, y, epochs, schedule=None):
    """Batches of 32 in a new order each epoch."""
    for _ in range(epochs):
        for batch in torch.randperm(len(x)).split(32):
            optimizer.zero_grad()
            loss(net(x[batch]), y[batch]).backward()
            optimizer.step()
            if schedule is not None:
                schedule.step()


def formula():
    c = np.repeat([0.02, 0.06, 0.11, 0.22, 0.56, 1.10], 2)
    rate = np.array([76, 47, 97, 107, 123, 139, 159, 152, 191, 201, 207, 200.0])

    def law(c, v, k):
        return v * c / (k + c)

    (v, k), _ = curve_fit(law, c, rate, [200, 0.05], ftol=1e-15, xtol=1e-15, gtol=1e-15)
    by_scipy = [v, k, float(np.sum((law(c, v, k) - rate) ** 2))]
    c, rate = torch.tensor(c), torch.tensor(rate)
    ab = torch.ones(2, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([ab], lr=0.1, momentum=0.9)
    for _ in range(2000):
        v, k = 200 * ab[0], 0.05 * ab[1]
        loss = (0.01 * (law(c, v, k) - rate)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    by_torch = [200 * ab[0].item(), 0.05 * ab[1].item(), loss.item() * 12e4]
    return dict(scipy=by_scipy, torch=by_torch)


def iris():
    x, y, xt, yt = parts(*table("iris"), ROWS["iris"])
    x, xt = standardized(x, xt)
    y, target = torch.tensor(y), torch.tensor(yt)
    out = []
    for seed in SEEDS:
        torch.manual_seed(seed)
        net = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 3))
        loss = nn.CrossEntropyLoss()
        trained(net, torch.optim.Adam(net.parameters(), 0.01), loss, x, y, 100)
        with torch.no_grad():
            z = net(xt)
            out.append([float((z.argmax(1) == target).double().mean()), loss(z, target).item()])
    return out


def wine():
    x, y, xt, yt = parts(*table("wine"), ROWS["wine"])
    scaler = StandardScaler().fit(x)
    model = LogisticRegression(C=1 / (len(y) * 0.01), solver="newton-cholesky", tol=1e-13, max_iter=1000)
    model.fit(scaler.transform(x), y)
    p = model.predict_proba(scaler.transform(xt))
    return [float(np.mean(p.argmax(1) == yt)), log_loss(yt, p)]


def breast_cancer():
    data = table("breast_cancer")
    out = []
    for seed in SEEDS:
        torch.manual_seed(seed)
        figures = []
        for test in ROWS["breast_cancer"]:
            x, y, xt, yt = parts(*data, test)
            x, xt = standardized(x, xt)
            y = torch.tensor(y, dtype=torch.float32)[:, None]
            net = nn.Sequential(nn.Linear(30, 16), nn.ReLU(), nn.Linear(16, 1))
            trained(net, torch.optim.Adam(net.parameters(), 0.01), nn.BCEWithLogitsLoss(), x, y, 20)
            with torch.no_grad():
                z = net(xt)[:, 0].numpy()
            figures.append([float(np.mean((z > 0) == yt)), roc_auc_score(yt, z)])
        out.append(np.mean(figures, 0).tolist())
    return out


def diabetes():
    x, y, xt, yt = parts(*table("diabetes"), ROWS["diabetes"])
    scaler = StandardScaler().fit(x)
    x, xt = scaler.transform(x), scaler.transform(xt)
    grid = 10 ** np.linspace(-4, 1, 51)
    chosen = RidgeCV(len(y) * grid).fit(x, y)
    found = chosen.predict(xt)
    plain = LinearRegression().fit(x, y).predict(xt)
    return [chosen.alpha_ / len(y), r2_score(yt, found), root_mean_squared_error(yt, found), r2_score(yt, plain)]


def digits():
    x, y, xt, yt = parts(*table("digits"), ROWS["digits"])
    return *standardized(x, xt), y.astype(int), yt.astype(int)


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm, self.up = nn.LayerNorm(width), nn.Linear(width, width)
        self.down = nn.Linear(width, width)

    def forward(self, x):
        return x + self.down(torch.relu(self.up(self.norm(x))))


def residual():
    x, xt, y, yt = digits()
    out = []
    for seed in SEEDS:
        torch.manual_seed(seed)
        net = nn.Sequential(nn.Linear(64, 64), Block(64), Block(64), nn.Linear(64, 10))
        optimizer = torch.optim.Adam(net.parameters(), 0.001)
        trained(net, optimizer, nn.CrossEntropyLoss(), x, torch.tensor(y), 20)
        with torch.no_grad():
            out.append(float(np.mean(net(xt).argmax(1).numpy() == yt)))
    return out


def focal_loss(z, y):
    log_p = torch.log_softmax(z, 1).gather(1, y[:, None])[:, 0]
    return (-((1 - log_p.exp()) ** 2) * log_p).mean()


def focal():
    x, xt, y, yt = digits()
    y, yt = (y == 8).astype(int), (yt == 8).astype(int)
    out = dict(cross_entropy=[], focal=[])
    for name, loss in [("cross_entropy", nn.CrossEntropyLoss()), ("focal", focal_loss)]:
        for seed in SEEDS:
            torch.manual_seed(seed)
            net = nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 2))
            trained(net, torch.optim.Adam(net.parameters(), 0.01), loss, x, torch.tensor(y), 20)
            with torch.no_grad():
                p = net(xt).softmax(1)[:, 1].numpy()
            sure = np.maximum(p, 1 - p)
            out[name].append(
                [recall_score(yt, p > 0.5), average_precision_score(yt, p), float(sure[(p > 0.5) != yt].mean())]
            )
    return out


class Lion(torch.optim.Optimizer):
    """The authors' program, as in the appendix of arXiv:2302.06675."""

    def __init__(self, params, lr, betas=(0.9, 0.99), weight_decay=0.0):
        super().__init__(params, dict(lr=lr, betas=betas, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.mul_(1 - group["lr"] * group["weight_decay"])
                state, (beta1, beta2) = self.state[p], group["betas"]
                if not state:
                    state["exp_avg"] = torch.zeros_like(p)
                m = state["exp_avg"]
                p.add_((m * beta1 + p.grad * (1 - beta1)).sign_(), alpha=-group["lr"])
                m.mul_(beta2).add_(p.grad, alpha=1 - beta2)


def lion():
    x, xt, y, yt = digits()
    out = []
    for seed in SEEDS:
        torch.manual_seed(seed)
        net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
        optimizer = Lion(net.parameters(), 0.0003, weight_decay=0.1)
        trained(net, optimizer, nn.CrossEntropyLoss(), x, torch.tensor(y), 20)
        with torch.no_grad():
            out.append(float(np.mean(net(xt).argmax(1).numpy() == yt)))
    # 40 steps down x² + 10y² from (1, −1), in double precision; a third number has no gradient.
    p = torch.tensor([1.0, -1.0, 0.5], dtype=torch.float64, requires_grad=True)
    optimizer = Lion([p], 0.07, weight_decay=0.1)
    for _ in range(40):
        optimizer.zero_grad()
        (p[0] ** 2 + 10 * p[1] ** 2 + 0 * p[2]).backward()
        optimizer.step()
    return dict(accuracy=out, path=p.tolist())


def own_schedule():
    x, xt, y, yt = digits()
    steps = 10 * math.ceil(len(x) / 32)
    out, rates = [], []
    for seed in SEEDS:
        torch.manual_seed(seed)
        net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
        optimizer = torch.optim.Adam(net.parameters())
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, max_lr=0.01, total_steps=steps, pct_start=0.3, cycle_momentum=False
        )
        trained(net, optimizer, nn.CrossEntropyLoss(), x, torch.tensor(y), 10, schedule)
        with torch.no_grad():
            out.append(float(np.mean(net(xt).argmax(1).numpy() == yt)))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        torch.optim.SGD([torch.zeros(1)]), max_lr=0.01, total_steps=430, pct_start=0.3, cycle_momentum=False
    )
    for _ in range(430):
        rates.append(schedule.get_last_lr()[0])
        schedule.optimizer.step()
        if len(rates) < 430:
            schedule.step()
    return dict(accuracy=out, rates=rates)


def gp_band():
    x = np.array([0.0, 0.4, 0.9, 1.3, 1.8, 2.2, 4.4, 4.9, 5.3, 5.8])[:, None]
    y = np.array([0.11, 1.02, 2.51, 2.76, 3.05, 2.34, -2.98, -2.81, -2.62, -1.26])
    at = np.array([1.1, 3.3, 9.0])[:, None]
    out = {}
    for name, variance in [("unit", 1.0), ("amplitude", 9.0)]:
        process = GaussianProcessRegressor(ConstantKernel(variance) * RBF(1.0), alpha=0.04, optimizer=None)
        mean, std = process.fit(x, y).predict(at, return_std=True)
        likelihood = process.log_marginal_likelihood_value_
        out[name] = dict(mean=mean.tolist(), std=std.tolist(), likelihood=float(likelihood))
    return out


def parallel():
    x, y, xt, yt = parts(*table("digits"), ROWS["digits"])
    codes = np.where(y[:, None] == np.arange(10), 1.0, -1.0)
    model = KernelRidge(alpha=len(y) * 1e-4, kernel="rbf", gamma=0.001).fit(x, codes)
    z = model.predict(xt)
    return dict(accuracy=float(np.mean(z.argmax(1) == yt)), first=z[0].tolist())


out = dict(note="scikit-learn 1.9.1, PyTorch 2.15, SciPy; by examples.py", rows=ROWS)
for f in [formula, iris, wine, breast_cancer, diabetes, residual, focal, lion, own_schedule, gp_band, parallel]:
    out[f.__name__] = f()
    figures = out[f.__name__]
    print(f.__name__, {k: v for k, v in figures.items() if k != "rates"} if isinstance(figures, dict) else figures,
          file=sys.stderr, flush=True)
lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in out.items()]
print("{\n" + ",\n".join(lines) + "\n}")
