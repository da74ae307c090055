"""`kvratio sweep --experiment`: a whole experiment of the serving model from a TOML file."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

    from kvratio.suite.serving.conduct import Outcome


def run_named(name: str, out: Path | None, workers: int | None, json: bool, quiet: bool) -> None:
    """Run an experiment, print its tables, and write them where a folder is given."""
    from kvratio.commands.output import print_json, say
    from kvratio.suite.serving.conduct import conduct, save_outcome
    from kvratio.suite.serving.experiment import load_experiment

    found = conduct(load_experiment(name), workers, progress=not quiet)
    if out is not None:
        say(f"{len(save_outcome(found, out))} files in {out}")
    if json:
        print_json(_facts(found))
    else:
        _print(found)


def _facts(found: Outcome) -> dict[str, Any]:
    from kvratio.suite.serving.conduct import cannot_follow
    from kvratio.suite.serving.save import about

    facts: dict[str, Any] = {"experiment": found.experiment.name, "title": found.experiment.title}
    facts["loads"] = {
        label: {
            "about": about(one),
            "table": one.table.to_dict("records"),
            "largest": [row for best in found.rates[label] for row in best.rows()],
        }
        for label, one in found.sweeps.items()
    }
    facts["heavy_traffic"] = {
        one.label: {"gap": one.table.to_dict("records"), "slopes": one.slopes.to_dict("records")} for one in found.heavy
    }
    if found.reported is not None:
        facts["reported"] = found.reported.to_dict("records")
    facts["rules"] = [vars(one) for one in found.judgements]
    facts["cannot_follow"] = cannot_follow(found.experiment)
    return facts


def _print(found: Outcome) -> None:
    from kvratio.commands.output import console
    from kvratio.commands.sweeping import show_largest, show_sweep

    screen = console()
    for label, one in found.sweeps.items():
        screen.rule(label, align="left")
        show_sweep(one)
        rates = found.rates[label]
        settled = [best.default for best in rates]
        settled += [best.tuned for best in rates if best.tuned is not best.default]
        if settled:
            show_largest(settled)
    for heavy in found.heavy:
        screen.rule(heavy.label, align="left")
        screen.print(heavy.table.to_string(index=False))
        screen.print(heavy.slopes.to_string(index=False))
    if found.reported is not None:
        screen.rule("reported figures beside ours", align="left")
        screen.print(_reported(found))
    for judgement in found.judgements:
        screen.print(f"{'holds' if judgement.holds else 'FAILS'}: {judgement.rule}", soft_wrap=True)
        screen.print(f"    {judgement.measured}", soft_wrap=True)
    _print_limits(found)


def _reported(found: Outcome) -> Table:
    """Lay out the published figures beside ours."""
    from rich.table import Table

    assert found.reported is not None
    table = Table(box=None, pad_edge=False)
    for heading in ("load", "rate", "quantity", "in print", "reported", "ours", "default", "tuned"):
        table.add_column(heading, overflow="fold", justify="right" if heading in ("rate", "default") else "left")
    rows: list[dict[str, Any]] = found.reported.to_dict("records")  # type: ignore[assignment]
    for row in rows:
        table.add_row(
            row["load"],
            _number(row["rate"]),
            row["quantity"],
            row["who"],
            f"{row['reported']:g}"
            + ("" if row["reported_sd"] != row["reported_sd"] else f" (sd {row['reported_sd']:g})"),
            row["policy"],
            _number(row["default"], row["default_half"]),
            _number(row["tuned"], row["tuned_half"]),
        )
    return table


def _number(value: Any, half: float = math.nan) -> str:
    if value is None or value != value:
        return "-"
    return f"{value:.4g}" + ("" if half != half else f" ± {half:.2g}")


def _print_limits(found: Outcome) -> None:
    from kvratio.commands.output import console
    from kvratio.suite.serving.conduct import cannot_follow

    screen = console()
    entries = cannot_follow(found.experiment)
    if entries:
        screen.rule("reported figures that cannot follow from this model", align="left")
    for entry in entries:
        limit = entry["fluid_limit"]
        shown = "" if limit is None else f" [fluid limit {limit:.4g} requests/s]"
        screen.print(f"{entry['figure']}{shown}: {entry['why']}", soft_wrap=True, markup=False)
