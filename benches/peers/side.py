"""What the Python sides share: the questions on standard input, the clock, the data. See src/side.rs, its twin.

`side.py MODULE FOLDER` answers from ROWS of that module: a table from a row's first word to a function of a clock and
the other words, which returns the seconds of a call and a figure to compare by (NaN where there is none), or None.
"""

import gzip
import importlib
import math
import pathlib
import statistics
import sys
import time

import numpy as np

STEPS = 20
SMALL_BATCH = 64
BATCH_ROWS = 128
SIDE = 1000
BATCH = 1e-3
TYPES = {"f32": np.float32, "f64": np.float64}
FOLDER = pathlib.Path(sys.argv[2])


class Clock:
    def __init__(self, seconds):
        self.seconds = seconds

    def time(self, work):
        """The median time of a call of `work`, as Clock::time of the Rust sides."""

        def once(calls):
            start = time.perf_counter()
            for _ in range(1, calls):
                work()
            kept = work()
            seconds = (time.perf_counter() - start) / calls
            del kept
            return seconds

        first = once(1)
        second = first if first > self.seconds else once(1)
        calls = math.ceil(BATCH / max(second, 1e-9))
        begin = time.perf_counter()
        times = []
        while len(times) < 3 or time.perf_counter() - begin < self.seconds:
            times.append(once(calls))
            if first > self.seconds:
                break
        return statistics.median(times)


def filled(shape, k, low, high, kind):
    """The numbers of stream k from `low` to `high`: the same integer hash as in the Rust sides."""
    x = np.arange(math.prod(shape), dtype=np.uint32) * np.uint32(2_654_435_761)
    x += np.uint32(k * 40_503 % 2**32)
    for _ in range(2):
        x ^= x >> np.uint32(16)
        x *= np.uint32(0x45D9F3B)
    x ^= x >> np.uint32(16)
    return (low + (high - low) * ((x >> np.uint32(8)) / 2.0**24)).astype(TYPES[kind]).reshape(shape)


def sizes(text):
    numbers = [int(word) for word in text.split("x")]
    return numbers * 3 if len(numbers) == 1 else numbers


def widths(text):
    return [int(word) for word in text.split("-")]


def operands(kind, size, form):
    """A and B as they are stored: B transposed for nt, A for tn."""
    m, k, n = sizes(size)
    a = filled((k, m) if form == "tn" else (m, k), 1, 0, 1, kind)
    b = filled((n, k) if form == "nt" else (k, n), 2, 0, 1, kind)
    return a, b


def definite(kind, n):
    half = filled((n, n), 1, 0, 1, kind)
    lower = np.tril(half, -1)
    return lower + lower.T + np.diag(np.full(n, n, TYPES[kind]))


def weights(sizes, kind):
    bounds = [math.sqrt(3 / inputs) for inputs in sizes[:-1]]
    pairs = enumerate(zip(sizes, sizes[1:], bounds))
    return [filled((inputs, outputs), 10 + k, -b, b, kind) for k, (inputs, outputs, b) in pairs]


def small(sizes, kind):
    """Samples and labels of the small training."""
    return filled((SMALL_BATCH, sizes[0]), 1, -1, 1, kind), np.arange(SMALL_BATCH) % sizes[-1]


def read(name):
    """An IDX file of bytes, packed or not."""
    path = FOLDER / name
    raw = path.read_bytes() if path.exists() else gzip.open(f"{path}.gz").read()
    dimensions = [int.from_bytes(raw[4 + 4 * k : 8 + 4 * k]) for k in range(raw[3])]
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * len(dimensions)).reshape(dimensions)


def data():
    """Images and labels, of training and test."""
    return [read(f"{part}-{what}-ubyte") for part in ("train", "t10k") for what in ("images-idx3", "labels-idx1")]


def images(kind):
    """As `data`, with rows of numbers from 0 to 1."""
    x, y, test_x, test_y = data()
    flat = lambda x: x.reshape(len(x), -1).astype(TYPES[kind]) / TYPES[kind](255)
    return flat(x), y.astype(np.int64), flat(test_x), test_y.astype(np.int64)


def serve(rows):
    for line in sys.stdin:
        _, seconds, name, *words = line.split()
        try:
            answer = rows[name](Clock(float(seconds)), *words) if name in rows else None
            print("none" if answer is None else f"{answer[0]:e} {answer[1]:e}", flush=True)
        except Exception as error:  # One row less; the others go on, and the table says why.
            print("error", type(error).__name__, str(error).replace("\n", " ")[:300], flush=True)


if __name__ == "__main__":
    serve(importlib.import_module(sys.argv[1]).ROWS)
