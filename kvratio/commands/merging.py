"""`kvratio merge`: several runs made one, or a part of a run made a run of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def merge(
    runs: Annotated[list[Path], typer.Argument(help="Run folders.")],
    out: Annotated[Path, typer.Option(help="Folder of the merged run; new or empty.")],
    policy: Annotated[list[str] | None, typer.Option(help="Keep only this policy, by label; repeatable.")] = None,
    family: Annotated[list[str] | None, typer.Option(help="Keep only this family, by label; repeatable.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")] = False,
) -> None:
    """Make one run of several: all their cells, U of each instance over all of them, and the tables.

    With one run and --policy or --family: that part of it as a run of its own. Exit code 1, and a line each, where two
    runs have different results for one cell; then nothing is written.

    Example: kvratio merge runs/night1 runs/night2 --out runs/both
    """
    from kvratio.commands.output import print_json, say
    from kvratio.suite.combine import RunConflict, merge_runs
    from kvratio.suite.lock import hold
    from kvratio.suite.report_files import write_report_files

    try:
        merged = merge_runs(runs, out, policy or (), family or ())
    except RunConflict as fault:
        for line in fault.conflicts:
            say(f"kvratio: {line}")
        raise typer.Exit(1) from None
    with hold(merged.run.path):
        write_report_files(merged.run)
    for note in merged.notes:
        say(f"kvratio: {note}")
    counts = {"cells": merged.run.cells, "failed": merged.run.failed, "folder": str(merged.run.path)}
    if json:
        print_json(counts)
    else:
        print(f"{counts['cells']} cells, {counts['failed']} failed; all of it is in {counts['folder']}")
