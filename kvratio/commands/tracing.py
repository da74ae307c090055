"""`kvratio traces`: which traces are here, where they come from, and getting them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

traces = typer.Typer(
    help="Traces of real systems: list, info, fetch. Example: kvratio traces info azure_2023_conv",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@traces.command("list")
def list_command(json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the traces found below KVRATIO_TRACES, and those that are published.

    Example: kvratio traces list
    """
    list_traces(json)


@traces.command("info")
def info_command(
    name: Annotated[str, typer.Argument(help="Name of a published trace, or a file.")],
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print source, licence, size and hash of a trace.

    Example: kvratio traces info azure_2023_conv
    """
    from kvratio.commands.output import console, print_json

    facts = trace_facts(name)
    if json:
        print_json(dict(facts))
        return
    from rich.table import Table

    grid = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    grid.add_column(style="bold cyan", no_wrap=True)
    grid.add_column(overflow="fold")
    for key, value in facts:
        grid.add_row(key, str(value))
    console().print(grid)


@traces.command("fetch")
def fetch_command(
    name: Annotated[str, typer.Argument(help="Name of a published trace.")],
    folder: Annotated[Path | None, typer.Option(help="Where to put it; default: KVRATIO_TRACES.")] = None,
) -> None:
    """Download a published trace, resume what was begun, and check its hash.

    Example: kvratio traces fetch azure_2023_conv --folder traces
    """
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    from instances.traces.download import fetch

    columns = (TextColumn(name), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(name, total=None)
        got = fetch(name, folder, progress=lambda done, total: bar.update(task, completed=done, total=total))
    print(f"{got.path}  {got.bytes} bytes  sha256 {got.sha256}  checked against {got.checked}")


def list_traces(json: bool) -> None:
    """Print what is here and what is published."""
    from instances.traces.locate import TRACES_VARIABLE, local_traces, traces_folder
    from instances.traces.sources import list_sources
    from kvratio.commands.output import console, print_json

    here = [{"name": t.name, "format": t.format, "bytes": t.bytes, "path": str(t.path)} for t in local_traces()]
    columns = ("name", "rows", "bytes", "licence", "format")
    published = [{name: getattr(source, name) for name in columns} for source in list_sources()]
    if json:
        print_json({"here": here, "published": published})
        return
    target = console()
    folder = traces_folder()
    unset = f"none: set {TRACES_VARIABLE} to the folder of your traces"
    where = f"below {TRACES_VARIABLE} = {folder}" if folder else unset
    short = [{key: value for key, value in row.items() if key != "path"} for row in here]
    _print_rows(target, f"Here ({where})", short)
    target.print()
    _print_rows(target, "Published (kvratio traces fetch NAME)", published)


def _print_rows(target: Any, title: str, rows: list[dict[str, Any]]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    target.print(Text(title, style="bold"))
    if not rows:
        return
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold", padding=(0, 1))
    for k, key in enumerate(rows[0]):
        grid.add_column(key, justify="right" if key in ("rows", "bytes") else "left", no_wrap=k == 0, overflow="fold")
    for row in rows:
        grid.add_row(*("-" if value in (None, "") else str(value) for value in row.values()))
    target.print(grid)


def trace_facts(name: str) -> list[tuple[str, Any]]:
    """What is known of a published trace, and whether it is here; or of a local file."""
    from instances.traces.locate import find_trace, local_traces
    from instances.traces.sources import info, list_sources
    from kvratio.problem.errors import TraceError

    facts: list[tuple[str, Any]] = []
    if any(source.name == name for source in list_sources()):
        source = info(name)
        facts += [
            ("name", source.name),
            ("file", source.file),
            ("url", source.url),
            ("format", source.format),
            ("licence", source.licence),
            ("bytes", source.bytes if source.bytes is not None else "not known"),
            ("sha256", source.sha256 or "not known"),
            ("rows", source.rows or "not known"),
            ("basis", source.basis),
        ]
    try:
        path = find_trace(name)
    except TraceError as fault:
        if not facts:
            raise
        return [*facts, ("here", f"no ({fault})")]
    from kvratio.suite.identity import file_hash

    local = next((trace for trace in local_traces() if trace.path == path), None)
    facts.append(("here", str(path)))
    if local is not None:
        facts.append(("format here", local.format))
    if path.is_file():
        facts += [("bytes here", path.stat().st_size), ("sha256 here", file_hash(path))]
    return facts
