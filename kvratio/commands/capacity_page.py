"""The page that `kvratio capacity` prints: verdict first, then what it rests on, then what may go wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

    from kvratio.suite.capacity_source import Source
    from stability.capacity import Burst, Capacity, Fleet, KVMemory, MuInterval, Variant


def show_capacity(
    source: Source,
    found: Capacity,
    verdict: str,
    interval: MuInterval | None,
    variants: Sequence[Variant],
    summed: KVMemory | None,
    tensor_parallel: int,
    fleet: Fleet | None,
) -> None:
    """Print the answer to a capacity question on one page."""
    from rich.text import Text

    from kvratio.commands.output import console

    screen = console()
    screen.print(Text(verdict, style="bold"))
    screen.print()
    grid = _grid()
    for name, text in _facts(source, found, interval, tensor_parallel, fleet):
        grid.add_row(name, Text(text))
    for k, line in enumerate(summed.lines if summed else ()):
        grid.add_row("" if k else "memory", line)
    screen.print(grid)
    screen.print()
    screen.print(_variants(variants))
    screen.print()
    warned = _grid("yellow")
    for k, line in enumerate(found.warnings, 1):
        warned.add_row(f"{k}.", Text(line))
    screen.print(Text("Mind", style="bold"))
    screen.print(warned)


def show_published(json: bool) -> None:
    """Print the published capacities beside ours."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from kvratio.commands.output import console, print_json
    from stability.capacity import published

    rows = published()
    if json:
        print_json([asdict(row) for row in rows])
        return
    table = Table(
        title="Capacities printed in arXiv 2605.04595 (requests/s) beside what its formulas give",
        box=box.SIMPLE_HEAD,
        title_justify="left",
        pad_edge=False,
        show_edge=False,
        padding=(0, 1),
    )
    for heading in ("workload", "printed", "ours", "they measured", "follows", "why"):
        right = heading in ("printed", "ours", "they measured")
        table.add_column(heading, justify="right" if right else "left", overflow="fold")
    says: dict[bool | None, str] = {True: "yes", False: "NO", None: "-"}
    for row in rows:
        ours = "-" if row.ours is None else f"{row.ours:.4f}"
        measured = "-" if row.measured is None else f"{row.measured:.3f}"
        table.add_row(row.what, f"{row.printed:.3f}", ours, measured, says[row.follows], Text(row.why))
    console().print(table)


def _grid(style: str = "bold cyan") -> Table:
    from rich.table import Table

    grid = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    grid.add_column(style=style, no_wrap=True)
    grid.add_column(overflow="fold")
    return grid


def _facts(
    source: Source, found: Capacity, interval: MuInterval | None, tensor_parallel: int, fleet: Fleet | None
) -> list[tuple[str, Any]]:
    each = "" if tensor_parallel == 1 else f" ({tensor_parallel} GPUs each)"
    note = f" ({source.note})" if source.note else ""
    form = "exact" if found.exact else "closed form"
    rows = [("mu", f"{found.mu:.5g} requests/s per worker{each}: above it nothing is stable")]
    if interval is not None:
        sampled = (
            f"{interval.low:.5g} to {interval.high:.5g}: {interval.level:.0%} bootstrap over {interval.requests} "
            f"requests in blocks of {interval.block}, as if b were exact"
        )
        rows.append(("", sampled))
    rows.append(("safe rate", f"{found.safe_rate:.5g} requests/s, delta = {found.delta:.4f}"))
    if found.load is not None and found.rate is not None:
        rows.append(("load", f"{found.load:.4g} = {found.rate:.5g} requests/s over mu"))
        safe = "" if found.gpus_safe is None else f"; {found.gpus_safe} to be below the safe rate"
        sampled = "" if interval is None else _range(found, interval)
        rows.append(
            (
                "workers",
                f"{found.gpus} at {found.utilisation:.0%} utilisation{sampled}; bare minimum {found.least_gpus}{safe}",
            )
        )
    else:
        rows.append(("load", "no rate: give --rate to be told the number of workers"))
    rows.append(("slot", f"{found.slot_seconds:.5g} s ({found.slot_source})"))
    rows.append(("workload", f"{source.name}{note}"))
    rows.append(
        (
            "request",
            f"area {found.mean_area:.6g} token-slots ({form}, chunk {found.chunk:g}); mean prompt "
            f"{found.mean_prompt:.5g}, mean output {found.mean_output:.5g}, largest {found.largest:g} tokens; "
            f"M = {found.memory:g}",
        )
    )
    if found.burst is not None:
        rows.append(("worst burst", _burst(found.burst)))
    if fleet is not None:
        load = "" if fleet.load is None else f", load {fleet.load:.4g}"
        kinds = ", ".join(f"{share:.1%}" for share in fleet.shares)
        rows.append(("fleet", f"mu {fleet.mu:.5g}, safe {fleet.safe_rate:.5g} requests/s{load}; route {kinds}"))
    return rows


def _burst(burst: Burst) -> str:
    """Return the worst minute in words."""
    from stability.capacity.cautions import counted

    left = f"{burst.backlog:.3g} s of work wait" if burst.backlog > 0 else "nothing waits"
    return (
        f"{burst.window:.3g} s, beginning {burst.start:.0f} s after the first request, bring {burst.rate:.4g} "
        f"requests/s; {counted(burst.workers)} can carry {burst.mu:.4g}: {left} at the end"
    )


def _range(found: Capacity, interval: MuInterval) -> str:
    """Return the counts of workers that the ends of the interval give, where they differ."""
    from stability.capacity import gpus_needed

    if found.rate is None:
        return ""
    few, many = (gpus_needed(found.rate, mu, found.utilisation) for mu in (interval.high, interval.low))
    return "" if few == many else f" ({few} to {many} over that interval)"


def _variants(variants: Sequence[Variant]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1))
    table.add_column("if", no_wrap=True)
    for heading in ("mu", "change", "workers"):
        table.add_column(heading, justify="right")
    noted = any(row.note for row in variants)
    if noted:
        table.add_column("")
    for row in variants:
        change = "" if row.change == 0 and row is variants[0] else f"{row.change:+.1%}"
        cells = [row.what, f"{row.mu:.5g}", change, "-" if row.gpus is None else str(row.gpus)]
        table.add_row(*cells, *([row.note] if noted else []))
    return table
