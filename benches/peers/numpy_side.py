"""NumPy, SciPy, scikit-learn and Python's own gzip."""

import math

import numpy as np
import scipy.linalg
from sklearn.gaussian_process.kernels import Matern
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics.pairwise import rbf_kernel

import side


def gemm(clock, kind, size, form):
    a, b = side.operands(kind, size, form)
    a, b = (a.T if form == "tn" else a), (b.T if form == "nt" else b)
    c = a @ b
    return clock.time(lambda: np.matmul(a, b, out=c)), c.mean(dtype=np.float64)


def cholesky(clock, kind, n):
    a = side.definite(kind, int(n))
    factor = lambda: scipy.linalg.cholesky(a, lower=True, check_finite=False)
    return clock.time(factor), 2 * np.log(np.diag(factor()).astype(np.float64)).sum()


def gram(clock, kind, kernel, n):
    x = side.filled((int(n), 64), 1, 0, 1, kind)
    if kernel == "rbf":
        work = lambda: rbf_kernel(x, gamma=0.1)
    else:
        # It computes in f64 whatever it is given.
        if kind == "f32":
            return None
        matern = Matern(length_scale=3.0, nu=2.5)
        work = lambda: matern(x)
    return clock.time(work), work().mean(dtype=np.float64)


def features(clock, kind, n):
    x = side.filled((int(n), 64), 1, 0, 1, kind)
    omega = (math.sqrt(0.2) * np.random.default_rng(0).standard_normal((64, 1000))).astype(x.dtype)
    scale = x.dtype.type(math.sqrt(1 / 1000))

    def work():
        z = x @ omega
        return np.concatenate([np.cos(z), np.sin(z)], axis=1) * scale

    return clock.time(work), math.nan


def krr(clock, kind, n):
    n = int(n)
    x, y = side.filled((n, 64), 1, 0, 1, kind), side.filled((n,), 2, -1, 1, kind)
    model = KernelRidge(alpha=n * 1e-6, kernel="rbf", gamma=0.1)
    seconds = clock.time(lambda: model.fit(x, y))
    return seconds, np.abs(model.dual_coef_).mean(dtype=np.float64)


def load(clock):
    _, y, _, test_y = side.data()
    return clock.time(side.data), float(y.sum(dtype=np.int64) + test_y.sum(dtype=np.int64))


ROWS = {
    "gemm": gemm,
    "cholesky": cholesky,
    "gram": gram,
    "features": features,
    "krr": krr,
    "load": load,
}
