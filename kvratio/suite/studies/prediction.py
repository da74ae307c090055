"""Prediction error: consistency and robustness of every policy that reads predictions or intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from kvratio.suite import numerals
from kvratio.suite.interval import Interval
from kvratio.suite.plots import FAINT, INK, in_style, plain_log_ticks
from kvratio.suite.studies.lines import COLOURS, grid_of, line_of, panel_title
from kvratio.suite.studies.points import points_of
from kvratio.suite.studies.study import Effort, Study
from kvratio.suite.tables import Column, Section, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: levels of each mode; the share of the axis that a level takes is in `error_of`
LEVELS = {"uniform": (0.0, 0.2, 0.4, 0.6, 0.8, 1.0), "over": (1.75, 2.5, 3.25, 4.0), "rank_noise": (0.8, 0.6, 0.4, 0.2)}
QUICK_LEVELS = {"uniform": (0.0, 1.0), "over": (4.0,), "rank_noise": (0.2,)}
#: policies that solve a linear program, whose size grows with the predicted lengths
SMALL_ONLY = ("lp_swap", "sorted_lp")
SMALL = "small: "
#: the smallest Kendall's tau asked of the small instances
LEAST_TAU = 0.4
CLAIRVOYANT, BLIND = "svf", "vllm_fcfs"
MODES = {
    "uniform": ("o U[1 - x, 1 + x]", "o"),
    "over": ("(1 + 3x) o", "s"),
    "rank_noise": ("rank noise, Kendall's tau 1 - x", "D"),
    "swap": ("order reversed (swap)", "v"),
    "outlier": ("the longest predicted 1 (outlier)", "P"),
}
#: where the modes without a level stand on the axis
BESIDE = {"swap": 1.14, "outlier": 1.28}


def policies() -> tuple[str, ...]:
    """Return every policy whose card says that it reads predictions, one bit of them, or intervals."""
    from algos import registry

    reads = ("prediction", "one_bit", "interval")
    return tuple(name for name in registry.policy_ids() if registry.card(name).information in reads)


def families(effort: Effort) -> list[dict[str, Any]]:
    """Return one family a mode over one base; and over a small base for the policies that solve a linear program."""
    base = {"family": "lognormal", "count": 40 if effort.quick else 100, "memory": 4000}
    small = {"family": "uniform", "count": 12, "memory": 30, "prompt": [0, 5], "output": [1, 15]}
    levels = QUICK_LEVELS if effort.quick else LEVELS
    entries: list[dict[str, Any]] = []
    for prefix, on in (("", base), (SMALL, small)):
        for mode in MODES:
            entry = {"id": "families.py:guesses", "label": prefix + mode, "parameters": {"base": on, "mode": mode}}
            if mode in levels:
                # Of a dozen requests no noise may bring the order as low as the last level.
                kept = [x for x in levels[mode] if not (prefix and mode == "rank_noise" and x < LEAST_TAU)]
                entry["grid"] = {"level": kept or [LEAST_TAU]}
            if prefix:
                entry["policies"] = [*SMALL_ONLY, CLAIRVOYANT, BLIND]
            else:
                entry["without"] = list(SMALL_ONLY)
            entries.append({**entry, "seeds": effort.seeds})
    return entries


def error_of(mode: str, level: float | None) -> float:
    """Return where a mode and its level stand on the axis, 0 for exact predictions and 1 for the largest level."""
    if mode in BESIDE:
        return BESIDE[mode]
    assert level is not None
    return {"uniform": level, "over": (level - 1) / 3, "rank_noise": 1 - level}[mode]


def points(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the ratios by mode, policy and error; the point without error belongs to every mode with a level."""
    found = points_of(cells, lambda parameters: error_of(parameters["mode"], parameters.get("level")))
    # Policies that read intervals know [1, M - s] alone in the other modes: no error of a prediction reaches them.
    mode = found["panel"].str.removeprefix(SMALL)
    found = found[~found["policy"].isin(_interval_readers(cells)) | mode.isin(["uniform", "over"])]
    parts = [found]
    exact = found[(found["x"] == 0) & found["panel"].isin(["uniform", SMALL + "uniform"])]
    for name in ("over", "rank_noise"):
        reads = exact if name == "over" else exact[~exact["policy"].isin(_interval_readers(cells))]
        parts.append(reads.assign(panel=reads["panel"].str.replace("uniform", name)))
    return pd.concat(parts, ignore_index=True)


def _interval_readers(cells: pd.DataFrame) -> list[str]:
    """Return the labels of built-in policies that read intervals and no predictions."""
    from algos import registry

    labels = cells.drop_duplicates("policy").set_index("policy")["policy_id"]
    known = {name for name in registry.policy_ids() if registry.card(name).information == "interval"}
    return [str(label) for label, name in labels.items() if name in known]


@in_style
def draw(points: pd.DataFrame) -> Figure:
    """Draw one panel a policy, the most consistent first: a line a mode, and two reference lines."""
    shown = [name for name in dict.fromkeys(points["policy"]) if name != BLIND]
    exact = points[points["x"] == 0].groupby("policy")["low"].min()
    own = [name for name in shown if name in SMALL_ONLY]
    order = [*sorted((n for n in shown if n not in own), key=lambda n: (exact.get(n, 0.0), n)), *own]
    columns = 5 if len(order) > 3 else len(order) + 1
    figure, axes = grid_of(len(order), columns=columns, height=1.42, sharex=True, sharey=True)
    for ax, policy in zip(axes, order, strict=False):
        _panel(ax, points, policy, SMALL if policy in own else "")
        panel_title(ax, f"{policy} (n = 12)" if policy in own else policy)
    for k, ax in enumerate(axes[: len(order)]):
        if k % columns == 0:
            ax.set_ylabel("ratio")
        if k >= len(order) - columns:
            ax.tick_params(labelbottom=True)
        if k >= columns * ((len(order) - 1) // columns):
            ax.set_xlabel("error x")
    figure.legend(handles=_handles(), loc="outside lower center", ncols=3)
    return figure


def _panel(ax: Axes, points: pd.DataFrame, policy: str, prefix: str) -> None:
    for k, (mode, (_, marker)) in enumerate(MODES.items()):
        of_mode = points[points["panel"] == prefix + mode]
        mine = of_mode[of_mode["policy"] == policy].sort_values("x")
        y = mine["low"].fillna(mine["high"])
        line = "-" if mode not in BESIDE else ""
        ax.plot(
            mine["x"], y, ls=line, marker=marker, ms=3.2 if line else 4.6, mew=0, lw=1.2, color=COLOURS[k], zorder=3
        )
        if line:
            ax.fill_between(mine["x"], y, mine["high"], color=COLOURS[k], alpha=0.12, lw=0)
    at_zero = points[(points["panel"] == prefix + "uniform") & (points["x"] == 0)].set_index("policy")["low"]
    for name, dash in ((CLAIRVOYANT, (0, (4, 2))), (BLIND, (0, (1, 1)))):
        if name in at_zero.index:
            ax.axhline(at_zero[name], color=INK if name == CLAIRVOYANT else FAINT, lw=1.0, ls=dash, zorder=2)
    ax.set_yscale("log")
    plain_log_ticks(ax.yaxis)
    ax.set_xticks([0, 0.5, 1])


def _handles() -> list[Any]:
    handles = []
    for k, (mode, (text, marker)) in enumerate(MODES.items()):
        line = "-" if mode not in BESIDE else ""
        handles.append(line_of(text, ls=line, lw=1.2, marker=marker, ms=3.5, mew=0, color=COLOURS[k]))
    handles.append(line_of(f"clairvoyant: {CLAIRVOYANT} with true lengths", color=INK, lw=1.0, ls=(0, (4, 2))))
    handles.append(line_of(f"non-clairvoyant: {BLIND}", color=FAINT, lw=1.0, ls=(0, (1, 1))))
    return handles


def summary(points: pd.DataFrame) -> Table:
    """Return consistency, the worst mean ratio of each mode, and the robustness of each policy."""
    modes = list(MODES)
    sections = []
    for prefix, title in (("", "lognormal"), (SMALL, "uniform, 12 requests")):
        rows = []
        mine = points[points["panel"].isin([prefix + mode for mode in modes])]
        for policy, group in mine.groupby("policy", sort=False):
            exact = group[(group["x"] == 0) & (group["panel"] == prefix + "uniform")]
            worst = [_worst(group[group["panel"] == prefix + mode]) for mode in modes]
            rows.append((str(policy), _worst(exact), *worst, _worst(group)))
        if rows:
            sections.append(Section(title, tuple(rows)))
    heads = ("consistency", *modes, "robustness")
    columns = (Column("policy"), *(Column(head, "right") for head in heads))
    note = "Largest mean ratio over the errors of a mode, from proven at least to proven at most; consistency: without."
    title = "Consistency and robustness"
    return Table("study_prediction_error_summary", title, columns, tuple(sections), (note,))


def _worst(points: pd.DataFrame) -> str:
    """The largest interval of some points, by its lower end; by its upper end where that has no meaning."""
    if not len(points):
        return numerals.NOTHING
    low = points["low"].to_numpy(float)
    high = points["high"].to_numpy(float)
    k = int(np.argmax(np.where(np.isnan(low), high, low)))
    return numerals.short_interval(Interval(None if np.isnan(low[k]) else float(low[k]), float(high[k])))


STUDY = Study(
    name="prediction_error",
    title="Ratio against the error of predictions",
    about="consistency and robustness of every policy that reads predictions or intervals",
    families=families,
    policies=policies,
    points=points,
    draw=draw,
    axis="x",
    notes=(
        "Total completion, mean over the instances. Line: proven at least; band: to proven at most. Consistency is the "
        "ratio at x = 0, robustness the largest over all errors.",
        "x: uniform o U[1-x, 1+x]; over (1 + 3x) o; rank_noise Kendall's tau 1 - x; swap and outlier have no level.",
        "a_max and a_min read the interval that prediction and level leave: uniform and over only. lp_swap and "
        "sorted_lp solve a linear program whose size grows with the predicted lengths: they run on 12 requests, with "
        "references of their own.",
    ),
    references=(CLAIRVOYANT, BLIND),
    seeds=8,
    summary=summary,
)
