"""`kvratio serve`: one policy of the serving model on one draw."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

#: metrics of `measure` that are not shown: they repeat what the run says, or are nan without targets
HIDDEN = ("ttft_target", "tpot_target", "token_rate_over", "warmup", "cooldown", "window")


def serve(
    workload: Annotated[str, typer.Argument(help="Workload (p512d20, lmsys_like, ...) or trace (path or name).")],
    policy: Annotated[str, typer.Option(help="Policy with parameters, such as wait or wait:margin=0.1.")] = "vllm",
    rate: Annotated[float | None, typer.Option(help="Requests per second; default: as recorded, or published.")] = None,
    requests: Annotated[int | None, typer.Option(help="Number of requests; default 5000; of a trace: all.")] = None,
    preset: Annotated[str, typer.Option(help="Clock and memory: kvratio list presets.")] = "a100-llama2-7b-roofline",
    memory: Annotated[int | None, typer.Option(help="C in tokens; default: the preset's.")] = None,
    block: Annotated[int, typer.Option(help="KV block in tokens.")] = 1,
    eviction: Annotated[str | None, typer.Option(help="restart, recompute or swap; default: the policy's.")] = None,
    arrivals: Annotated[str | None, typer.Option(help="poisson, gamma, deterministic, replay (trace).")] = None,
    cv: Annotated[float | None, typer.Option(help="Coefficient of variation of gamma gaps.")] = None,
    prediction_error: Annotated[float, typer.Option(help="e of predictions o * U[1-e, 1+e].")] = 0.0,
    swing: Annotated[float, typer.Option(help="Share by which the rate goes up and down over time.")] = 0.0,
    period: Annotated[float, typer.Option(help="Seconds in which it does so once.")] = 600.0,
    backlog: Annotated[int, typer.Option(help="Requests more that wait at time 0.")] = 0,
    replicas: Annotated[int, typer.Option(help="Workers behind a router.")] = 1,
    router: Annotated[str, typer.Option(help="round_robin, random or least_memory.")] = "round_robin",
    users: Annotated[int | None, typer.Option(help="Closed loop: so many users instead of a rate.")] = None,
    think: Annotated[float, typer.Option(help="Their mean think time in seconds.")] = 1.0,
    cut: Annotated[float | None, typer.Option(help="Seconds at which the run stops.")] = None,
    warmup: Annotated[str, typer.Option(help="Share of the requests left out at the start, or auto (MSER-5).")] = "0.2",
    cooldown: Annotated[float, typer.Option(help="Share left out at the end.")] = 0.2,
    ttft_target: Annotated[float | None, typer.Option(help="Seconds to the first token, for the goodput.")] = None,
    tpot_target: Annotated[float | None, typer.Option(help="Seconds per token after it.")] = None,
    log: Annotated[Path | None, typer.Option(help="Folder for the request log and the iteration log.")] = None,
    log_format: Annotated[str, typer.Option(help="parquet or csv.")] = "parquet",
    seed: Annotated[int, typer.Option(help="Of the draw.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Serve requests by one policy in continuous time, and print what was measured.

    Example: kvratio serve p512d20 --policy wait --rate 20 --log runs/wait
    """
    from kvratio.commands.output import print_json, say
    from kvratio.problem.errors import BadParameter
    from kvratio.suite.serving.contender import contender
    from kvratio.suite.serving.hardware import Hardware
    from kvratio.suite.serving.load import open_load
    from kvratio.suite.serving.single import serve_once
    from kvratio.suite.serving.trial import Measuring, parse_share

    given = {"--rate": rate, "--arrivals": arrivals, "--cv": cv, "--cut": cut}
    given |= {"--backlog": backlog or None, "--swing": swing or None, "--replicas": None if replicas == 1 else replicas}
    clash = [name for name, value in given.items() if value is not None]
    if users is not None and clash:
        raise BadParameter(f"--users is a closed loop on one worker, which has no {clash[0]}: drop one of them")
    found = serve_once(
        open_load(workload, arrivals, cv, prediction_error, swing, period),
        contender(policy, eviction),
        Hardware.preset(preset, memory, block),
        rate=rate,
        n=requests,
        seed=seed,
        backlog=backlog,
        replicas=replicas,
        router=router,
        users=users,
        think=think,
        cut=cut,
        log=log is not None,
        measuring=Measuring(parse_share(warmup), cooldown, ttft_target, tpot_target),
    )
    facts = found.facts()
    if log is not None:
        written = found.save_logs(log, log_format)
        say(f"{', '.join(str(path.relative_to(log)) for path in written)} in {log}")
    if json:
        print_json(facts)
    else:
        _print(facts)


def _print(facts: dict[str, Any]) -> None:
    from rich.table import Table

    from kvratio.commands.output import console

    grid = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    grid.add_column(style="bold cyan", no_wrap=True)
    grid.add_column(overflow="fold")
    for key, value in facts.items():
        if key in HIDDEN or value is None or value != value:
            continue
        text = f"{value:.5g}" if isinstance(value, float) else str(value)
        if key.startswith(("latency", "ttft", "tpot", "tbt")) and facts.get("lower_bound"):
            text = f"≥ {text}"
        grid.add_row(key.replace("_", " "), text)
    console().print(grid)
