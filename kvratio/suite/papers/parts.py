"""Papers whose figures other commands compute: capacity, congestion, and the serving experiment."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from kvratio.suite.papers.finding import AGREES, DIFFERS, FAILED, NOT_COMPARABLE, OPEN, Finding, Measured
from kvratio.suite.papers.judge import within
from kvratio.suite.papers.paper import Paper
from kvratio.suite.progress import reporter
from kvratio.suite.stability.cases import EVICTED

#: a printed capacity is met when the authors' measured rate is within this share of it, as they claim of theirs
CLAIMED_GAP = 0.10
#: a reported figure of the serving paper is met within this share, or within its printed standard deviation
NEAR = 0.10
CROSS_CHECK = "see cross_check.md"


def capacity_findings(paper: Paper, folder: Path, workers: int | None, quick: bool, progress: bool) -> list[Finding]:
    """Every printed capacity beside what its formula gives, and the authors' measurements beside ours."""
    from stability.capacity.printed import published

    found = []
    for row in published():
        known = row.ours is not None
        ours = f"{row.ours:.4f}" if row.ours is not None else "-"
        measured = () if row.ours is None else (Measured(row.ours, row.ours, ours, row.ours),)
        verdict = NOT_COMPARABLE if row.follows is None else AGREES if row.follows else DIFFERS
        found.append(
            Finding(
                paper.arxiv,
                "capacity mu, requests/s",
                row.what,
                f"{row.printed:g}",
                ours,
                verdict,
                "rounds to the printed digits" if known else "",
                row.why,
                True,
                row.printed,
                measured,
            )
        )
        if row.ours is not None and row.measured is not None:
            gap = abs(row.ours - row.measured) / row.measured
            found.append(
                Finding(
                    paper.arxiv,
                    "throughput measured on GPUs, requests/s",
                    row.what,
                    f"{row.measured:g}",
                    f"{ours}: gap {gap:.1%}",
                    AGREES if gap <= CLAIMED_GAP else DIFFERS,
                    f"our mu within {CLAIMED_GAP:.0%} of it",
                    "the gap mostly says how b was measured and how full the memory was",
                    True,
                    row.measured,
                    measured,
                )
            )
    return found


def stability_findings(paper: Paper, folder: Path, workers: int | None, quick: bool, progress: bool) -> list[Finding]:
    """The cross-check of theory against simulation, a line per section, and the printed rates."""
    from kvratio.suite.stability.cross_check import cross_check, save_cross_check

    check = cross_check(1 if quick else 5, workers, progress=progress)
    save_cross_check(check, folder)
    found = [*_printed_rates(paper, check.rows), _loss(paper)]
    for section in dict.fromkeys(row.section for row in check.rows):
        judged = [row for row in check.rows if row.section == section and row.agrees is not None]
        if not judged:
            continue
        held = sum(row.agrees is True for row in judged)
        missed = [f"{row.label}: {row.quantity}" for row in judged if not row.agrees]
        found.append(
            Finding(
                paper.arxiv,
                "closed forms beside simulation",
                section,
                "theory, " + CROSS_CHECK,
                f"{held} of {len(judged)} quantities agree",
                DIFFERS if missed else AGREES,
                "mean of the simulations within the tolerance of the case",
                "; ".join(missed),
            )
        )
    return found


def _printed_rates(paper: Paper, rows: Any) -> list[Finding]:
    """The rate-limit table, M = 1000 and l0 = l1 = 20: greedy and capped at x*."""
    found = []
    for setting, quantity, printed, tolerance, why in (
        ("greedy", "T", 1.33, 0.02, "the stated rules give T_worst = 1.25 completed per iteration"),
        ("greedy", EVICTED, 0.666, 0.02, "the stated rules give 1.20: what the cycle overfills and loses"),
        ("cap x*", "T", 1.605, 0.01, "printed as 1.60 to 1.61"),
        ("cap x*", EVICTED, 0.0, 0.005, ""),
    ):
        label = f"l0 = 20, l1 = 20, M = 1,000, {setting}"
        values = {row.quantity: row.mean for row in rows if row.label == label}
        # Simulated is evicted over completed; printed is evicted per iteration.
        value = values["T"] * (values[EVICTED] if quantity == EVICTED else 1.0)
        measured = Measured(value, value, f"{value:.4f}", value)
        what = "completed" if quantity == "T" else "evicted"
        found.append(
            Finding(
                paper=paper.arxiv,
                figure=f"rate-limit table: {what} per iteration",
                setting=label,
                published=f"{printed:g}",
                ours=measured.text,
                verdict=AGREES if abs(value - printed) <= tolerance else DIFFERS,
                rule=f"within {tolerance:g}",
                why=why,
                value=printed or None,
                measured=(measured,),
            )
        )
    return found


def _loss(paper: Paper) -> Finding:
    from stability.congestion.rates import equilibrium_rate, worst_rate

    losses = {o: 1 - worst_rate(1, o, 1000) / equilibrium_rate(1, o, 1000) for o in (10, 100, 1000)}
    largest = max(losses.values())
    return Finding(
        paper.arxiv,
        "throughput lost to the limit cycle",
        "one class, l0 = 1, l1 = 10, 100, 1000",
        "up to 50 %",
        ", ".join(f"{loss:.2%}" for loss in losses.values()),
        AGREES if 0.49 <= largest <= 0.5 else DIFFERS,
        "rises to within 1 % of one half and stays below",
        "1 - T_worst / x*, closed forms",
        True,
        0.5,
        tuple(Measured(loss, loss, f"{loss:.2%}", loss) for loss in losses.values()),
    )


def serving_findings(paper: Paper, folder: Path, workers: int | None, quick: bool, progress: bool) -> list[Finding]:
    """The reported figures of the serving experiment, its rules, and what cannot follow from the model."""
    from kvratio.suite.serving.conduct import cannot_follow, conduct, save_outcome
    from kvratio.suite.serving.experiment import Experiment, load_experiment

    experiment = load_experiment(paper.experiment)
    if quick:
        experiment = _short(experiment)
    assert isinstance(experiment, Experiment)
    outcome = conduct(experiment, workers, progress=reporter(progress))
    save_outcome(outcome, folder)
    rows: list[Any] = [] if outcome.reported is None else outcome.reported.to_dict("records")
    found = [_serving_row(paper, row) for row in rows]
    for one in outcome.judgements:
        verdict = AGREES if one.holds else DIFFERS
        found.append(
            Finding(paper.arxiv, "claims of the paper, as rules", "", "holds", one.measured, verdict, one.rule)
        )
    if quick:
        found = [_unsettled(one) for one in found]
    for entry in cannot_follow(experiment):
        limit = entry["fluid_limit"]
        ours = "-" if limit is None else f"fluid limit {limit:.4g} requests/s"
        about = "cannot follow from the model"
        found.append(Finding(paper.arxiv, about, "", entry["figure"], ours, NOT_COMPARABLE, "", entry["why"]))
    return found


def _short(experiment: Any) -> Any:
    """Three replications of 1000 requests, two candidates, and no search for largest rates."""
    blocks = tuple(
        replace(block, replications=3, requests=min(block.requests, 1000), tuning=min(block.tuning, 2), largest=())
        for block in experiment.blocks
    )
    kept = tuple(figure for figure in experiment.reported if figure.quantity != "largest")
    return replace(experiment, blocks=blocks, reported=kept)


def _unsettled(finding: Finding) -> Finding:
    """A short run with few replications cannot show that a figure differs."""
    if finding.verdict != DIFFERS:
        return finding
    return replace(finding, verdict=OPEN, why="; ".join(filter(None, (finding.why, "differs in a run this short"))))


def _serving_row(paper: Paper, row: dict[str, Any]) -> Finding:
    """One reported figure: ours agrees if the default or the tuned value does."""
    reported, sd = float(row["reported"]), float(row["reported_sd"] if row["reported_sd"] is not None else math.nan)
    measured, shown = [], []
    for setting in ("default", "tuned"):
        value, half = float(row[setting]), float(row[f"{setting}_half"])
        if math.isnan(value):
            continue
        half = 0.0 if math.isnan(half) else half
        text = f"{setting} {value:.4g}" + (f" ± {half:.2g}" if half else "")
        shown.append(text)
        measured.append(Measured(value - half, value + half, text, value))
    margin = max(NEAR * abs(reported), 0.0 if math.isnan(sd) else sd)
    verdicts = {within(one, reported - margin, reported + margin) for one in measured}
    rate = "" if row["rate"] is None or math.isnan(row["rate"]) else f" at {row['rate']:g} requests/s"
    return Finding(
        paper=paper.arxiv,
        figure=f"{row['quantity'].replace('_', ' ')} of {row['who']}",
        setting=f"{row['load']}{rate}, ours: {row['policy']}",
        published=f"{reported:g}" + ("" if math.isnan(sd) else f" (sd {sd:g})"),
        ours="; ".join(shown) or "-",
        verdict=next((verdict for verdict in (AGREES, OPEN, DIFFERS) if verdict in verdicts), FAILED),
        rule=f"the 95% interval of default or tuned within {NEAR:.0%} of it, or one printed sd if that is more",
        why=str(row["note"]) if row["quantity"] == "largest" else f"stable at this rate? {row['note']}",
        value=reported,
        measured=tuple(measured),
    )


#: part of a paper's file -> its findings
PARTS: dict[str, Callable[[Paper, Path, int | None, bool, bool], list[Finding]]] = {
    "capacity": capacity_findings,
    "stability": stability_findings,
    "serving": serving_findings,
}
