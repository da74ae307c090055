"""What `kvratio stability` says of a workload: one page for people, and the same as plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kvratio.suite.stability.mix import counted

if TYPE_CHECKING:
    from kvratio.suite.stability.advice import Advice, Routing, Whole

#: columns of the table of routings: of real-valued mass, then of whole requests
HEADINGS = ("plan", "stable", "load", "T/x*", "evicted/x*", "whole T/x*", "evicted/done")
#: what they mean
LEGEND = (
    "load: work of the busiest replica over the mean; T/x*: completions of the worst replica over its x*; evicted/x*: "
    "mean over replicas, real-valued mass; whole, done: of whole requests, evictions per completion"
)


def advice_facts(found: Advice) -> dict[str, Any]:
    """Return the advice as plain data."""
    about = found.diagnosis
    remedies = [vars(remedy) for remedy in about.remedies]
    facts: dict[str, Any] = {
        "workload": found.mix.name if len(found.mix.name) < 200 else f"{len(found.mix.decode):,} classes",
        "note": found.mix.note,
        "memory": found.memory,
        **{key: value for key, value in vars(about).items() if key != "remedies"},
        "x_star": about.equilibrium,
        "remedies": remedies,
        "whole_requests": {
            "steps": found.steps,
            **{
                name: None if one is None else vars(one)
                for name, one in (
                    ("greedy", found.greedy),
                    ("capped_at_x_star", found.at_equilibrium),
                    ("capped", found.capped),
                )
            },
        },
    }
    if found.routings:
        names = found.mix.unit_names()
        facts["routings"] = [
            {
                "name": one.name,
                "stable": one.plan.stable,
                "groups": [[names[unit] for unit in group] for group in one.plan.groups],
                "replicas": list(one.plan.replicas),
                "rho": list(one.plan.rho),
                "load": list(one.plan.load),
                "mass": {"ratio": one.ratio, "evictions_per_x_star": one.evictions},
                "whole_requests": {"ratio": one.whole_ratio, "evictions_per_completion": one.whole_evictions},
            }
            for one in found.routings
        ]
        facts["routing_note"] = found.routings[-1].plan.note
    return facts


def show_advice(found: Advice) -> None:
    """Print the verdict, the figures behind it, what to do, and the routings."""
    from rich.table import Table
    from rich.text import Text

    from kvratio.commands.output import console

    screen, about = console(), found.diagnosis
    name = found.mix.name if len(found.mix.name) < 80 else f"{len(found.mix.decode):,} classes"
    screen.print(f"{about.verdict.upper()}: {name} on one worker with M = {found.memory}", soft_wrap=True, markup=False)
    grid = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    grid.add_column(style="bold cyan", no_wrap=True)
    grid.add_column(overflow="fold")
    for key, text in _lines(found):
        grid.add_row(key, Text(text))
    screen.print(grid)
    if found.routings:
        _print_routings(found)


def _lines(found: Advice) -> list[tuple[str, str]]:
    """Return what to say of one worker, heading and text."""
    about = found.diagnosis
    growth = "grows" if about.unstable_modes else "shrinks"
    lines = [
        ("spectral radius", f"{about.rho:.9g}, {counted(about.unstable_modes, 'unstable mode', 'unstable modes')}"),
        ("growth time", f"a deviation {growth} e-fold in {about.e_folding:.4g} iterations"),
        ("decode lengths", f"{counted(about.classes, 'class', 'classes')} up to {about.stages}, gcd {about.gcd}"),
        ("x*", f"{about.equilibrium:.6g} completions per iteration without evictions: the cap on admissions"),
        ("greedy throughput", f"{about.throughput:.6g} per iteration, loss {about.loss:.2%} ({about.cycle})"),
        ("floor", f"{about.worst:.6g}: no greedy run stays below it"),
    ]
    if about.gcd > 1 and about.classes > 1:
        lines.append(("pulse cycle", f"{about.pulse:.6g}, spectral radius on it {about.pulse_rho:.6g}"))
    if about.evictions == about.evictions:
        lines.append(
            ("evicted", f"{about.evictions:.4g} requests per iteration, real-valued mass, {about.steps:,} steps")
        )
    if found.greedy is None:
        lines.append(("whole requests", "not simulated: some can never fit into memory"))
    else:
        assert found.at_equilibrium is not None
        assert found.capped is not None
        lines += [
            ("whole requests", f"{found.steps:,} iterations from an empty worker, second half"),
            ("  greedy", _whole(found.greedy)),
            ("  cap x*", _whole(found.at_equilibrium)),
        ]
        if found.capped is not found.at_equilibrium:
            lines.append((f"  cap {found.capped.share:g} x*", f"{_whole(found.capped)}; cap {found.capped.cap:.6g}"))
    lines += [("why" if k == 0 else "", text) for k, text in enumerate(about.reasons)]
    lines += [("what to do" if k == 0 else "", f"{k + 1}. {one.text}") for k, one in enumerate(about.remedies)]
    return lines


def _whole(one: Whole) -> str:
    return f"{one.throughput:.6g} per iteration = {one.ratio:.2%} of x*, {one.evictions:.4g} evictions per completion"


def _print_routings(found: Advice) -> None:
    """Print what each routing does, then who gets which lengths in those that split them."""
    from rich.table import Table

    from kvratio.commands.output import console

    screen, best = console(), found.routings[-1].plan
    table = Table(box=None, title_justify="left", pad_edge=False, title=f"Routing over {sum(best.replicas)} replicas")
    for heading in HEADINGS:
        table.add_column(heading, justify="left" if heading == "plan" else "right", no_wrap=True)
    for one in found.routings:
        table.add_row(*_routing_row(one))
    screen.print(table)
    screen.print(LEGEND, style="dim", markup=False)
    groups = Table(box=None, pad_edge=False)
    groups.add_column("plan", no_wrap=True)
    groups.add_column("decode lengths", overflow="fold")
    for heading in ("replicas", "rho"):
        groups.add_column(heading, justify="right", no_wrap=True)
    for row in _group_rows(found):
        groups.add_row(*row)
    screen.print(groups)
    screen.print(f"note: {best.note}", soft_wrap=True, markup=False)
    if not best.stable:
        screen.print("no routing makes every replica stable: cap the admissions at x* instead", soft_wrap=True)


def _routing_row(one: Routing) -> tuple[str, ...]:
    return (
        one.name,
        "yes" if one.plan.stable else "no",
        f"{one.plan.balance:.3g}",
        f"{one.ratio:.4f}",
        f"{one.evictions:.4f}",
        "-" if one.whole_ratio != one.whole_ratio else f"{one.whole_ratio:.4f}",
        "-" if one.whole_evictions != one.whole_evictions else f"{one.whole_evictions:.4f}",
    )


def _group_rows(found: Advice) -> list[tuple[str, ...]]:
    """Return plan (once), decode lengths, replicas and spectral radius of every group of every routing."""
    names = found.mix.unit_names()
    rows: list[tuple[str, ...]] = []
    for one in found.routings:
        parts = zip(one.plan.groups, one.plan.replicas, one.plan.rho, strict=True)
        for k, (group, number, rho) in enumerate(parts):
            lengths = "all" if len(group) == len(names) else ", ".join(names[unit] for unit in group)
            rows.append(("" if k else one.name, lengths, str(number), f"{rho:.6f}"))
    return rows
