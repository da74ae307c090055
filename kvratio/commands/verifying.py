"""`kvratio verify`: recheck a finished run from what its folder holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def verify(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    rerun: Annotated[bool, typer.Option(help="Also run every policy again and compare its costs.")] = False,
    other_sources: Annotated[bool, typer.Option(help="Accept a run made by another version of the code.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Recheck every file, instance, schedule, certificate, ratio and table of a run; exit code 1 on any fault.

    Files against the seal that the run left, the manifest against the sources installed, schedules by the integer
    checker, bounds from their certificates alone, ratios as fractions, tables by making them again.

    Example: kvratio verify runs/smoke
    """
    from kvratio.commands.output import print_json
    from kvratio.suite.verification.verify import verify_run

    found = verify_run(run, rerun)
    checks = [check for check in found.checks if not (other_sources and check.name == "sources")]
    faults = [f"{check.name}: {fault}" for check in checks for fault in check.faults]
    if json:
        print_json({"run": str(run), "fine": not faults, "checks": [vars(check) for check in checks]})
    else:
        for check in checks:
            verdict = "ok" if not check.faults else f"{len(check.faults)} FAULTS"
            print(f"{check.name:<13} {check.checked:>7,} checked   {verdict}")
        for check in checks:
            for note in check.notes:
                print(f"note: {check.name}: {note}")
        for fault in faults[:20]:
            print(f"fault: {fault}")
        if len(faults) > 20:
            print(f"and {len(faults) - 20} more: --json lists all")
        print(f"{run}: {'everything holds' if not faults else 'does not hold'}")
    if faults:
        raise typer.Exit(1)
