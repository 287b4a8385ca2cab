#!/usr/bin/env python3
"""tapegrad and other frameworks, in turn, on this machine: a Markdown table of medians and ratios.

    benches/peers/peers.py                          every row, three rounds
    benches/peers/peers.py --rows 'gemm f32|step'   rows whose name the pattern finds
    benches/peers/peers.py --without burn,candle    fewer peers
    benches/peers/peers.py --list                   the rows

The first run makes a virtual environment with pinned versions and builds the Rust sides, all under target/peers. A peer
that cannot be had here is named and left out. Nothing else should run at the same time: the load is printed.
"""

import argparse
import datetime
import math
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys

from rows import ROWS

HERE = pathlib.Path(__file__).resolve().parent
TORCH = "torch==2.15.0"
# The wheels without CUDA are there; where they cannot be reached, those of PyPI do, at some gigabytes more.
TORCH_CPU = "https://download.pytorch.org/whl/cpu"
PYTHON = {"numpy": "NumPy, scikit-learn", "torch": "PyTorch", "jax": "JAX"}
RUST = {"candle": "candle", "burn": "burn"}


def say(*words):
    print(*words, file=sys.stderr, flush=True)


def quiet(command, **options):
    """Whether it went well; what it said is shown if not."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode:
        say(done.stdout[-3000:])
    return done.returncode == 0


class Place:
    """What lies under the folder of the harness, made where it is missing."""

    def __init__(self, folder):
        self.folder = folder.resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.python = self.folder / "venv" / "bin" / "python"

    def venv(self):
        if not self.python.exists():
            say("making a virtual environment")
            subprocess.run([sys.executable, "-m", "venv", self.folder / "venv"], check=True)
        pip = [self.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        if not quiet([*pip, "-r", HERE / "requirements.txt"]):
            sys.exit("error: the packages of requirements.txt cannot be installed")
        # Tried before it is installed: a version that is there already is not asked for again.
        if not self.imports("torch"):
            say("installing PyTorch")
            direct = [*pip, "--retries", "0", "--timeout", "15", "--index-url", TORCH_CPU, TORCH]
            quiet(direct) or quiet([*pip, TORCH])

    def imports(self, module):
        probe = [self.python, "-c", f"import {module}"]
        return subprocess.run(probe, capture_output=True).returncode == 0

    def rust(self, side, features=()):
        """The program of a Rust side, built; None if it does not build."""
        say(f"building {side}")
        command = ["cargo", "build", "--release", "--manifest-path", HERE / "Cargo.toml", "--bin", f"{side}-side"]
        environment = {**os.environ, "CARGO_TARGET_DIR": str(self.folder / "cargo")}
        if not quiet([*command, *(["--features", *features] if features else [])], env=environment):
            return None
        return self.folder / "cargo" / "release" / f"{side}-side"

    def images(self, tapegrad):
        """The folder of MNIST, or of digits that are drawn in its place."""
        if real := os.environ.get("TAPEGRAD_MNIST"):
            return pathlib.Path(real), "MNIST"
        digits = self.folder / "digits"
        if not digits.exists():
            say("drawing digits: TAPEGRAD_MNIST names no folder with the real ones")
            subprocess.run([tapegrad, "--digits", digits], check=True)
        return digits, "digits drawn by tapegrad, as TAPEGRAD_MNIST is not set"


def environment(threads):
    """The same number of threads for everybody; and no settings that hold a library back."""
    own = {k: v for k, v in os.environ.items() if not k.startswith(("OPENBLAS_", "MKL_", "OMP_", "XLA_", "RAYON_"))}
    for name in ("OMP", "OPENBLAS", "MKL", "RAYON"):
        own[f"{name}_NUM_THREADS"] = str(threads)
    if threads == 1:
        own["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    return {**own, "JAX_PLATFORMS": "cpu"}


class Side:
    """A process that answers questions on so many threads, on as many processors where the system can hold it there."""

    def __init__(self, command, threads):
        pin = getattr(os, "sched_setaffinity", None)
        if pin:
            cores = sorted(os.sched_getaffinity(0))[:threads]
        self.threads = threads
        self.process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=HERE,
            env=environment(threads),
            preexec_fn=(lambda: pin(0, cores)) if pin else None,
        )

    def ask(self, row, seconds):
        """Seconds and check, or why there are none."""
        try:
            print(self.threads, seconds, row.name, file=self.process.stdin, flush=True)
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            return "error the process ended"
        if answer.startswith(("none", "error")):
            return answer.strip()
        return tuple(float(word) for word in answer.split())

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def measure(row, sides, rounds, seconds):
    """Of each side its median and check, or why not. Every round asks all sides, in turn."""
    answers = {name: [] for name in sides}
    for k in range(rounds):
        # Each round begins with another side, so that none always follows the same one.
        names = list(sides)
        for name in names[k % len(names) :] + names[: k % len(names)]:
            so_far = answers[name]
            if not (so_far and isinstance(so_far[-1], str)):
                so_far.append(sides[name].ask(row, seconds))
    result = {}
    for name, got in answers.items():
        last = got[-1]
        result[name] = last if isinstance(last, str) else (statistics.median(s for s, _ in got), last[1])
    return result


def time(seconds):
    for unit, factor in (("s", 1), ("ms", 1e3), ("µs", 1e6), ("ns", 1e9)):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e9:.2g} ns"


def machine(load):
    """What it was measured on, a line each."""
    model = platform.processor() or platform.machine()
    info = pathlib.Path("/proc/cpuinfo")
    if info.exists() and (found := re.search(r"model name\s*:\s*(.*)", info.read_text())):
        model = found[1]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    rustc = subprocess.run(["rustc", "--version"], capture_output=True, text=True).stdout.strip()
    git = ["git", "-C", HERE, "describe", "--always", "--dirty"]
    commit = subprocess.run(git, capture_output=True, text=True).stdout.strip()
    system = f"{platform.system()} {platform.machine()}"
    lines = [f"{model}, {cores} processors, {system}, {datetime.date.today()}", f"tapegrad at {commit}, {rustc}"]
    # A load of this harness alone is that of a process or two; at its start there should be none.
    return lines + [f"load of the machine before: {load:.2f}" + (", **not quiet**" if load > 0.3 else "")]


def versions(place, names):
    pinned = (HERE / "requirements.txt").read_text() + TORCH + "\n" + (HERE / "Cargo.toml").read_text()
    wanted = {"numpy": ("numpy", "scikit-learn", "scipy"), "torch": ("torch",), "jax": ("jax",)}
    wanted |= {"candle": ("candle-core",), "burn": ("burn",)}
    found = []
    for package in (p for name in names for p in wanted.get(name, ())):
        if version := re.search(rf'^{package}(?:==| = .*?"=)([^"\s]+)', pinned, re.MULTILINE):
            found.append(f"{package} {version[1]}")
    return ", ".join(found)


def table(rows, results, names):
    """Markdown: our time, that of each peer, our time to that of the best of them."""
    heads = {**PYTHON, **RUST}
    peers = [name for name in names if name != "tapegrad"]
    print("| row | threads | tapegrad | " + " | ".join(heads[name] for name in peers) + " | to the best peer |")
    print("|---|---|" + "---|" * (len(peers) + 2))
    notes = []
    for row, result in zip(rows, results):
        cells = []
        for name in names:
            answer = result[name]
            if isinstance(answer, str):
                cells.append("–")
                if answer.startswith("error"):
                    notes.append(f"{row.name}, {name}: {answer}")
                continue
            seconds, check = answer
            rate = f" ({row.flops() / seconds / 1e9:.3g} GFLOPS)" if row.flops() else ""
            cells.append(time(seconds) + rate)
            own = result["tapegrad"]
            if not isinstance(own, str) and not (math.isnan(check) or math.isnan(own[1])):
                off = abs(check - own[1]) / max(abs(check), abs(own[1]), 1e-300)
                # Twice a NaN would have been let through above; an infinity is not.
                if not off <= row.tolerance:
                    notes.append(f"{row.name}: {name} came to {check:g} and tapegrad to {own[1]:g}: not the same work")
        others = [result[name][0] for name in peers if not isinstance(result[name], str)]
        ours = result["tapegrad"]
        ratio = f"{ours[0] / min(others):.2f}" if others and not isinstance(ours, str) else ""
        print(f"| {row.name} | {row.threads} | " + " | ".join(cells) + f" | {ratio} |")
    for note in notes:
        print(f"\n**{note}**")
    return notes


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="", metavar="PATTERN", help="a regular expression found in the row's name")
    parser.add_argument("--threads", type=int, help="rows of so many threads only")
    parser.add_argument("--rounds", type=int, default=3, help="how often every side is asked (default 3)")
    parser.add_argument("--seconds", type=float, default=0.5, help="how long a row is timed each time (default 0.5)")
    parser.add_argument("--without", default="", metavar="A,B", help=f"of {', '.join([*PYTHON, *RUST])}")
    parser.add_argument("--folder", type=pathlib.Path, default=HERE.parents[1] / "target" / "peers")
    parser.add_argument("--list", action="store_true", help="print the rows")
    options = parser.parse_args()
    rows = [row for row in ROWS if re.search(options.rows, row.name)]
    rows = [row for row in rows if options.threads in (None, row.threads)]
    if options.list or not rows:
        print("\n".join(f"{row.name}   ({row.threads} threads)" for row in rows))
        return 0 if rows else f"error: no row's name matches {options.rows!r}"
    if options.rounds < 1 or not options.seconds > 0:
        return "error: --rounds must be at least 1, and --seconds above 0"
    without = {word for word in options.without.split(",") if word}
    if unknown := without - {*PYTHON, *RUST}:
        return f"error: --without: there is no peer {', '.join(sorted(unknown))}"

    place, commands = Place(options.folder), {}
    tapegrad = place.rust("tapegrad")
    if not tapegrad:
        return "error: tapegrad's side does not build"
    images, about = place.images(tapegrad)
    commands["tapegrad"] = [tapegrad, images]
    missing = []
    if set(PYTHON) - without:
        place.venv()
    for name in PYTHON:
        if name in without:
            continue
        if place.imports(name):
            commands[name] = [place.python, HERE / "side.py", f"{name}_side", images]
        else:
            missing.append(name)
    for name in RUST:
        if name in without:
            continue
        if program := place.rust(name, [name]):
            commands[name] = [program, images]
        else:
            missing.append(name)

    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else math.nan
    results = {}
    # All rows of a number of threads one after the other: the processes of only one number are alive at a time.
    for threads in sorted({row.threads for row in rows}):
        sides = {name: Side(command, threads) for name, command in commands.items()}
        for row in (row for row in rows if row.threads == threads):
            say(row.name, f"({threads} threads)")
            results[id(row)] = measure(row, sides, options.rounds, options.seconds)
        for side in sides.values():
            side.end()
    vectors = subprocess.run([tapegrad, "--about"], capture_output=True, text=True).stdout.strip()
    print(*machine(load), f"vectors: {vectors}", versions(place, commands), f"images: {about}", sep="  \n")
    if missing:
        print(f"left out, as they cannot be had here: {', '.join(missing)}")
    print(f"medians of {options.rounds} rounds\n")
    return 1 if table(rows, [results[id(row)] for row in rows], list(commands)) else 0


if __name__ == "__main__":
    sys.exit(main())
