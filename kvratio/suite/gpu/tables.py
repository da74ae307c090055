"""What a comparison on a model says, as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gpu_validate.judgement import agreements, judge
from kvratio.suite import numerals
from kvratio.suite.interval import Interval
from kvratio.suite.tables import Column, Section, Table

COLUMNS = (
    Column("policy"),
    Column("rounds", "right"),
    Column("clock s", "right", 2),
    Column("measured s", "right"),
    Column("p99 s", "right", 3),
    Column("TTFT s", "right", 4),
    Column("/ best", "right"),
    Column("/ offline", "right"),
    Column("/ bound", "right", 1),
    Column("ratio in rounds", "right", 1),
    Column("published", "right", 1),
    Column("kills", "right", 5),
)
#: a replay on the CPU with less of a processor was disturbed
UNDISTURBED = 0.9
READING = (
    "rounds, clock, measured: mean latency, in unit rounds, by the calibrated clock, and on the model; p99 by nearest "
    "rank; TTFT: mean time to the first token that counts.",
    "/ best: over the best policy; / offline: over the replayed best schedule known (optimal where its instance says "
    "so); / bound: total latency over the certified bound in seconds (batches only), which is as true as the clock: "
    "below 1 the clock says too much.",
    "published: proven ratio where its hypotheses hold, in brackets where they do not.",
)


def latency_tables(results: Mapping[str, Any]) -> list[Table]:
    """Return one table per model, a section per instance."""
    return [
        Table(
            f"latency_{name}",
            f"{model['name']} on {results['about']['name']}, {results['about']['dtype']}",
            COLUMNS,
            tuple(_section(label, about, judge(model)) for label, about in model["instances"].items()),
            (*READING, *_disturbed(results, model)),
        )
        for name, model in results["models"].items()
        if model["rows"]
    ]


def _disturbed(results: Mapping[str, Any], model: Mapping[str, Any]) -> list[str]:
    """Warn where others used the processor during a replay on it."""
    shares = [row["measured"]["processor_share"] for row in model["rows"]]
    if results["about"]["device"] != "cpu" or min(shares) >= UNDISTURBED:
        return []
    return [
        f"! Disturbed: the process had as little as {min(shares):.0%} of a processor during a replay; the measured "
        "times, but not the fitted clock, are that much too long. Measure again on a quiet machine."
    ]


def _section(label: str, about: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Section:
    best = "offline is optimal" if about["optimal"] else f"optimum in [{about['lower']}, {about['upper']}] rounds"
    title = f"{label}: {about['n']} requests, M = {about['memory']}; {best}"
    return Section(title, tuple(_row(row) for row in rows if row["instance"] == label))


def _row(row: Mapping[str, Any]) -> tuple[str, ...]:
    low, high = row["rounds_low"], row["rounds_high"]
    certified = numerals.NOTHING if high is None else numerals.interval(Interval(low, high))
    return (
        row["policy"],
        numerals.plain(row["rounds_mean"]),
        _seconds(row["predicted_mean"]),
        _seconds(row["measured_mean"]),
        _seconds(row["measured_p99"]),
        _seconds(row["ttft_mean"]),
        _ratio(row["to_best"]),
        _ratio(row["to_offline"]),
        _ratio(row["to_bound"]),
        certified,
        published(row["guarantee"]),
        str(row["kills"]),
    )


def published(guarantee: Mapping[str, Any] | None) -> str:
    """Write a published ratio; in brackets where its hypotheses do not hold here."""
    if guarantee is None:
        return numerals.NOTHING
    ratio = guarantee["ratio"]
    text = guarantee["text"] if ratio is None else numerals.at_most(ratio)
    return text if guarantee["holds"] else f"({text})"


AGREEMENT_COLUMNS = (
    Column("instance"),
    Column("policies", "right"),
    Column("tau, rounds", "right"),
    Column("tau, clock", "right"),
    Column("pairs alike / different / tied (rounds)", "right", 1),
    Column("(clock)", "right", 1),
)


def agreement_tables(results: Mapping[str, Any]) -> list[Table]:
    """Return Kendall's tau of simulated against measured order, one table per model."""
    tables = []
    for name, model in results["models"].items():
        found = {(one["instance"], one["simulated"]): one for one in agreements(model)}
        rows = []
        for label in model["instances"]:
            rounds, clock = found[label, "rounds"], found[label, "predicted"]
            pairs = [f"{one['agree']} / {one['differ']} / {one['tied']}" for one in (rounds, clock)]
            rows.append((label, str(rounds["policies"]), _tau(rounds["tau"]), _tau(clock["tau"]), *pairs))
        notes = ("Kendall's tau-b of mean latencies over the policies of an instance; 1: the same order.",)
        title = f"Does the simulated order hold on {model['name']}?"
        tables.append(Table(f"agreement_{name}", title, AGREEMENT_COLUMNS, (Section("", tuple(rows)),), notes))
    return tables


CLOCK_COLUMNS = (
    Column("model"),
    Column("d0 ms", "right"),
    Column("d1 us per KV token", "right"),
    Column("d2 us per prompt token", "right"),
    Column("largest error", "right"),
    Column("replay step ms", "right", 1),
    Column("library step ms", "right", 1),
    Column("ratio", "right", 1),
    Column("mu /s", "right", 2),
    Column("measured /s", "right", 2),
)


def clock_table(results: Mapping[str, Any]) -> Table:
    """Return one row per model: fitted clock, decode step beside the library's, capacity beside completions."""
    rows, notes = [], []
    for name, model in results["models"].items():
        fit, step, load = model.get("calibration"), model.get("step", {}), model.get("capacity")
        if fit is None:
            continue
        parts = [
            _with_ends(fit["coefficients"][key], fit["intervals_95"][key], unit)
            for key, unit in (("d0", 1e3), ("d1", 1e6), ("d2", 1e6))
        ]
        rows.append(
            (
                model["name"],
                *parts,
                f"{fit['largest_relative_error']:.0%}",
                _scaled(step.get("replay"), 1e3),
                _scaled(step.get("library"), 1e3),
                _ratio(step.get("over_library")),
                _scaled(load and load["mu_rounds"], 1),
                _scaled(load and load["measured"], 1),
            )
        )
        notes += [f"{name}: {line}" for line in fit["remarks"]]
    reading = (
        "d0, d1, d2 with 95% intervals. Steps: a decode iteration at the batch and context of the study, here and in "
        "the library's generation with its static cache, not compiled. mu: completions per second at full memory by "
        "the clock; measured: under overload."
    )
    return Table("clock", "Calibrated clocks", CLOCK_COLUMNS, (Section("", tuple(rows)),), (reading, *notes))


def all_tables(results: Mapping[str, Any]) -> list[Table]:
    """Return every table that the results have rows for."""
    tables = [clock_table(results), *latency_tables(results), *agreement_tables(results)]
    return [table for table in tables if table.rows]


def _with_ends(value: float, ends: Sequence[float | None], unit: float) -> str:
    low, high = ends
    spread = "held at 0" if low is None or high is None else f"[{low * unit:.3g}, {high * unit:.3g}]"
    return f"{value * unit:.3g} {spread}"


def _seconds(value: float) -> str:
    return f"{value:.4g}"


def _scaled(value: float | None, unit: float) -> str:
    return numerals.NOTHING if value is None else f"{value * unit:.3g}"


def _ratio(value: float | None) -> str:
    return numerals.NOTHING if value is None else f"{value:.3f}"


def _tau(value: float | None) -> str:
    return numerals.NOTHING if value is None else f"{value:+.2f}"
