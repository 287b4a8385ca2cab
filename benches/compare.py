#!/usr/bin/env python3
"""Two revisions, in turn, on this machine: a table of the ratios of the medians of the criterion benches.

    benches/compare.py HEAD~1 HEAD                                   all benches, three rounds
    benches/compare.py main HEAD --bench step --filter f32           one of them, a part of it
    benches/compare.py v1 v2 --rounds 5 --threshold 0.03 --jobs 1

A ratio above 1 says that the second revision is slower. Both are built in worktrees under target/compare; a bench that
only one of them has is named and left out. Ends with 1 if something is slower by more than the threshold.
"""

import argparse
import json
import math
import os
import pathlib
import shutil
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]


def git(*words):
    done = subprocess.run(["git", "-C", ROOT, *words], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"error: git {' '.join(map(str, words))}: {done.stderr.strip()}")
    return done.stdout.strip()


def build(commit, folder, jobs):
    """The programs of the benches of a revision, by their names. Its build folder stays, so that a second comparison
    compiles only what changed."""
    tree = folder / "trees" / commit[:12]
    if not (tree / "Cargo.toml").exists():
        git("worktree", "prune")
        git("worktree", "add", "--force", "--detach", tree, commit)
    print(f"building {commit[:12]}", file=sys.stderr, flush=True)
    command = ["cargo", "bench", "--benches", "--no-run", "--message-format=json-render-diagnostics"]
    command += ["--jobs", str(jobs)] if jobs else []
    environment = {**os.environ, "CARGO_TARGET_DIR": str(folder / "build" / commit[:12])}
    done = subprocess.run(command, cwd=tree, env=environment, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"error: {commit[:12]} does not build")
    programs = {}
    for line in done.stdout.splitlines():
        message = json.loads(line)
        if message.get("executable") and message["target"]["kind"] == ["bench"]:
            programs[message["target"]["name"]] = pathlib.Path(message["executable"])
    return tree, programs


def run(tree, program, bench, filters, seconds, home):
    """The median of every benchmark of one program, in nanoseconds, by its name."""
    shutil.rmtree(home, ignore_errors=True)
    command = [program, "--bench", "--noplot", *filters]
    command += ["--measurement-time", str(seconds)] if seconds else []
    done = subprocess.run(
        command, cwd=tree, env={**os.environ, "CRITERION_HOME": str(home)}, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"error: {program} ended with {done.returncode}:\n{done.stderr[-3000:]}")
    medians = {}
    for file in home.glob("**/new/estimates.json"):
        name = json.loads((file.parent / "benchmark.json").read_text())["full_id"]
        medians[f"{bench}: {name}"] = json.loads(file.read_text())["median"]["point_estimate"]
    return medians


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before")
    parser.add_argument("after")
    parser.add_argument("--bench", action="append", help="the name of a bench; more than once for more of them")
    parser.add_argument("--filter", action="append", default=[], help="a part of the names of what is run")
    parser.add_argument("--rounds", type=int, default=3, help="how often each revision runs (default 3)")
    parser.add_argument("--seconds", type=float, help="how long criterion measures; without, as the bench says")
    parser.add_argument("--threshold", type=float, default=0.05, help="what is marked (default 0.05)")
    parser.add_argument("--jobs", type=int, help="for cargo")
    options = parser.parse_args()
    if options.rounds < 1 or not options.threshold > 0:
        return "error: --rounds must be at least 1, and --threshold above 0"
    commits = [git("rev-parse", "--verify", f"{revision}^{{commit}}") for revision in (options.before, options.after)]
    if commits[0] == commits[1]:
        return f"error: {options.before} and {options.after} are the same commit, {commits[0][:12]}"
    folder = ROOT / "target" / "compare"
    folder.mkdir(parents=True, exist_ok=True)
    built = [build(commit, folder, options.jobs) for commit in commits]
    has = [set(programs) for _, programs in built]
    for name in options.bench or []:
        if name not in has[0] & has[1]:
            return f"error: not both revisions have a bench {name}: they share {', '.join(sorted(has[0] & has[1]))}"
    chosen = sorted(set(options.bench or has[0] & has[1]))
    times = [{}, {}]
    for k in range(options.rounds):
        for bench in chosen:
            # Either begins every other round, so that neither always runs on the warmer machine.
            for side in ((0, 1), (1, 0))[k % 2]:
                print(f"round {k + 1}: {bench}, {commits[side][:12]}", file=sys.stderr, flush=True)
                tree, programs = built[side]
                found = run(tree, programs[bench], bench, options.filter, options.seconds, folder / "criterion")
                for name, median in found.items():
                    times[side].setdefault(name, []).append(median)
    return report(times, [options.before, options.after], commits, options, has[0] ^ has[1])


def report(times, revisions, commits, options, lonely):
    shared = sorted(times[0].keys() & times[1].keys())
    if not shared:
        return "error: no benchmark ran on both sides"
    rows = []
    for name in shared:
        before, after = (statistics.median(side[name]) for side in times)
        # How far rounds of the same revision lie apart: a ratio within it says nothing.
        spread = max(max(side[name]) / min(side[name]) for side in times)
        rows.append((after / before, spread, before, after, name))
    rows.sort(reverse=True)
    print(f"{revisions[0]} is {commits[0][:12]}, {revisions[1]} is {commits[1][:12]}; medians of {options.rounds} rounds\n")
    print("| benchmark | before, ns | after, ns | after / before | spread of rounds | |")
    print("|---|---|---|---|---|---|")
    slower = 0
    for ratio, spread, before, after, name in rows:
        mark = ""
        if max(ratio, 1 / ratio) > 1 + options.threshold:
            slower += ratio > 1
            mark = "**slower**" if ratio > 1 else "**faster**"
            mark += "" if max(ratio, 1 / ratio) > spread else ", within the spread"
        print(f"| {name} | {before:.4g} | {after:.4g} | {ratio:.3f} | {spread:.3f} | {mark} |")
    overall = math.exp(statistics.median(math.log(row[0]) for row in rows))
    print(f"\nmedian of all ratios: {overall:.3f}; slower by more than {options.threshold:.0%}: {slower} of {len(rows)}")
    alone = sorted((times[0].keys() ^ times[1].keys()) | lonely)
    if alone:
        print(f"on one side only, left out: {', '.join(alone)}")
    return 1 if slower else 0


if __name__ == "__main__":
    sys.exit(main())
