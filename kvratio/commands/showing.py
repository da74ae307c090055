"""`kvratio table` and `kvratio plot`: what a finished run says."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from matplotlib.figure import Figure

    from kvratio.suite.run import Run
    from kvratio.suite.statistics import Summary


class View(StrEnum):
    """Parts of what a run says."""

    ALL = "all"
    RATIOS = "ratios"
    MATRIX = "matrix"
    HARDEST = "hardest"
    COMPARISON = "comparison"
    PROFILE = "profile"


class Form(StrEnum):
    """Ways to write a table."""

    TERMINAL = "terminal"
    LATEX = "latex"
    MARKDOWN = "markdown"
    CSV = "csv"
    HTML = "html"


class Kind(StrEnum):
    """Figures of a run."""

    RATIO = "ratio"
    PROFILE = "profile"
    AGAINST = "against"


class Which(StrEnum):
    """Ratio that a figure shows."""

    WORST = "worst"
    MEAN = "mean"


def table(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    view: Annotated[View, typer.Option(help="Which table.")] = View.ALL,
    form: Annotated[Form, typer.Option("--format", help="How to write it.")] = Form.TERMINAL,
    policy: Annotated[list[str] | None, typer.Option(help="Only this policy (label); may be repeated.")] = None,
    family: Annotated[list[str] | None, typer.Option(help="Only this family (label); may be repeated.")] = None,
    spec: Annotated[Path | None, typer.Option(help="Make the table that this TOML file asks for.")] = None,
    against: Annotated[list[str] | None, typer.Option(help="Comparison: with this policy only; repeatable.")] = None,
    by_family: Annotated[bool, typer.Option(help="Comparison: one for each family.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write all formats of the tables into this folder.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Print the table of a run, or write it as LaTeX (booktabs), Markdown, CSV and HTML.

    Example: kvratio table runs/smoke --view ratios --format latex > ratios.tex
    """
    from kvratio.suite.render import write_tables
    from kvratio.suite.run import load_run
    from kvratio.suite.tables import all_tables

    finished = load_run(run)
    if spec is not None or view in (View.COMPARISON, View.PROFILE):
        from kvratio.commands.asking import show_asked

        show_asked(
            finished, spec, view.value, against or (), by_family, (policy or (), family or ()), form.value, json, out
        )
        return
    summaries = _chosen(finished, policy, family)
    if out is not None:
        for path in write_tables(all_tables(finished.suite, summaries, Path()), out):
            print(path)
        return
    show_run(finished, summaries, [view.value], json, form.value)


def plot(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    kind: Annotated[
        Kind, typer.Option(help="Ratio by policy, performance profile, or ratio against --key.")
    ] = Kind.RATIO,
    key: Annotated[str, typer.Option(help="For against: n, memory, alpha, or param.NAME of the families.")] = "n",
    which: Annotated[Which, typer.Option(help="Worst or mean ratio.")] = Which.WORST,
    policy: Annotated[list[str] | None, typer.Option(help="Only this policy (label); may be repeated.")] = None,
    family: Annotated[list[str] | None, typer.Option(help="Only this family (label); may be repeated.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder; default: figures/ of the run.")] = None,
) -> None:
    """Draw ratios by policy, a performance profile, or ratio against a size, into PDF, SVG and PNG.

    Example: kvratio plot runs/smoke --kind against --key memory --family synchronised
    """
    from kvratio.suite.plots import save_figure
    from kvratio.suite.run import load_run

    finished = load_run(run)
    of = f", {', '.join(family)}" if family else ""
    name, figure = _figure(finished, kind, key, which.value, policy, family, of)
    stem = "_".join([name, *([which.value] if which is Which.MEAN else []), *(family or ())])
    for path in save_figure(figure, (out or finished.folder.figures) / stem):
        print(path)


def _figure(
    run: Run, kind: Kind, key: str, which: str, policy: list[str] | None, family: list[str] | None, of: str
) -> tuple[str, Figure]:
    """The stem of a figure's files, and the figure."""
    from kvratio.suite.curves import against_figure, profile_figure
    from kvratio.suite.plots import ratio_figure

    if kind is Kind.RATIO:
        title = f"Suite {run.suite.name}: {which} ratio by policy{of}"
        return "ratio_by_policy", ratio_figure(_chosen(run, policy, family), title, which)
    cells = chosen_cells(run, policy, family)
    if kind is Kind.PROFILE:
        return "performance_profile", profile_figure(cells, f"Suite {run.suite.name}: performance profile{of}")
    title = f"Suite {run.suite.name}: {which} ratio against {key.removeprefix('param.')}{of}"
    return f"ratio_against_{key.removeprefix('param.')}", against_figure(cells, key, title, which)


def show_run(run: Run, summaries: Sequence[Summary], views: Sequence[str], json: bool, form: str = "terminal") -> None:
    """Print some tables of a run in one format."""
    from kvratio.commands.output import console, print_json
    from kvratio.suite.render import print_table, render
    from kvratio.suite.statistics import frame
    from kvratio.suite.tables import all_tables

    if json:
        print_json({"run": str(run.path), "suite": run.suite.name, "rows": frame(list(summaries)).to_dict("records")})
        return
    everything = all_tables(run.suite, summaries, run.path)
    tables = [t for t in everything if "all" in views or t.name.startswith(tuple(views))]
    target = console() if form == "terminal" else None
    for item in tables:
        if target is not None:
            print_table(item, target)
        else:
            print(render(item, form))


def chosen_cells(run: Run, policy: Sequence[str] | None, family: Sequence[str] | None) -> pd.DataFrame:
    """The cells of some policies and families; of all where none are named."""
    suite = run.suite.narrowed(tuple(policy or ()), tuple(family or ()))
    cells = run.table()
    policies, families = [p.label for p in suite.policies], [f.label for f in suite.families]
    return cells[cells["policy"].isin(policies) & cells["family"].isin(families)]


def _chosen(run: Run, policy: list[str] | None, family: list[str] | None) -> list[Summary]:
    from kvratio.suite.report_files import summaries_of

    suite = run.suite.narrowed(tuple(policy or ()), tuple(family or ()))
    policies, families = {p.label for p in suite.policies}, {f.label for f in suite.families}
    return [s for s in summaries_of(run) if s.policy in policies and s.family in families]
