"""`kvratio sweep`: policies of the serving model against arrival rates; the largest stable rate of each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from kvratio.suite.serving.hardware import Hardware
    from kvratio.suite.serving.largest import LargestRate
    from kvratio.suite.serving.sweep import Sweep

#: options that go with an experiment
WITH_EXPERIMENT = ("experiment", "out", "workers", "json", "quiet")
#: columns of the printed table: metric, heading
SHOWN = (
    ("latency_mean", "mean s"),
    ("latency_p99", "p99 s"),
    ("ttft_mean", "TTFT s"),
    ("tpot_mean", "TPOT s"),
    ("effective_throughput", "tokens/s"),
    ("completion_rate", "done"),
    ("restarts", "evicted"),
    ("memory_mean", "memory"),
    ("busy_fraction", "busy"),
)


def sweep(
    context: typer.Context,
    workload: Annotated[str | None, typer.Argument(help="Workload (p512d20, lmsys_like, ...) or trace.")] = None,
    policy: Annotated[str, typer.Option(help="Policies, commas between: vllm,wait:margin=0.1.")] = "vllm,sarathi,wait",
    rates: Annotated[str | None, typer.Option(help="10,20 or 5:25:9; default: around the fluid limit.")] = None,
    replications: Annotated[int, typer.Option(help="Draws per rate; 10 or more for verdicts.")] = 10,
    requests: Annotated[int | None, typer.Option(help="Per replication; default 5000, of a search 8000.")] = None,
    preset: Annotated[str, typer.Option(help="Clock and memory: kvratio list presets.")] = "a100-llama2-7b-roofline",
    memory: Annotated[int | None, typer.Option(help="C in tokens; default: the preset's.")] = None,
    block: Annotated[int, typer.Option(help="KV block in tokens.")] = 1,
    eviction: Annotated[str | None, typer.Option(help="restart, recompute or swap; default: each its own.")] = None,
    arrivals: Annotated[str | None, typer.Option(help="poisson, gamma, deterministic, replay (trace).")] = None,
    cv: Annotated[float | None, typer.Option(help="Coefficient of variation of gamma gaps.")] = None,
    prediction_error: Annotated[float, typer.Option(help="e of predictions o * U[1-e, 1+e].")] = 0.0,
    swing: Annotated[float, typer.Option(help="Share by which the rate goes up and down over time.")] = 0.0,
    period: Annotated[float, typer.Option(help="Seconds in which it does so once.")] = 600.0,
    tune: Annotated[int, typer.Option(help="Candidates per policy and rate, the default among them.")] = 1,
    warmup: Annotated[str, typer.Option(help="Share of the requests left out at the start, or auto (MSER-5).")] = "0.2",
    cooldown: Annotated[float, typer.Option(help="Share left out at the end.")] = 0.2,
    ttft_target: Annotated[float | None, typer.Option(help="Seconds to the first token, for the goodput.")] = None,
    tpot_target: Annotated[float | None, typer.Option(help="Seconds per token after it.")] = None,
    largest: Annotated[bool, typer.Option("--largest", help="Locate each policy's largest stable rate.")] = False,
    experiment: Annotated[str | None, typer.Option(help="Built-in experiment or TOML file.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for CSV, Parquet and figures.")] = None,
    seed: Annotated[int, typer.Option(help="Of the draws.")] = 0,
    workers: Annotated[int | None, typer.Option(help="Processes; default: all cores.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress on stderr.")] = False,
) -> None:
    """Run policies at several arrival rates in continuous time, all on the same draws, and compare them.

    With --largest and no --rates only the largest stable rates are searched for. Exit code 1: a cell failed.

    Example: kvratio sweep p512d20 --policy vllm,wait --rates 10,20 --out runs/rates
    """
    from kvratio.problem.errors import BadParameter

    if (workload is None) == (experiment is None):
        raise BadParameter("give either a workload, such as p512d20, or --experiment NAME")
    if experiment is not None:
        _nothing_else(context)
        from kvratio.commands.experimenting import run_named

        run_named(experiment, out, workers, json, quiet)
        return
    from kvratio.suite.serving.contender import contenders
    from kvratio.suite.serving.hardware import Hardware
    from kvratio.suite.serving.load import open_load
    from kvratio.suite.serving.rates import parse_rates
    from kvratio.suite.serving.sweep import REQUESTS
    from kvratio.suite.serving.sweep import sweep as run_sweep
    from kvratio.suite.serving.trial import Measuring, parse_share

    load = open_load(str(workload), arrivals, cv, prediction_error, swing, period)
    machine = Hardware.preset(preset, memory, block)
    chosen = contenders(policy, eviction)
    answers: dict[str, Any] = {}
    if largest:
        answers["largest"] = _search(load, machine, chosen, replications, requests, seed, workers, not quiet)
    if rates is not None or not largest:
        answers["sweep"] = run_sweep(
            load,
            chosen,
            None if rates is None else parse_rates(rates),
            machine,
            replications=replications,
            requests=REQUESTS if requests is None else requests,
            seed=seed,
            tuning=tune,
            measuring=Measuring(parse_share(warmup), cooldown, ttft_target, tpot_target),
            workers=workers,
            progress=not quiet,
        )
    _report(answers, machine, load.fluid_limit(machine), out, json)
    found = answers.get("sweep")
    if found is not None and (found.table["status"] == "failed").any():
        raise typer.Exit(1)


def _nothing_else(context: typer.Context) -> None:
    """Refuse options that an experiment's file decides: they would be ignored."""
    from kvratio.problem.errors import BadParameter

    for name in context.params:
        source = context.get_parameter_source(name)
        if name not in WITH_EXPERIMENT and source is not None and source.name == "COMMANDLINE":
            option = name.replace("_", "-")
            raise BadParameter(f"--{option} does not go with --experiment, whose file decides it: change the file")


def _search(
    load: Any,
    machine: Hardware,
    chosen: Any,
    replications: int,
    requests: int | None,
    seed: int,
    workers: int | None,
    show: bool,
) -> list[LargestRate]:
    from kvratio.suite.serving.largest import REQUESTS, largest_stable_rate

    n = REQUESTS if requests is None else requests
    return [
        largest_stable_rate(
            policy, load, machine, replications=replications, requests=n, seed=seed, workers=workers, progress=show
        )
        for policy in chosen
    ]


def _report(answers: dict[str, Any], machine: Hardware, limit: float, out: Path | None, json: bool) -> None:
    """Print or write what was found."""
    import pandas as pd

    from kvratio.commands.output import print_json, say

    found: Sweep | None = answers.get("sweep")
    searched: list[LargestRate] = answers.get("largest", [])
    written: list[Path] = []
    if out is not None:
        from kvratio.suite.serving.save import save_sweep, save_tables

        tables = {"largest": pd.DataFrame([one.row() for one in searched])}
        tables["visits"] = pd.DataFrame([visit for one in searched for visit in one.visits()])
        written += save_tables(tables, out) + (save_sweep(found, out) if found else [])
    if json:
        from kvratio.suite.serving.save import about

        facts: dict[str, Any] = {"fluid_limit": limit, "largest": [one.row() for one in searched]}
        if found:
            facts |= {"about": about(found), "table": found.table.to_dict("records")}
            facts |= {"paired": found.paired.to_dict("records")}
        print_json(facts)
    else:
        if searched:
            show_largest(searched)
        if found:
            show_sweep(found)
    if written:
        say(f"{len(written)} files in {out}")


def show_largest(searched: list[LargestRate]) -> None:
    """Print one line per policy with its largest stable rate."""
    from rich.table import Table

    from kvratio.commands.output import console

    first = searched[0]
    title = f"{first.workload}: largest stable rate; fluid limit {first.fluid_limit:.4g} requests/s"
    table = Table(title=title, box=None, title_justify="left", pad_edge=False)
    table.add_column("policy", overflow="fold", max_width=40)
    for heading in ("stable at", "not at", "of fluid limit", "there", "from a backlog", "requests"):
        table.add_column(heading, justify="left" if heading == "there" else "right", no_wrap=True)
    for one in searched:
        row = one.row()
        loaded = f"{one.loaded.low:.4g}" if one.loaded else "-"
        table.add_row(
            one.policy.label,
            f"{one.low:.4g}" + ("" if one.empty.confirmed else "?"),
            f"{one.high:.4g}",
            f"{one.share:.1%}",
            str(row["at_high"]),
            f"{loaded} (two limits)" if one.two_limits else loaded,
            str(one.n),
        )
    console().print(table)


def show_sweep(found: Sweep) -> None:
    """Print one line per policy, setting and rate, what tuning chose, and whom the paired differences favour."""
    from rich.table import Table

    from kvratio.commands.output import console
    from kvratio.suite.serving.tabulate import TOO_FEW

    screen = console()
    title = (
        f"{found.load.name} on {found.hardware.name or 'own clock'}, C = {found.hardware.memory}: "
        f"{found.replications} x {found.requests} requests, seeds {found.seed}..{found.seed + found.replications - 1}, "
        f"fluid limit {found.fluid_limit:.4g}/s"
    )
    table = Table(title=title, box=None, title_justify="left", pad_edge=False)
    table.add_column("policy", overflow="fold", max_width=28)
    for heading in ("rate", *(heading for _, heading in SHOWN)):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    rows: list[dict[str, Any]] = found.table.to_dict("records")  # type: ignore[assignment]
    for row in rows:
        name = row["policy"] + (" (tuned)" if row["setting"] == "tuned" else "")
        verdict = "-" if row["verdict"] == TOO_FEW else row["verdict"]
        table.add_row(name, f"{row['rate']:g}", *(_value(row, metric) for metric, _ in SHOWN), verdict)
    screen.print(table)
    for line in (*_chosen(rows), *_notes(rows), *_favoured(found)):
        screen.print(line, soft_wrap=True, markup=False)


def _chosen(rows: list[dict[str, Any]]) -> list[str]:
    """Say which candidate tuning chose at which rates."""
    by: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if row["setting"] == "tuned":
            by.setdefault((row["policy"], row["given"]), []).append(f"{row['rate']:g}")
    return [f"{label} tuned: {given} at {', '.join(rates)}" for (label, given), rates in by.items()]


def _notes(rows: list[dict[str, Any]]) -> list[str]:
    def status(row: dict[str, Any]) -> str:
        return "" if row["status"] == "ok" else f"{row['status']}: "

    notes = [f"{row['policy']} at {row['rate']:g}: {status(row)}{row['note']}" for row in rows if row["note"]]
    return list(dict.fromkeys(notes))


def _value(row: dict[str, Any], metric: str) -> str:
    value, half = row[metric], row[f"{metric}_half"]
    if value != value:
        return "-"
    if metric in ("completion_rate", "memory_mean", "busy_fraction"):
        return f"{value:.1%}"
    if metric == "effective_throughput":
        return f"{value:.0f}"
    sign = "≥" if row["lower_bound"] and metric.startswith(("latency", "ttft", "tpot")) else ""
    spread = f"±{half:.2g}" if metric == "latency_mean" and half == half else ""
    return f"{sign}{value:.3g}{spread}"


def _favoured(found: Sweep) -> list[str]:
    """Say how the first policy's mean latency differs from the others' on the same draws; files hold all pairs."""
    pairs = found.paired
    if pairs.empty or found.replications < 2:
        return []
    lines = []
    chosen = pairs[(pairs["metric"] == "latency_mean") & (pairs["first"] == found.policies[0].label)]
    for (setting, first, second), rows in chosen.groupby(["setting", "first", "second"], sort=False):
        parts = [
            f"{row['rate']:g}: {row['difference']:+.3g} ± {row['half']:.2g}"
            for row in rows.to_dict("records")
            if row["difference"] == row["difference"]
        ]
        if parts:
            lines.append(f"{first} - {second} ({setting}), mean latency s on the same draws: {', '.join(parts)}")
    return lines
