"""`kvratio report`: a finished run as one web page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    out: Annotated[Path | None, typer.Option(help="HTML file; default: report.html in the run folder.")] = None,
    bound_seconds: Annotated[
        float, typer.Option(help="Compute missing bounds again up to this sum of recorded seconds; 0: none.")
    ] = 300.0,
    limit: Annotated[float, typer.Option(help="Megabytes the page may have.")] = 5.0,
    workers: Annotated[int | None, typer.Option(help="Processes; default: all cores this process may use.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print what was written as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress on stderr.")] = False,
) -> None:
    """Write one self-contained HTML page: ratios to sort and filter, figures, and the evidence behind every cell.

    Schedules that the run did not keep are made again, checked, and compared with its costs.

    Example: kvratio report runs/smoke --out smoke.html
    """
    from kvratio.commands.output import print_json, say
    from kvratio.suite.report.write import write_report
    from kvratio.suite.run import load_run

    done = write_report(load_run(run), out, bound_seconds, limit, workers, progress=not quiet)
    if json:
        facts = {"report": str(done.path), "bytes": done.size, **done.counts, "left out": list(done.left_out)}
        print_json(facts)
    else:
        print(done.path)
    if not quiet:
        missing = done.counts.get("schedules missing", 0)
        told = f"{done.size / 1e6:.2f} MB, {done.counts.get('schedules', 0)} schedules"
        told += f" ({missing} could not be had)" if missing else ""
        told += f", {done.counts.get('bounds', 0)} bounds with certificates"
        say(told + (f", {len(done.left_out)} instances left out" if done.left_out else ""))
