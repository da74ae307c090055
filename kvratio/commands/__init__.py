"""The verbs. Each module has one or two commands and imports what they need when they run."""

from __future__ import annotations

import typer


def add_commands(app: typer.Typer) -> None:
    """Register every verb, in the order in which the help lists them."""
    from kvratio.commands import (
        bounding,
        checking,
        doctor,
        information,
        listing,
        running,
        serving,
        showing,
        simulating,
        sweeping,
        tracing,
    )

    app.command("run")(running.run)
    app.command("table")(showing.table)
    app.command("plot")(showing.plot)
    app.command("list")(listing.list_)
    app.command("info")(information.info)
    app.command("simulate")(simulating.simulate)
    app.command("serve")(serving.serve)
    app.command("sweep")(sweeping.sweep)
    app.command("bound")(bounding.bound)
    app.command("check")(checking.check)
    app.add_typer(tracing.traces, name="traces")
    app.command("doctor")(doctor.doctor)
