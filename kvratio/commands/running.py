"""`kvratio run`: a suite from the first cell to the table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run(
    suite: Annotated[str | None, typer.Argument(help="Built-in suite or TOML file; default: default.")] = None,
    named: Annotated[str | None, typer.Option("--suite", help="The same, as an option.")] = None,
    out: Annotated[Path | None, typer.Option(help="Run folder; default: runs/SUITE.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes; default: all cores this process may use.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Throw away what an earlier run finished.")] = False,
    retry: Annotated[bool, typer.Option("--retry", help="Try failed cells again.")] = False,
    policy: Annotated[list[str] | None, typer.Option(help="Only this policy (label); may be repeated.")] = None,
    family: Annotated[list[str] | None, typer.Option(help="Only this family (label); may be repeated.")] = None,
    brief: Annotated[bool, typer.Option("--brief", help="Print the matrix and what hurts most only.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress on stderr.")] = False,
) -> None:
    """Run every cell of a suite, write the run folder, and print the table.

    A run that was killed goes on where it stopped: give the same command again. Exit code 1: a cell failed, or a
    ratio is proven above a guarantee that should hold.

    Example: kvratio run --suite smoke --out runs/first
    """
    from kvratio.commands.output import say
    from kvratio.commands.showing import show_run
    from kvratio.problem.errors import BadParameter
    from kvratio.suite.read import load_suite
    from kvratio.suite.report_files import write_report_files
    from kvratio.suite.run import run_suite

    if suite and named and suite != named:
        raise BadParameter(f"two suites are named, {suite!r} and {named!r}: give one")
    plan = load_suite(suite or named or "default").narrowed(tuple(policy or ()), tuple(family or ()))
    try:
        done = run_suite(plan, out=out, workers=workers, resume=not fresh, progress=not quiet, retry_failed=retry)
    except KeyboardInterrupt:
        say("kvratio: interrupted; finished cells are kept, the same command goes on from there")
        raise typer.Exit(130) from None
    summaries = write_report_files(done)
    show_run(done, summaries, ["matrix", "hardest"] if brief else ["all"], json)
    reused = f", {done.reused} of them from an earlier run" if done.reused else ""
    if not quiet:
        say(f"{done.cells} cells{reused}, {done.failed} failed, {done.seconds:.0f} s; all of it is in {done.path}")
    if done.failed or any(s.broken for s in summaries):
        raise typer.Exit(1)
