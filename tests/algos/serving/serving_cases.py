"""Small random workloads for the serving model, parameters for every policy, and what it means that runs agree."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from kvratio.problem.clock import Clock, RooflineClock
from kvratio.problem.requests import Requests, Type
from kvratio.problem.service import Run

EVICTIONS = ("restart", "recompute", "swap")
NO_SWAP = ("trail", "srpt")

#: numbers that binary fractions hold exactly, so that arrivals often fall on the ends of iterations
CLOCKS = (
    Clock(1.0, 0.0),
    Clock(0.5, 0.125, 0.25, swap=0.0625),
    Clock(0.1, 0.01, 0.03, swap=0.01),
    RooflineClock(floor=1.0, base=0.25, token=0.125, fixed=0.25, decode=0.0625, cached=0.03125, swap=0.125),
)


@dataclass(frozen=True)
class Case:
    """What a run needs beside a policy."""

    requests: Requests
    clock: Any
    memory: int
    block: int

    def run(self, simulate: Any, policy: str, eviction: str | None = None, **more: Any) -> Run:
        """Run a policy with a log."""
        return simulate(
            self.requests,
            policy,
            self.clock,
            self.memory,
            eviction,
            **{"block": self.block, "log": True, "gaps": True, **more},
        )


@st.composite
def workloads(
    draw: st.DrawFn, largest: int = 6, roomy: bool = False, may_refuse: bool = True, lengths: int = 6
) -> Case:
    """Draw a few requests with wrong predictions, and a memory that holds one or two of them (or all)."""
    n = draw(st.integers(1, largest))
    some: dict[str, Any] = {"min_size": n, "max_size": n}
    prompt = draw(st.lists(st.integers(1, lengths), **some))
    output = draw(st.lists(st.integers(1, lengths), **some))
    arrival = sorted(draw(st.lists(st.integers(0, 24), **some)))
    block = draw(st.sampled_from((1, 1, 4)))
    peak = [-(-(p + o) // block) * block for p, o in zip(prompt, output, strict=True)]
    least = 1 if may_refuse and draw(st.booleans()) else max(peak)
    memory = sum(peak) * 2 if roomy else draw(st.integers(least, 2 * max(peak)))
    guesses = (st.just(None), st.just([1] * n), st.lists(st.integers(1, lengths + 2), **some))
    predicted = draw(st.one_of(*guesses))
    kind = draw(st.lists(st.integers(0, 1), **some)) if draw(st.booleans()) else None
    types = [] if kind is None else [Type(1, max(output), 1.0)] * 2
    load = Requests(prompt, output, np.array(arrival) / 4, kind, types, predicted)
    return Case(load, draw(st.sampled_from(CLOCKS)), memory, block)


@st.composite
def parameters(draw: st.DrawFn, policy: str, load: Requests) -> dict[str, Any]:
    """Draw parameters of a policy: small, so that every rule of it has something to do."""
    longest = int(load.output.max())
    few = st.integers(1, 3)
    chosen: dict[str, Any] = {}
    if policy in ("wait", "nested_wait", "wait_capped"):
        chosen["flush"] = draw(st.booleans())
    else:
        chosen["max_batch"] = draw(st.sampled_from((None, 128, 2, 1)))
    if policy in ("vllm", "sarathi"):
        chosen["watermark"] = draw(st.sampled_from((0.0, 0.01, 0.3)))
        chosen["token_budget"] = draw(st.integers(1, 12))
    if policy == "vllm":
        chosen["padded_budget"] = draw(st.booleans())
    if policy in ("orca", "faster_transformer"):
        chosen["max_tokens"] = draw(st.sampled_from((None, longest + 2)))
    if policy == "lightllm":
        chosen["max_tokens"] = draw(st.sampled_from((None, longest, max(1, longest - 2))))
        chosen["prefill_every"] = draw(few)
    if policy == "ltr":
        chosen["starvation"] = draw(st.integers(1, 6))
    if policy == "rate_capped":
        chosen["rate"] = draw(st.sampled_from((None, 0.3, 1.25)))
        chosen["burst"] = draw(st.sampled_from((1.0, 2.5)))
    if policy == "mixed":
        chosen["width"] = draw(few)
    if policy == "trail":
        chosen["protected"] = draw(st.sampled_from((0.0, 0.5, 0.8, 2.0)))
    if policy == "wait":
        chosen["thresholds"] = draw(st.lists(few, min_size=len(load.mix), max_size=len(load.mix)))
    if policy in ("nested_wait", "wait_capped"):
        cuts = sorted(draw(st.sets(st.integers(1, longest - 1), max_size=2))) if longest > 1 else []
        cuts.append(longest + draw(st.integers(0, 1)))
        chosen["cuts"] = cuts
        each: dict[str, Any] = {"min_size": len(cuts), "max_size": len(cuts)}
        if policy == "nested_wait":
            chosen["thresholds"] = draw(st.lists(few, **each))
        else:
            chosen["caps"] = draw(st.lists(st.integers(1, 6), **each))
            chosen["wait_gate"] = draw(st.booleans())
    return chosen


#: arrays and numbers of a run that must agree to the last bit
EXACT = (
    "admitted", "prefill_done", "first_token", "completion", "evictions", "refused", "max_gap", "end", "busy", "cut",
    "counters",
)  # fmt: skip


def differences(left: Run, right: Run) -> list[str]:
    """Return what differs between two runs, in words, whether they walked or jumped."""
    found = []
    for name in EXACT:
        a, b = getattr(left, name), getattr(right, name)
        same = dict(a) == dict(b) if name == "counters" else np.array_equal(a, b, equal_nan=name != "refused")
        if not same:
            found.append(f"{name}: {a} against {b}")
    if not np.isclose(left.token_seconds, right.token_seconds, rtol=1e-9, atol=1e-12):
        found.append(f"token_seconds: {left.token_seconds} against {right.token_seconds}")
    ours, theirs = left.gaps[known_gaps(left)], right.gaps[known_gaps(right)]
    # Times are the same bits; a leap adds gaps up in another order, and they are kept to seven digits.
    if ours.shape != theirs.shape or not np.allclose(ours, theirs, rtol=1e-6, atol=1e-12):
        found.append(f"gaps: {ours} against {theirs}")
    pairs = zip(unrolled(left.iterations), unrolled(right.iterations), strict=False)
    return found or next(([f"log: {a} against {b}"] for a, b in pairs if not agree(a, b)), [])


def known_gaps(run: Run) -> Any:
    """Whether each kept gap is of a request that completed; others may be written down later in the run."""
    return np.repeat(run.completed, np.maximum(run.requests.output - 1, 0)) if len(run.gaps) else np.zeros(0, bool)


def unrolled(log: Any) -> list[dict[str, Any]]:
    """Return one entry per iteration; what a jump does not tell of its inner iterations is None."""
    rows = []
    for row in log:
        last = int(row["repeats"]) - 1
        for k in range(last + 1):
            entry = {name: row[name].item() for name in ("decodes", "prefills", "prompt_tokens", "resident", "waiting")}
            entry["cached"] = row["cached"].item() + k * entry["decodes"]
            entry["footprint"] = row["footprint"].item() if k == 0 else None
            entry["start"] = row["start"].item() if k == 0 else None
            entry["stop"] = row["stop"].item() if k == last else None
            rows.append(entry)
    return rows


def agree(left: dict[str, Any], right: dict[str, Any]) -> bool:
    """Whether two entries say the same where both say something."""
    return all(left[name] == right[name] or None in (left[name], right[name]) for name in left)
