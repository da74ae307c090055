"""`kvratio study`: a ratio against one quantity, as one figure."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer


def study(
    name: Annotated[str, typer.Argument(help="augmentation, prediction_error, gcd or alpha.")],
    policy: Annotated[
        list[str] | None, typer.Option(help="Only this policy, as gsa:alpha=2 or ./my_policy.py; repeatable.")
    ] = None,
    seeds: Annotated[int | None, typer.Option(help="Instances of each random family; default: the study's.")] = None,
    out: Annotated[Path | None, typer.Option(help="Run folder; default: runs/study_NAME.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes; default: all cores this process may use.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Smaller instances, fewer points and seeds.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Throw away what an earlier run finished.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the points as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress on stderr.")] = False,
) -> None:
    """Run a study and draw its figure: ratio against extra memory, prediction error, common divisor or alpha.

    The folder is a run like any other: it goes on where it was killed, and kvratio verify, table and report read it.
    Exit code 1: a cell failed.

    Example: kvratio study augmentation --policy mc_sf --policy ./my_policy.py
    """
    from kvratio.commands.output import console, print_json, say
    from kvratio.suite.render import print_table
    from kvratio.suite.studies.conduct import conduct_study
    from kvratio.suite.studies.table import study_table

    try:
        done = conduct_study(name, policy or (), seeds, out, workers, quick, not quiet, fresh)
    except KeyboardInterrupt:
        say("kvratio: interrupted; finished cells are kept, the same command goes on from there")
        raise typer.Exit(130) from None
    if json:
        about = {"study": name, "run": str(done.run.path), "files": [str(path) for path in done.files]}
        print_json({**about, "points": done.points.to_dict("records")})
    else:
        table = done.study.summary or partial(study_table, done.study)
        print_table(table(done.points), console())
        print(done.files[0])
    if not quiet:
        run = done.run
        say(f"{run.cells} cells, {run.failed} failed, {run.seconds:.0f} s; all of it is in {run.path}")
    if done.run.failed:
        raise typer.Exit(1)
