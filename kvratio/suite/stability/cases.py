"""The cases of the cross-check: what theory says, and how it is simulated."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from stability.congestion.rates import equilibrium_rate, pulse_rate, worst_rate

#: what theory says of a quantity: its value, a bound, or nothing
IS, AT_MOST, AT_LEAST, SILENT = "=", "<=", ">=", ""


@dataclass(frozen=True)
class Expected:
    """What theory says of one quantity.

    Attributes
    ----------
    relation : str
        `IS`, `AT_MOST`, `AT_LEAST` or `SILENT`.
    value : float
        nan where theory is silent.
    tolerance : float
        By which the mean of the simulations may miss it.
    """

    relation: str = SILENT
    value: float = math.nan
    tolerance: float = 0.0

    def agrees(self, mean: float) -> bool | None:
        """Whether a mean agrees; None where theory is silent."""
        if self.relation == SILENT:
            return None
        if math.isnan(mean):
            return False
        too_high, too_low = mean > self.value + self.tolerance, mean < self.value - self.tolerance
        return not ((too_high and self.relation != AT_LEAST) or (too_low and self.relation != AT_MOST))


@dataclass(frozen=True)
class Case:
    """One line or more of the table: a simulation, run once per replication.

    Attributes
    ----------
    section, label, simulator : str
    measure : str
        Name of a function in `kvratio.suite.stability.measures`.
    settings : dict
        Its arguments, beside the seed.
    expected : dict of str to Expected
        By quantity, in the order of the rows.
    """

    section: str
    label: str
    simulator: str
    measure: str
    settings: dict[str, Any] = field(default_factory=dict)
    expected: dict[str, Expected] = field(default_factory=dict)


def all_cases() -> list[Case]:
    """Return every case, section by section."""
    return [*slot_cases(), *engine_cases(), *class_cases(), *cap_cases(), *open_cases(), *policy_cases()]


# -- capacity with real evictions ---------------------------------------------------------------------------------
def slot_cases() -> list[Case]:
    """Chunked prefill, M = 65,500: the share of mu that is reached when evictions are free, costly, or lose all."""
    section = "Share of the capacity mu that a saturated worker reaches (M = 65,500, chunk 512, 16,000 slots)"
    cases = []
    for label, prompt, output, lost in (
        ("s, o ~ U(10, 1600)", "uniform:10:1600", "uniform:10:1600", None),
        ("s = o = 805", 805, 805, (805, 805)),
        ("s = 64, o = 805", 64, 805, (64, 805)),
    ):
        for eviction in ("swap", "recompute", "restart"):
            # The theory of capacity holds for what keeps the work; with restart and one length it is T_worst / x*.
            expected = Expected(AT_MOST, 1.0, 0.03 if lost is None else 0.0)
            if eviction == "restart" and lost is not None:
                expected = Expected(IS, _worst_ratio(*lost), 0.02)
            settings = {"prompt": prompt, "output": output, "eviction": eviction}
            told = {"share of mu": expected, EVICTED: Expected()}
            cases.append(Case(section, f"{label}, {eviction}", "slots", "slots", settings, told))
    return cases


EVICTED = "evicted / completed"


def _worst_ratio(prompt: int, decode: int) -> float:
    return worst_rate(prompt, decode, 1.0) / equilibrium_rate(prompt, decode, 1.0)


# -- the project's engines ----------------------------------------------------------------------------------------
def engine_cases() -> list[Case]:
    """The serving engine and the unit-round engine go through the same rounds as the simulators."""
    section = "The engines against the simulators: rounds in which completions or footprints differ, of 3,000"
    exact = {"rounds that differ": Expected(IS, 0.0)}
    cases = [
        Case(
            section,
            f"s, o ~ U(5, 120), M = 3,000, {eviction}",
            "algos.serving fcfs, clock of one round",
            "serving_engine",
            {"memory": 3000, "longest": 120, "eviction": eviction, "slots": 3000},
            exact,
        )
        for eviction in ("swap", "recompute", "restart")
    ]
    for policy, share, label in (("vllm_fcfs", math.inf, "greedy"), ("rate_capped", 1.0, "cap x*")):
        settings = {"policy": policy, "share": share, "slots": 3000}
        name, where = f"l0 ~ U(0, 40), l1 ~ U(1, 60), M = 2,000, {label}", f"unit rounds, {policy}"
        cases.append(Case(section, name, where, "round_engine", settings, exact))
    return cases


# -- congestion ---------------------------------------------------------------------------------------------------
MIXES = (((6, 10), 2), ((9, 15), 3), ((6, 9, 10, 15), 1))


def class_cases() -> list[Case]:
    """Mixes with one input of 30: the continuous model's long run against whole requests."""
    section = "Whole requests against the continuous model (l0 = 30, greedy, 20,000 iterations): T / x*"
    cases = []
    for lengths, gcd in MIXES:
        name = "{" + ",".join(map(str, lengths)) + "}"
        long_run = 1.0 if gcd == 1 else pulse_rate(30, lengths, 1.0) / equilibrium_rate(30, lengths, 1.0)
        for memory, order in ((600, "rotation"), (600, "random"), (60_000, "rotation"), (60_000, "random")):
            told = Expected(IS, long_run, 0.005) if memory > 1000 else Expected(SILENT, long_run)
            settings = {"decode": lengths, "memory": memory, "order": order}
            expected = {"T / x*": told, "evicted / x*": Expected()}
            cases.append(Case(section, f"{name}, M = {memory:,}, {order}", "integer", "integer", settings, expected))
    return cases


def cap_cases() -> list[Case]:
    """One class, greedy and with caps: what the cap removes."""
    section = "One class, whole requests: what a cap on admissions removes (20,000 iterations)"
    cases = []
    for prompt, decode, memory in ((20, 20, 1000), (10, 40, 2000), (10, 40, 20_000)):
        worst = worst_rate(prompt, decode, memory)
        best = equilibrium_rate(prompt, decode, memory)
        for share, label in ((math.inf, "greedy"), (1.0, "cap x*"), (0.97, "cap .97 x*"), (0.9, "cap .9 x*")):
            if share == math.inf:
                told = Expected(IS, worst, 0.05 * worst)
            elif share == 1.0:
                told = Expected(AT_MOST, best, 1e-9)
            else:
                told = Expected(IS, share * best, 1e-3 * best)
            gone = Expected(IS, 0.0) if share < 1 else Expected()
            settings = {"decode": (decode,), "prompt": prompt, "memory": memory, "share": share}
            name = f"l0 = {prompt}, l1 = {decode}, M = {memory:,}, {label}"
            cases.append(Case(section, name, "integer", "capped", settings, {"T": told, EVICTED: gone}))
    return cases


# -- open arrivals ------------------------------------------------------------------------------------------------
RATES = (0.9, 0.95, 1.05, 1.1, 1.2, 1.4, 1.7)


def open_cases() -> list[Case]:
    """One class, Poisson arrivals: hysteresis between T_worst and x*."""
    prompt, decode, memory, steps = 10, 40, 2000, 40_000
    worst, best = worst_rate(prompt, decode, memory), equilibrium_rate(prompt, decode, memory)
    section = (
        f"Open arrivals, l0 = {prompt}, l1 = {decode}, M = {memory:,}, restart: T_worst = {worst:g}, x* = {best:.4g} "
        f"({steps:,} iterations, second half)"
    )
    cases = []
    for rate in RATES:
        for backlog in (0, 3000):
            settings = {"prompt": prompt, "decode": decode, "memory": memory, "rate": rate, "steps": steps}
            name = f"rate {rate:g}, {'3,000 queued' if backlog else 'from empty'}"
            expected = _open_expectation(rate, backlog, worst, best)
            cases.append(Case(section, name, "open arrivals", "hysteresis", {**settings, "backlog": backlog}, expected))
    return cases


def _open_expectation(rate: float, backlog: int, worst: float, best: float) -> dict[str, Expected]:
    """Below T_worst every start drains; above x* every start grows; between, a loaded start serves T_worst."""
    free = Expected()
    if rate < worst:
        if backlog:
            return {"T": Expected(AT_LEAST, rate, 0.02), "queue growth": Expected(AT_MOST, 0.0)}
        return {"T": Expected(IS, rate, 0.02), "queue growth": Expected(IS, 0.0, 0.005)}
    if rate > best:
        return {"T": Expected(AT_MOST, best), "queue growth": Expected(AT_LEAST, 0.0)}
    if backlog:
        return {"T": Expected(IS, worst, 0.02 * worst), "queue growth": Expected(AT_LEAST, 0.0)}
    return {"T": free, "queue growth": free}


# -- policies of the suite ----------------------------------------------------------------------------------------
#: name, family, its parameters: saturated batches
FAMILIES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("synchronised, M = 500", "synchronised", {"count": 200, "prompt": 1, "output": 49, "memory": 500}),
    ("eviction_cycle, M = 60", "eviction_cycle", {"prompt": 1, "output": 9, "memory": 60, "rounds": 5}),
    ("(40, 4) then (40, 7)", "runs", {"prompt": 40, "outputs": (4, 7), "count": 1000, "memory": 2000}),
    ("(40, 4), (40, 7) drawn", "drawn", {"prompt": 40, "outputs": (4, 7), "count": 1000, "memory": 2000}),
    ("(30, 6) then (30, 9)", "runs", {"prompt": 30, "outputs": (6, 9), "count": 1000, "memory": 2000}),
)


def policy_cases() -> list[Case]:
    """Evictions per request of policies that anyone can run in the suite, on its families and on two-class batches."""
    section = "Policies of the suite in unit rounds, M = 2,000 where not given: evictions and flow"
    cases = []
    for name, family, parameters in FAMILIES:
        for policy, given in (
            ("vllm_fcfs", {}),
            ("mixed", {}),
            ("rate_capped", {}),
            ("rate_capped", {"share": 0.9}),
        ):
            call = policy + "".join(f" {key}={value}" for key, value in given.items())
            settings = {"family": family, "parameters": parameters, "policy": policy, "given": given}
            expected = {"evicted / requests": Expected(), "flow / vllm_fcfs": Expected()}
            cases.append(Case(section, f"{name}: {call}", "unit rounds", "suite_policy", settings, expected))
    return cases
