"""Run the benchmarks and write docs/performance.md: what was measured, on which machine, compile time apart."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import figures
from test_bounds import LIMIT

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "performance.md"

#: Peak of resident memory during the run, over what was resident before it (Linux: the peak can be reset).
MEMORY_PROBE = """
import pathlib, re, sys
from kvratio import generate, schedule
status = lambda name: int(re.search(name + r":\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())[1]) * 1024
schedule(generate("azure_conv_like", count=1000, memory=131072, seed=0), sys.argv[1])
inst = generate("azure_conv_like", count=10**6, memory=131072, seed=0, witness=False)
pathlib.Path("/proc/self/clear_refs").write_text("5")
before = status("VmRSS")
schedule(inst, sys.argv[1])
print((status("VmHWM") - before) / inst.n)
"""
FIRST_RESULT = """
from kvratio import Instance, schedule
schedule(Instance([2] * 8, [5, 1, 3, 8, 2, 1, 4, 2], 14), "svf")
"""


def main() -> int:
    """Run everything, write the page, print where it is."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "benchmarks.json"
        command = [sys.executable, "-m", "pytest", str(ROOT / "tests" / "benchmarks"), "--benchmark-only"]
        command += ["-p", "no:xdist", "-o", "addopts=", f"--benchmark-json={data}", "-q"]
        code = subprocess.run(command, check=False).returncode
        if code:
            return code
        rows = json.loads(data.read_text())["benchmarks"]
        cold, warm = first_results(Path(folder) / "cache")
    PAGE.write_text("\n".join(page(rows, cold, warm)) + "\n")
    figures.draw_all(PAGE.parent / "figures", rows)
    print(f"wrote {PAGE.relative_to(ROOT)}")
    return 0


def first_results(cache: Path) -> tuple[float, float]:
    """Seconds from the shell to the first result: with an empty cache of compiled code, and with a full one."""
    seconds = []
    for _ in range(4):
        start = time.perf_counter()
        env = {**os.environ, "KVRATIO_CACHE": str(cache)}
        subprocess.run([sys.executable, "-c", FIRST_RESULT], check=True, env=env)
        seconds.append(time.perf_counter() - start)
    return seconds[0], sorted(seconds[1:])[1]


def memory_per_request(policy: str) -> float:
    """Bytes per request beyond the input, from the peak of a process of its own."""
    # A fixed threshold makes the allocator hand freed arrays back, so that none is counted as resident before.
    env = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"}
    command = [sys.executable, "-c", MEMORY_PROBE, policy]
    out = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
    return float(out.stdout)


def machine() -> str:
    """Name the machine in one line."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = lines[0].split(":", 1)[1].strip() if lines else model
    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    return f"{model}, {os.cpu_count()} cores seen, {system}"


def page(rows: list[dict[str, Any]], cold: float, warm: float) -> Iterator[str]:
    """Yield the lines of the page."""
    groups: dict[str, list[tuple[str, int, float]]] = {}
    bounds = [
        row["extra_info"] | {"seconds": row["stats"]["median"]} for row in rows if row["group"] in ("proof", "gap")
    ]
    for row in rows:
        info = row["extra_info"]
        if row["group"] in ("proof", "gap"):
            continue
        groups.setdefault(row["group"], []).append((info["policy"], info["requests"], row["stats"]["median"]))
    yield "# Performance"
    yield ""
    yield "Written by `make bench`; every number was measured in one run on one machine, on one core."
    yield "Times are medians after one untimed call, so they hold no compilation and no parsing."
    yield ""
    yield f"Machine: {machine()}."
    yield ""
    yield "## A batch of a million requests"
    yield ""
    yield "Lengths fitted to the Azure 2023 conversation trace, M = 131,072. Memory is the peak of a process of its own"
    yield "beyond the input, in bytes per request; the list of attempts is rebuilt on demand and not held."
    yield ""
    yield "| policy | seconds | requests/s | bytes/request |"
    yield "|---|---:|---:|---:|"
    for policy, n, seconds in groups["million"]:
        yield f"| `{policy}` | {seconds:.2f} | {n / seconds:,.0f} | {memory_per_request(policy):.0f} |"
    yield ""
    yield "## Growth with the number of requests"
    yield ""
    sizes = sorted({n for _, n, _ in groups["growth"]})
    yield "Microseconds per request; n log n growth shows as a straight, gently rising row."
    yield ""
    yield "| policy | " + " | ".join(f"n = {n:,}" for n in sizes) + " |"
    yield "|---|" + "---:|" * len(sizes)
    for policy in dict.fromkeys(p for p, _, _ in groups["growth"]):
        cells = {n: 1e6 * seconds / n for p, n, seconds in groups["growth"] if p == policy}
        yield f"| `{policy}` | " + " | ".join(f"{cells[n]:.2f}" for n in sizes) + " |"
    yield ""
    yield "## Arrivals over time, 100,000 requests at nine tenths of the memory's capacity"
    yield ""
    yield from _plain(groups["online"])
    yield ""
    yield "## 100,000 packed instances of 8 requests"
    yield ""
    yield from _plain(groups["packed"])
    yield ""
    yield "## Start-up"
    yield ""
    yield f"From the shell to the first result of a small instance (`svf`, 8 requests): {cold:.1f} s with an empty"
    yield f"cache of compiled code, {warm:.2f} s in every process after that. One call on 8 requests then takes"
    yield f"{1e6 * groups['small'][0][2]:.0f} microseconds."
    yield ""
    yield from proofs([row for row in bounds if "method" in row])
    yield from gaps([row for row in bounds if "track" in row])


def proofs(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the table of proved optima, by size, alpha and method."""
    yield "## Time to a proved optimum"
    yield ""
    yield "Our search against the integer program of `milp` with two solvers, on the same instances (M ~ U{30..50},"
    yield f"s ~ U{{1..5}}, o ~ U{{1..alpha M - s}}), {LIMIT:.0f} seconds each, two threads for the search. Each entry:"
    yield "instances proved of those tried, and the mean seconds of all; where none was proved, the mean gap U/LB - 1."
    yield ""
    names = {"exact": "`exact`", "highs": "`milp`, HiGHS", "cbc": "`milp`, CBC"}
    yield "| alpha | n | " + " | ".join(names.values()) + " |"
    yield "|---|---|" + "---|" * len(names)
    for alpha, n in sorted({(row["alpha"], row["n"]) for row in rows}):
        cells = []
        for method in names:
            mine = [row for row in rows if (row["alpha"], row["n"], row["method"]) == (alpha, n, method)]
            done = sum(row["proved"] for row in mine)
            mean = sum(row["seconds"] for row in mine) / max(1, len(mine))
            gap = sum(row["gap"] for row in mine) / max(1, len(mine))
            cells.append(f"{done} of {len(mine)}, {mean:.1f} s" if done else f"0 of {len(mine)}, gap {gap:.1%}")
        yield f"| {alpha:g} | {n} | " + " | ".join(cells) + " |"
    yield ""


def gaps(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the table of gaps against time."""
    times = (1, 2, 5, 10, 20, 30)
    yield "## Intervals against time"
    yield ""
    yield "U/LB - 1 for total flow (in a batch: completion) by `best`, lengths fitted to the Azure 2023 conversation"
    yield "trace, M = 131,072; arrivals are Poisson at nine tenths of what the memory can serve. Two threads."
    yield ""
    yield "| instance | " + " | ".join(f"{t} s" for t in times) + " |"
    yield "|---|" + "---:|" * len(times)
    for row in rows:
        cells = []
        for t in times:
            known = [(lower, upper) for seconds, lower, upper in row["track"] if seconds <= t]
            cells.append(f"{known[-1][1] / known[-1][0] - 1:.3%}" if known else "")
        yield f"| {row['shape']}, n = {row['requests']:,} | " + " | ".join(cells) + " |"


def _plain(rows: list[tuple[str, int, float]]) -> Iterator[str]:
    yield "| policy | seconds | requests/s |"
    yield "|---|---:|---:|"
    for policy, n, seconds in rows:
        yield f"| `{policy}` | {seconds:.2f} | {n / seconds:,.0f} |"


if __name__ == "__main__":
    sys.exit(main())
