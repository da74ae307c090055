"""Reported figures beside ours, and the rules by which they count as reproduced: computed, never asserted.

The rules are judged on the roofline clock for the workload with prompts of 512 and outputs of 20 tokens. Where a policy
was left at its defaults in print and is tuned here, both comparisons are judged.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kvratio.suite.serving.best_rate import BestRate
from kvratio.suite.serving.experiment import Experiment
from kvratio.suite.serving.largest import TOLERANCE
from kvratio.suite.serving.student import mean_and_half_width
from kvratio.suite.serving.sweep import Sweep

if TYPE_CHECKING:
    import pandas as pd

#: share of its fluid limit that WAIT must reach
NEAR_FLUID = 0.9
#: rates at which the capped policy must beat vLLM, and the last one before the gap to Sarathi may open
BEATS_VLLM, GAP_FROM = (18.0, 23.0), 23.0
#: a gap is open when Sarathi's mean latency is larger by more than this share, with confidence
OPEN = 0.10
LOAD, WAITING = "p512d20", "waiting"


@dataclass(frozen=True)
class Judgement:
    """A rule and what was measured.

    Attributes
    ----------
    rule : str
    holds : bool
    measured : str
        The numbers it was judged by.
    """

    rule: str
    holds: bool
    measured: str


def reported_rows(
    experiment: Experiment, sweeps: Mapping[str, Sweep], rates: Mapping[str, Sequence[BestRate]]
) -> pd.DataFrame:
    """Return one row per reported figure and policy of ours: default and tuned, with 95 % half widths."""
    import pandas as pd

    rows = []
    for figure in experiment.reported:
        for label in figure.policies:
            row = {"load": figure.load, "quantity": figure.quantity, "rate": figure.rate, "who": figure.who}
            row |= {"reported": figure.value, "reported_sd": figure.sd, "policy": label}
            if figure.quantity == "largest":
                row |= _largest(rates.get(figure.load, ()), label)
            else:
                row |= _metric(sweeps[figure.load].table, label, figure.rate, figure.quantity)
            rows.append(row)
    return pd.DataFrame(rows)


def _largest(found: Sequence[BestRate], label: str) -> dict[str, Any]:
    one = next(one for one in found if one.default.policy.label == label)
    return {
        "default": one.default.low,
        "default_half": math.nan,
        "tuned": one.tuned.low,
        "tuned_half": math.nan,
        "tuned_as": one.tuned.policy.call,
        "note": f"not at {one.default.high:.4g} ({one.default.row()['at_high']}), tuned not at {one.tuned.high:.4g}",
    }


def _metric(table: pd.DataFrame, label: str, rate: float | None, name: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    notes = []
    for setting in ("default", "tuned"):
        rows = table[(table["policy"] == label) & (table["setting"] == setting) & (table["rate"] == rate)]
        row = rows.iloc[0] if len(rows) else None
        found[setting] = math.nan if row is None else float(row[name])
        found[f"{setting}_half"] = math.nan if row is None else float(row[f"{name}_half"])
        if row is not None:
            lower = f", lower bound: {row['completion_rate']:.1%} completed" if row["lower_bound"] else ""
            notes.append(f"{setting}: {row['verdict'] if row['status'] == 'ok' else row['note']}{lower}")
            found["tuned_as"] = row["given"]
    return {**found, "note": "; ".join(notes)}


# -- rules --------------------------------------------------------------------------------------------------------
def judge(sweeps: Mapping[str, Sweep], rates: Mapping[str, Sequence[BestRate]]) -> list[Judgement]:
    """Judge the acceptance rules, those for which the experiment has the loads."""
    found: list[Judgement] = []
    if rates.get(LOAD):
        found += judge_rates(rates[LOAD])
    if LOAD in sweeps:
        cells = sweeps[LOAD].cells
        found += [judge_against_vllm(cells, setting) for setting in ("default", "tuned")]
        found += [judge_gap_to_sarathi(cells, setting) for setting in ("default", "tuned")]
    if WAITING in sweeps:
        found.append(judge_waiting(sweeps[WAITING]))
    return found


def judge_rates(found: Sequence[BestRate]) -> list[Judgement]:
    """WAIT's largest stable rate is at least those of vLLM and Sarathi up to the search, and near its fluid limit."""
    by_label = {one.default.policy.label: one for one in found}
    rows = []
    for setting in ("default", "tuned"):
        ours = getattr(by_label["wait"], setting)
        others = {name: getattr(by_label[name], setting) for name in ("vllm", "sarathi")}
        text = f"WAIT [{ours.low:.4g}, {ours.high:.4g}]"
        text += "".join(f", {name} [{one.low:.4g}, {one.high:.4g}]" for name, one in others.items())
        holds = all(ours.low >= (1 - TOLERANCE) * one.low for one in others.values())
        rows.append(
            Judgement(f"largest stable rate of WAIT >= vLLM's and Sarathi's within the search ({setting})", holds, text)
        )
        near = f"{ours.low:.4g} of {ours.fluid_limit:.4g} = {ours.share:.3f}"
        rows.append(
            Judgement(
                f"largest stable rate of WAIT >= {NEAR_FLUID} of its fluid limit ({setting})",
                ours.share >= NEAR_FLUID,
                near,
            )
        )
    return rows


def judge_against_vllm(cells: pd.DataFrame, setting: str) -> Judgement:
    """The capped policy without gate, best cap, has lower mean latency than vLLM at 18 to 23 requests/s."""
    low, high = BEATS_VLLM
    parts = {
        rate: difference(cells, ("capped", "tuned"), ("vllm", setting), rate)
        for rate in _rates(cells)
        if low <= rate <= high
    }
    return Judgement(
        f"wait_capped without gate, best cap, has lower mean latency than vLLM ({setting}) at {low:g}..{high:g}",
        bool(parts) and all(mean + half < 0 for mean, half, _ in parts.values()),
        _text(parts),
    )


def judge_gap_to_sarathi(cells: pd.DataFrame, setting: str) -> Judgement:
    """Sarathi's mean latency exceeds that of the capped policy from 23 requests/s on, and not before."""
    parts = {rate: difference(cells, ("sarathi", setting), ("capped", "tuned"), rate) for rate in _rates(cells)}
    opened = {rate: share > OPEN and mean - half > 0 for rate, (mean, half, share) in parts.items()}
    before = [is_open for rate, is_open in opened.items() if rate < GAP_FROM]
    after = [is_open for rate, is_open in opened.items() if rate >= GAP_FROM]
    return Judgement(
        f"the gap of Sarathi ({setting}) to wait_capped without gate, best cap, opens only from {GAP_FROM:g} on "
        f"(open: more than {OPEN:.0%} of mean latency, with confidence)",
        not any(before) and any(after),
        _text(parts),
    )


def judge_waiting(found: Sweep) -> Judgement:
    """With the same cap waiting hurts at low load, helps near the limit, and is neutral in overload."""
    low, near, over = sorted(found.rates)
    parts = {
        rate: difference(found.cells, ("gate on", "default"), ("gate off", "default"), rate)
        for rate in (low, near, over)
    }
    hurts = parts[low][0] - parts[low][1] > 0
    helps = parts[near][0] + parts[near][1] < 0
    neutral = abs(parts[over][2]) <= OPEN
    return Judgement(
        "waiting with the same cap hurts at low load, helps near the limit, is neutral in overload",
        hurts and helps and neutral,
        _text(parts),
    )


def difference(
    cells: pd.DataFrame, first: tuple[str, str], second: tuple[str, str], rate: float, name: str = "latency_mean"
) -> tuple[float, float, float]:
    """Return first minus second on the same draws: mean, 95 % half width, and mean as a share of the second.

    Parameters
    ----------
    cells : DataFrame
        Of a sweep.
    first, second : (policy label, setting)
        Without a tuned run the default one is taken.
    rate : float
    name : str
        A metric.
    """
    values = []
    for label, setting in (first, second):
        at = cells[(cells["policy"] == label) & (cells["rate"] == rate)]
        chosen = at[at["setting"] == setting]
        values.append((chosen if len(chosen) else at).set_index("replication")[name])
    mean, half = mean_and_half_width((values[0] - values[1]).to_numpy(float))
    return mean, half, mean / float(values[1].mean())


def _rates(cells: pd.DataFrame) -> list[float]:
    return sorted(set(cells["rate"].tolist()))


def _text(parts: Mapping[float, tuple[float, float, float]]) -> str:
    return "; ".join(
        f"{rate:g}: {mean:+.3g} ± {half:.2g} s ({share:+.0%})" for rate, (mean, half, share) in parts.items()
    )
