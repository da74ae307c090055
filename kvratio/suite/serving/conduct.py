"""Running an experiment: its sweeps, its largest stable rates, its scalings, and the table of reported figures."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kvratio.suite.plots import save_figure
from kvratio.suite.progress import Reporter, reporter
from kvratio.suite.serving.best_rate import BestRate, best_rate
from kvratio.suite.serving.experiment import Block, Experiment
from kvratio.suite.serving.figures import gap_figure
from kvratio.suite.serving.heavy import HeavyTraffic, heavy_traffic
from kvratio.suite.serving.paper import Judgement, judge, reported_rows
from kvratio.suite.serving.save import save_sweep, save_tables
from kvratio.suite.serving.sweep import Sweep, sweep
from kvratio.suite.workers import worker_count

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Outcome:
    """What an experiment found.

    Attributes
    ----------
    experiment : Experiment
    sweeps : dict of str to Sweep
        By label of the load.
    rates : dict of str to list of BestRate
        Largest stable rates by label of the load.
    heavy : list of HeavyTraffic
    reported : DataFrame
        Published figures beside ours; empty unless the experiment is a paper's.
    judgements : list of Judgement
        Acceptance rules with what was measured.
    """

    experiment: Experiment
    sweeps: dict[str, Sweep] = field(default_factory=dict)
    rates: dict[str, list[BestRate]] = field(default_factory=dict)
    heavy: list[HeavyTraffic] = field(default_factory=list)
    reported: pd.DataFrame | None = None
    judgements: list[Judgement] = field(default_factory=list)


def conduct(experiment: Experiment, workers: int | None = None, progress: bool | Reporter = False) -> Outcome:
    """Run everything an experiment asks for."""
    tell = reporter(progress) if isinstance(progress, bool) else progress
    count = worker_count(workers)
    sweeps: dict[str, Sweep] = {}
    rates: dict[str, list[BestRate]] = {}
    try:
        for block in experiment.blocks:
            tell.note(f"{block.label}: {len(block.policies)} policies at {len(block.rates)} rates")
            sweeps[block.label] = _sweep(block, count, tell)
            rates[block.label] = _rates(block, count, tell)
        heavy = [heavy_traffic(scaling, count, tell) for scaling in experiment.scalings]
    finally:
        if isinstance(progress, bool):
            tell.close()
    reported = reported_rows(experiment, sweeps, rates) if experiment.reported else None
    judgements = judge(sweeps, rates) if experiment.kind == "paper" else []
    return Outcome(experiment, sweeps, rates, heavy, reported, judgements)


def _sweep(block: Block, workers: int, tell: Reporter) -> Sweep:
    return sweep(
        block.load,
        block.policies,
        block.rates,
        block.hardware,
        replications=block.replications,
        requests=block.requests,
        seed=block.seed,
        tuning=block.tuning,
        measuring=block.measuring,
        workers=workers,
        progress=tell,
    )


def _rates(block: Block, workers: int, tell: Reporter) -> list[BestRate]:
    return [
        best_rate(policy, block.load, block.hardware, tuning=block.tuning, seed=block.seed, workers=workers, tell=tell)
        for policy in block.policies
        if policy.label in block.largest
    ]


def save_outcome(found: Outcome, folder: str | Path) -> list[Path]:
    """Write every table and figure of an experiment; return the paths."""
    import pandas as pd

    folder, written = Path(folder), []
    for label, one in found.sweeps.items():
        written += save_sweep(one, folder / _file_name(label), f"{label}, {one.hardware.name}")
    rows = [row for group in found.rates.values() for one in group for row in one.rows()]
    visits = [visit for group in found.rates.values() for one in group for visit in one.visits()]
    tables = {"largest": pd.DataFrame(rows), "visits": pd.DataFrame(visits)}
    for heavy in found.heavy:
        tables |= {f"{_file_name(heavy.label)}_gap": heavy.table, f"{_file_name(heavy.label)}_slopes": heavy.slopes}
        if (heavy.table["gap"] > 0).any():
            written += save_figure(gap_figure(heavy.table, heavy.label), folder / f"{_file_name(heavy.label)}_gap")
    if found.reported is not None:
        tables["reported"] = found.reported
    tables["rules"] = pd.DataFrame([vars(one) for one in found.judgements])
    tables["cannot_follow"] = pd.DataFrame(cannot_follow(found.experiment))
    return written + save_tables(tables, folder)


def cannot_follow(experiment: Experiment) -> list[dict[str, Any]]:
    """Return the published figures that cannot be reproduced, why, and the fluid limit that shows it."""
    return [
        {"figure": entry.figure, "why": entry.why, "fluid_limit": entry.limit} for entry in experiment.cannot_follow
    ]


def _file_name(label: str) -> str:
    return "".join(char if char.isalnum() or char in "-_." else "_" for char in label)
