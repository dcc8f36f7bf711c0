#!/usr/bin/env python3
"""Compares chainrule with PyTorch and JAX on this machine, and writes docs/performance.md.

    python3 benches/peers/compare.py

It builds our side, installs the other two into a virtual environment below target/ (once; some gigabytes), and has all
three do the same work from the same numbers. They stay in memory and take turns, a fraction of a second each, while the
others are stopped; so whatever else the machine does meets all three. What counts is the ratio within a round, and
of these the median. The values after five repetitions must agree, or the row is an error.

    --threads 2,1      numbers of threads to compare with
    --rounds 7         turns for each workload
    --seconds 0.3      length of a turn
    --only W5,W7       these workloads
    --python PATH      a Python that has torch and jax, instead of the virtual environment
    --out FILE         where the page goes, instead of docs/performance.md
"""

import argparse
import json
import math
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PEERS = {"PyTorch": "with_torch.py", "JAX": "with_jax.py"}


class Side:
    """A framework at work on one workload."""

    def __init__(self, name, command, environment):
        self.name = name
        began = time.perf_counter()
        self.process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.value = self.ask("start")["value"]
        self.start = time.perf_counter() - began
        self.process.send_signal(signal.SIGSTOP)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"{self.name} stopped with {self.process.wait()}")
        return json.loads(answer)

    def turn(self, seconds):
        self.process.send_signal(signal.SIGCONT)
        answer = self.ask(f"time {seconds}")
        self.process.send_signal(signal.SIGSTOP)
        return answer["median_us"]

    def finish(self):
        """The most memory that it held, in MB."""
        self.process.send_signal(signal.SIGCONT)
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        most = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        self.process.stdin.close()
        self.process.wait()
        return int(most.split()[1]) / 1024


def build():
    command = ["cargo", "build", "--release", "-p", "chainrule-benches", "--bench", "peers", "--message-format=json"]
    output = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    for line in output.splitlines():
        message = json.loads(line)
        if message.get("target", {}).get("name") == "peers" and message.get("executable"):
            return message["executable"]
    raise SystemExit("cargo built no peers")


def python(given):
    if given:
        return given
    place = ROOT / "target" / "peers"
    path = place / "bin" / "python"
    if not path.exists():
        venv.create(place, with_pip=True)
        subprocess.run([path, "-m", "pip", "install", "--quiet", "numpy", "torch", "jax"], check=True)
    return str(path)


def compare(ours, interpreter, work, threads, arguments):
    """The row of one workload: of each side its times, value, start and memory."""
    name, task, _ = work
    with tempfile.TemporaryDirectory() as folder:
        numbers = os.path.join(folder, "numbers.npz")
        subprocess.run([ours, "numbers", name, numbers], check=True)
        environment = dict(os.environ, CHAINRULE_THREADS=str(threads))
        pinned = ["taskset", "-c", "0"] if threads == 1 else []
        sides = [Side("chainrule", [*pinned, ours, "serve", name], environment)]
        for peer, script in PEERS.items():
            command = [interpreter, str(HERE / script), name, task, numbers, str(threads)]
            sides.append(Side(peer, command, environment))
    times = {side.name: [] for side in sides}
    for turn in range(arguments.rounds):
        for side in sides[turn % len(sides) :] + sides[: turn % len(sides)]:
            times[side.name].append(side.turn(arguments.seconds))
    return {
        side.name: {"times": times[side.name], "value": side.value, "start": side.start, "memory": side.finish()}
        for side in sides
    }


def agree(row):
    ours = row["chainrule"]["value"]
    return all(math.isclose(ours, side["value"], rel_tol=1e-4, abs_tol=1e-6) for side in row.values())


def ratio(row, peer):
    """The median over rounds of our time over theirs."""
    pairs = zip(row["chainrule"]["times"], row[peer]["times"])
    return statistics.median(ours / theirs for ours, theirs in pairs)


def against_best(row):
    best = min(PEERS, key=lambda peer: statistics.median(row[peer]["times"]))
    return ratio(row, best), best


def geometric_mean(values):
    return math.exp(statistics.fmean(math.log(v) for v in values))


def table(rows, threads):
    lines = [
        f"## {threads} thread{'s' if threads > 1 else ''}",
        "",
        "| | work | ours ÷ best | best | ÷ PyTorch | ÷ JAX | memory ÷ least | start to fifth run ÷ soonest |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for (name, _, what), row in rows:
        least = {key: row["chainrule"][key] / min(row[p][key] for p in PEERS) for key in ("memory", "start")}
        total, best = against_best(row)
        by = " | ".join(f"{ratio(row, peer):.2f}" for peer in PEERS)
        lines.append(f"| {name} | {what} | **{total:.2f}** | {best} | {by} | {least['memory']:.2f} | {least['start']:.2f} |")
    mean = geometric_mean([against_best(row)[0] for _, row in rows])
    ahead = sum(against_best(row)[0] <= 1 for _, row in rows)
    lines += ["", f"Geometric mean {mean:.2f}; ahead in {ahead} of {len(rows)}.", ""]
    return lines


def machine(interpreter):
    info = Path("/proc/cpuinfo").read_text()
    named = lambda key: next((l.split(":")[1].strip() for l in info.splitlines() if l.startswith(key)), "?")
    flags = named("flags").split()
    level = "AVX-512" if "avx512f" in flags else "AVX2" if "avx2" in flags else platform.machine()
    versions = "import numpy, torch, jax; print(f'PyTorch {torch.__version__}, JAX {jax.__version__}')"
    peers = subprocess.run([interpreter, "-c", versions], check=True, capture_output=True, text=True).stdout
    rust = subprocess.run(["rustc", "--version"], check=True, capture_output=True, text=True).stdout
    return f"{named('model name')}, {os.cpu_count()} processors, {level}; {peers.strip()}, {rust.split('(')[0].strip()}."


def page(tables, interpreter, arguments):
    return "\n".join([
        "# Performance",
        "",
        "Written by `python3 benches/peers/compare.py`, which says how it measures. Our time over theirs: below 1 we are faster.",
        "A shared machine: a ratio is good to some ten percent.",
        "",
        f"{machine(interpreter)} {arguments.rounds} turns of {arguments.seconds} s for each.",
        "",
        *tables,
    ])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", default="2,1")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.3)
    parser.add_argument("--only", default="")
    parser.add_argument("--python", default="")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "performance.md")
    arguments = parser.parse_args()
    ours, interpreter = build(), python(arguments.python)
    listed = subprocess.run([ours, "list"], check=True, capture_output=True, text=True).stdout
    works = [line.split("\t") for line in listed.splitlines()]
    wanted = arguments.only.split(",") if arguments.only else [work[0] for work in works]
    unknown = set(wanted) - {work[0] for work in works}
    if unknown:
        raise SystemExit(f"no workload is called {', '.join(sorted(unknown))}; there are {', '.join(w[0] for w in works)}")
    tables = []
    for threads in map(int, arguments.threads.split(",")):
        rows = []
        for work in [work for work in works if work[0] in wanted]:
            row = compare(ours, interpreter, work, threads, arguments)
            if not agree(row):
                raise SystemExit(f"{work[0]}: the values differ: {({name: side['value'] for name, side in row.items()})}")
            rows.append((work, row))
            total, best = against_best(row)
            medians = ", ".join(f"{name} {statistics.median(side['times']):.1f} µs" for name, side in row.items())
            print(f"{work[0]:<9} {threads} threads: {total:.2f} of {best}   ({medians})", file=sys.stderr)
        tables += table(rows, threads)
    arguments.out.write_text(page(tables, interpreter, arguments))


if __name__ == "__main__":
    main()
