"""The verbs. Each module has one or two commands and imports what they need when they run."""

from __future__ import annotations

import typer


def add_commands(app: typer.Typer) -> None:
    """Register every verb, in the order in which the help lists them."""
    from kvratio.commands import (
        bounding,
        capacity,
        checking,
        diffing,
        doctor,
        gpu,
        information,
        listing,
        merging,
        papers,
        reporting,
        running,
        searching,
        serving,
        showing,
        simulating,
        stability,
        studying,
        sweeping,
        tracing,
        verifying,
    )

    app.command("run")(running.run)
    app.command("table")(showing.table)
    app.command("plot")(showing.plot)
    app.command("report")(reporting.report)
    app.command("diff")(diffing.diff)
    app.command("verify")(verifying.verify)
    app.command("merge")(merging.merge)
    app.command("paper")(papers.paper)
    app.command("list")(listing.list_)
    app.command("info")(information.info)
    app.command("simulate")(simulating.simulate)
    app.command("serve")(serving.serve)
    app.command("sweep")(sweeping.sweep)
    app.command("capacity")(capacity.capacity)
    app.command("study")(studying.study)
    app.command("stability")(stability.stability)
    app.command("search")(searching.search)
    app.command("bound")(bounding.bound)
    app.command("check")(checking.check)
    app.add_typer(tracing.traces, name="traces")
    app.add_typer(gpu.gpu, name="gpu")
    app.command("doctor")(doctor.doctor)
