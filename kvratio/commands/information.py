"""`kvratio info`: the whole card of a policy, a family, a bound, a suite or a trace."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

#: limits of parameters beyond this say nothing to a reader
ABSURD = 1e15


def info(
    name: Annotated[
        str | None, typer.Argument(help="Id of a policy, family, bound method, suite or trace, or ./my_policy.py.")
    ] = None,
    pages: Annotated[Path | None, typer.Option(help="Write a page for every policy into this folder.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print everything there is to know about one policy, family, bound, suite or trace.

    Example: kvratio info gsa
    """
    from kvratio.commands.output import console, print_json

    if pages is not None:
        from kvratio.suite.policy_page import write_pages

        print(f"{len(write_pages(pages))} pages in {pages}")
        return
    if name is None:
        raise typer.BadParameter("a name is needed, such as gsa or ./my_policy.py")
    kind, title, facts = _find(name)
    if json:
        print_json({"kind": kind, "id": name, "title": title, **dict(facts)})
        return
    from rich.table import Table
    from rich.text import Text

    target = console()
    target.print(Text.assemble((name, "bold"), f"  {title}" if title else "", (f"   {kind}", "dim")))
    grid = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    grid.add_column(style="bold cyan", no_wrap=True)
    grid.add_column(overflow="fold")
    for key, value in facts:
        for k, line in enumerate(_lines(value)):
            grid.add_row(key if k == 0 else "", line)
    target.print(grid)


def _find(name: str) -> tuple[str, str, list[tuple[str, Any]]]:
    from algos import registry, serving
    from instances import registry as families
    from instances.traces.sources import list_sources
    from kvratio.problem.errors import UnknownName
    from kvratio.suite import methods
    from kvratio.suite.read import suite_names

    if (own := own_card(name)) is not None:
        return _own(*own)
    aliases = {alias: policy for policy in registry.policy_ids() for alias in registry.card(policy).aliases}
    if name in registry.policy_ids() or name in aliases:
        kind, title, facts = _policy(registry.card(name))
        return kind, title, facts + [(f"{key} (serving)", value) for key, value in _serving(name)]
    if _serving(name):
        return "policy of the serving model", _serving_title(name), _serving(name)
    if name in families.family_ids():
        return _family(families.family(name))
    if name in methods.methods():
        return "bound", "", [("about", methods.methods()[name])]
    if name in suite_names() or name.endswith(".toml"):
        return _suite(name)
    if any(source.name == name for source in list_sources()):
        from kvratio.commands.tracing import trace_facts

        return "trace", "", trace_facts(name)
    import difflib

    known = [*registry.policy_ids(), *serving.policy_ids(), *families.family_ids(), *methods.methods(), *suite_names()]
    known += [source.name for source in list_sources()]
    close = difflib.get_close_matches(name, known, n=1)
    hint = (
        f"did you mean {close[0]!r}?"
        if close
        else "kvratio list policies|serving|families|bounds|suites|traces shows all"
    )
    raise UnknownName(f"nothing is called {name!r}: {hint}")


def own_card(name: str) -> tuple[str, Any] | None:
    """Return (kind, card) of what a file, a ``module:name`` or an entry point holds; None for another name."""
    from algos import registry
    from instances import registry as families
    from kvratio.problem.errors import BadParameter, UnknownName
    from kvratio.problem.plugins import GROUPS, installed, is_reference
    from lowerbounds.own import own_bound

    finders: dict[str, Any] = {"policy": registry.card, "family": families.family, "bound": own_bound}
    if not is_reference(name):
        return next(((kind, finders[kind](name)) for kind in GROUPS if name in installed(kind)), None)
    faults = []
    for kind, find in finders.items():
        try:
            return kind, find(name)
        except (BadParameter, UnknownName) as fault:
            faults.append(fault)
    several = [fault for fault in faults if " has no " not in str(fault)]
    if several:
        raise several[0]
    raise BadParameter(f"{name}: no policy, family or bound of that name is in it: docs/add_a_policy.md shows one")


def _own(kind: str, card: Any) -> tuple[str, str, list[tuple[str, Any]]]:
    if kind == "policy":
        from algos.run import why_interpreted

        _, title, facts = _policy(card)
        slow = why_interpreted(card)
        speed = f"SLOW: run by the Python interpreter, {slow}" if slow else "compiled, as the built-in ones"
        return f"policy {card.id} of your own", title, [*facts, ("speed", speed)]
    if kind == "family":
        _, title, facts = _family(card)
        return f"family {card.id} of your own", title, facts
    options = [f"{key} = {value}" for key, value in card.options.items()] or "none"
    facts = [("about", card.about), ("options", options), ("source", card.source)]
    trust = ("trust", "what its certificates show enters intervals; what it claims beyond is printed as a claim")
    return f"bound {card.id} of your own", card.title, [*(fact for fact in facts if fact[1]), trust]


def _policy(card: Any) -> tuple[str, str, list[tuple[str, Any]]]:
    proved = card.guarantee
    facts = [
        ("about", card.about),
        ("aliases", ", ".join(card.aliases)),
        ("family", card.family),
        ("information", card.information),
        ("arrivals", card.arrivals),
        ("evicts", card.evicts),
        ("eviction", f"{card.eviction} (allowed: {', '.join(card.allowed_evictions)})"),
        ("randomised", "yes" if card.randomised else ""),
        ("parameters", [_policy_parameter(parameter) for parameter in card.parameters] or "none"),
        ("guarantee", _proved(proved)),
        ("hypotheses", "" if proved is None else proved.hypotheses),
        ("source", f"{card.source} [{card.reference}]" if card.reference not in card.source else card.source),
    ]
    return "policy", card.title, [(key, value) for key, value in facts if value]


def _serving(name: str) -> list[tuple[str, Any]]:
    """Return the card of a policy of the serving model; nothing where there is none of that name."""
    from algos.serving import registry

    if name not in registry.policy_ids():
        return []
    card = registry.card(name)
    return [
        ("about", card.about),
        ("information", card.information),
        ("eviction", f"{card.eviction} (allowed: {', '.join(card.allowed_evictions)})"),
        ("parameters", [_policy_parameter(parameter) for parameter in card.parameters] or "none"),
        ("source", f"{card.source} [{card.reference}]" if card.reference not in card.source else card.source),
    ]


def _serving_title(name: str) -> str:
    from algos.serving import registry

    return registry.card(name).title


def _proved(guarantee: Any) -> str:
    if guarantee is None:
        return "none proved"
    return f"{guarantee.text} on total {guarantee.objective} [{guarantee.reference}]"


def _policy_parameter(parameter: Any) -> str:
    return f"{parameter.name} = {_default(parameter.default)}: {parameter.doc}{_range(parameter)}"


def _default(value: Any) -> str:
    return "(computed)" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _range(parameter: Any) -> str:
    if parameter.choices:
        return f" ({' | '.join(map(str, parameter.choices))})"
    low, high = parameter.low, parameter.high
    parts = []
    if low is not None and abs(low) < ABSURD:
        strict = getattr(parameter, "above", False) or getattr(parameter, "open_low", False)
        parts.append(f"{'>' if strict else '>='} {low:g}")
    if high is not None and abs(high) < ABSURD:
        parts.append(f"<= {high:g}")
    return f" ({', '.join(parts)})" if parts else ""


def _family(card: Any) -> tuple[str, str, list[tuple[str, Any]]]:
    required = [f"{p.name} (required): {p.doc}{_range(p)}" for p in card.parameters if p.required]
    optional = [f"{p.name} = {_default(p.default)}: {p.doc}{_range(p)}" for p in card.parameters if not p.required]
    facts = [
        ("about", card.about),
        ("letter", card.letter),
        ("kind", f"{card.kind}, {card.group}"),
        ("adaptive", "tuned to the policy that it is given" if card.adaptive else ""),
        ("target", f"{card.target} ({card.effect})" if card.target else ""),
        ("ratio", card.ratio_text),
        ("parameters", [*required, *optional] or "none"),
        ("order", "adversarial | random | reversed" if card.orders else ""),
        ("source", card.source),
    ]
    return "family", card.title, [(key, value) for key, value in facts if value]


def _suite(name: str) -> tuple[str, str, list[tuple[str, Any]]]:
    from kvratio.suite.read import load_suite

    suite = load_suite(name)
    facts = [
        ("policies", [policy.label for policy in suite.policies]),
        (
            "families",
            [f"{f.call}, {len(f.seeds)} seed(s), {f.objective}, bound {f.bound.method}" for f in suite.families],
        ),
        ("cells", suite.cell_count),
        ("bootstrap", f"{suite.resamples} resamples, {suite.confidence:.0%}"),
        ("cell limit", f"{suite.cell_seconds:g} s"),
    ]
    return "suite", suite.title, facts


def _lines(value: Any) -> Iterable[str]:
    return [str(item) for item in value] if isinstance(value, (list, tuple)) else [str(value)]
