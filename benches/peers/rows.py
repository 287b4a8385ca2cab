"""The rows of the table: what each side is asked for, on how many threads.

A size more is a line here. A kind more is also one function in each side that has it: src/tapegrad.rs, numpy_side.py,
torch_side.py, jax_side.py, src/candle.rs, src/burn.rs.
"""

import math
from dataclasses import dataclass


@dataclass
class Row:
    """The words that a side gets, the threads, and how far the sides' checks may differ from tapegrad's, relatively."""

    name: str
    threads: int = 1
    tolerance: float = 1e-3

    def flops(self):
        """Of a product or a factor, by the textbook; nothing for other rows."""
        words = self.name.split()
        if words[0] == "gemm":
            m, k, n = ([int(x) for x in words[2].split("x")] * 3)[:3]
            return 2 * m * k * n
        if words[0] == "cholesky":
            return int(words[2]) ** 3 / 3
        return None


def both(name, **rest):
    return [Row(name.replace("TYPE", kind), **rest) for kind in ("f32", "f64")]


OPERATIONS = "exp relu sigmoid tanh gelu_tanh gelu_erf softmax log_softmax".split()

ROWS = [
    *[row for n in (128, 512, 1024, 2048) for row in both(f"gemm TYPE {n} nn")],
    *[row for form in ("nn", "nt", "tn") for row in both(f"gemm TYPE 128x1024x1024 {form}")],
    *both("gemm TYPE 2048 nn", threads=2),
    # What a Gram matrix of 4,000 samples costs without the kernel.
    *both("gemm TYPE 4000x64x4000 nt"),
    *both("cholesky TYPE 2000"),
    # The checks of a training are accuracies: the initial weights and the order of the samples are each side's own.
    *[row for threads in (1, 2) for row in both("epoch TYPE 784-128-10", threads=threads, tolerance=0.05)],
    *both("epoch TYPE 784-256-256-10", threads=2, tolerance=0.05),
    *both("epoch TYPE 784-1024-1024-10", threads=2, tolerance=0.05),
    *[Row(f"epoch f32 {net}", threads=2, tolerance=0.05) for net in ("lenet", "cnn", "vit")],
    *both("step TYPE 2-64-64-3"),
    *[row for op in OPERATIONS for way in ("forward", "backward") for row in both(f"op TYPE {op} {way}")],
    *both("chain TYPE 1000", tolerance=math.inf),
    *both("gram TYPE rbf 4000"),
    *both("gram TYPE matern52 4000"),
    *both("features TYPE 10000"),
    *[Row(f"krr f64 {n}", threads=2, tolerance=1e-2) for n in (2000, 4000, 8000)],
    Row("load", threads=2),
    *[row for rows in (1, 1000) for row in both(f"predict TYPE 784-128-10 {rows}")],
]
