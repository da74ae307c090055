"""`kvratio diff`: what changed from one run to another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def diff(
    first: Annotated[Path, typer.Argument(help="Run folder.")],
    second: Annotated[Path, typer.Argument(help="Run folder.")],
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Say what changed from one run to another, and whether it can be noise; exit code 1 where anything did.

    Example: kvratio diff runs/before runs/after
    """
    from kvratio.commands.output import console, print_json
    from kvratio.suite.difference import difference_table, differences, frame
    from kvratio.suite.render import print_table
    from kvratio.suite.run import load_run

    one, two = load_run(first), load_run(second)
    found = differences(one.table(), two.table(), one.suite.resamples, one.suite.confidence)
    if json:
        print_json({"first": str(first), "second": str(second), "rows": frame(found).to_dict("records")})
    else:
        print_table(difference_table(str(first), str(second), found), console())
    if not all(change.equal for change in found):
        raise typer.Exit(1)
