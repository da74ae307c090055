"""`kvratio run`: a suite from the first cell to the table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer


def run(
    suite: Annotated[str | None, typer.Argument(help="Built-in suite or TOML file; default: default.")] = None,
    named: Annotated[str | None, typer.Option("--suite", help="The same, as an option.")] = None,
    out: Annotated[Path | None, typer.Option(help="Run folder; default: runs/SUITE.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes; default: all cores this process may use.")] = None,
    backend: Annotated[
        str | None, typer.Option(help="serial, processes (default) or dask: where the cells are worked out.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Address of a dask scheduler; default with dask: a cluster on this machine.")
    ] = None,
    again: Annotated[
        Path | None, typer.Option("--from", help="Repeat the run of this manifest.json or folder, and compare.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Throw away what an earlier run finished.")] = False,
    retry: Annotated[bool, typer.Option("--retry", help="Try failed cells again.")] = False,
    policy: Annotated[
        list[str] | None, typer.Option(help="Only this policy: a label, or ./my_policy.py; repeatable.")
    ] = None,
    family: Annotated[
        list[str] | None, typer.Option(help="Only this family: a label, or ./my_family.py; repeatable.")
    ] = None,
    bound: Annotated[str | None, typer.Option(help="Bound method of every family, or ./my_bound.py.")] = None,
    brief: Annotated[bool, typer.Option("--brief", help="Print the matrix and what hurts most only.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress on stderr.")] = False,
) -> None:
    """Run every cell of a suite, write the run folder, and print the table.

    Policies, families and bounds of your own are named by file, with parameters as in ./my_policy.py:patience=4. The
    folder of a finished run instead of a suite makes that run again, with the sources that it kept.

    A run that was killed goes on where it stopped: give the same command again. Exit code 1: a cell failed, or a
    ratio is proven above a guarantee that should hold; with --from: a cell differs.

    Example: kvratio run --suite smoke --out runs/first
    """
    from kvratio.commands.output import say
    from kvratio.commands.showing import show_run
    from kvratio.problem.errors import BadParameter
    from kvratio.suite.choose import chosen
    from kvratio.suite.lock import hold
    from kvratio.suite.read import load_suite
    from kvratio.suite.report_files import write_report_files
    from kvratio.suite.run import require_means, run_suite
    from kvratio.suite.store import RunFolder

    where: dict[str, Any] = {"workers": workers, "backend": backend, "scheduler": scheduler, "progress": not quiet}
    if again is not None:
        if suite or named or policy or family or bound:
            raise BadParameter("--from repeats a run as it was: leave suite, --policy, --family and --bound out")
        _repeat(again, out, json, {**where, "resume": not fresh, "retry_failed": retry})
        return
    if suite and named and suite != named:
        raise BadParameter(f"two suites are named, {suite!r} and {named!r}: give one")
    plan = chosen(load_suite(suite or named or "default"), policy or (), family or (), bound)
    out = out or Path("runs") / plan.name
    require_means(plan, workers, backend, scheduler)
    RunFolder(out).create()
    with hold(out):
        with _interruptible():
            done = run_suite(plan, out=out, resume=not fresh, retry_failed=retry, **where)
        summaries = write_report_files(done)
    show_run(done, summaries, ["matrix", "hardest"] if brief else ["all"], json)
    reused = f", {done.reused} of them from an earlier run" if done.reused else ""
    if not quiet:
        say(f"{done.cells} cells{reused}, {done.failed} failed, {done.seconds:.0f} s; all of it is in {done.path}")
    if done.failed or any(s.broken for s in summaries):
        raise typer.Exit(1)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Turn Ctrl-C into one line and exit code 130."""
    from kvratio.commands.output import say

    try:
        yield
    except KeyboardInterrupt:
        say("kvratio: interrupted; finished cells are kept, the same command goes on from there")
        raise typer.Exit(130) from None


def _repeat(source: Path, out: Path | None, json: bool, options: dict[str, Any]) -> None:
    """Repeat a run and print what differs; exit code 1 where anything does."""
    from kvratio.commands.output import console, print_json, say
    from kvratio.suite.difference import difference_table, frame
    from kvratio.suite.render import print_table
    from kvratio.suite.repeat import repeat_run

    with _interruptible():
        repeat = repeat_run(source, out, **options)
    for note in repeat.notes:
        say(f"kvratio: {note}")
    if json:
        told = {"first": str(repeat.original.path), "second": str(repeat.run.path), "same_bytes": repeat.same_bytes}
        print_json({**told, "equal": repeat.equal, "rows": frame(list(repeat.changes)).to_dict("records")})
    else:
        print_table(difference_table(str(repeat.original.path), str(repeat.run.path), list(repeat.changes)), console())
    if options["progress"]:
        same = "the same bytes" if repeat.same_bytes else "equal cells" if repeat.equal else "cells differ"
        say(f"{repeat.run.cells} cells, {repeat.run.seconds:.0f} s, {same}; all of it is in {repeat.run.path}")
    if not repeat.equal:
        raise typer.Exit(1)
